"""Trials of backups in real containers: what is tried has no cable, reaches nobody, and answers all the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from e2e.site import Played, Site

DEPLOY, BACKUP, VERIFY = "playbooks/deploy.yml", "playbooks/backup.yml", "playbooks/verify_backups.yml"
HOME, CALLER = "e2e-home", "e2e-caller"
HOME_APP: dict[str, Any] = {HOME: {"app_catalog_id": "lab-notes"}}
LIMIT_S = 180.0
WAIT_ONLINE_S = 120
"""How long systemd-networkd-wait-online waits for a network, and Docker for that."""
REACHES = "timeout 3 bash -c 'echo > /dev/tcp/{}/{}' 2> /dev/null && echo yes || echo no"
PAGE = """bash -c 'exec 3<> /dev/tcp/127.0.0.1/8080 && printf "GET / HTTP/1.0\\r\\n\\r\\n" >&3 && cat <&3' 2> /dev/null || true"""


def played(site: Site, playbook: str, apps: dict[str, Any], *args: str) -> Played:
    done = site.play(playbook, apps, *args)
    assert done.status == 0, done.output[-6000:]
    return done


@pytest.fixture(scope="module")
def caller(site: Site) -> Iterator[dict[str, Any]]:
    """An app that calls home all the time, backed up while it did, and stopped since then."""
    played(site, DEPLOY, HOME_APP)
    home = f"http://{site.address(site.guest(HOME))}:8080/api/counter"
    apps: dict[str, Any] = {CALLER: {"app_catalog_id": "lab-caller", "app_options": {"home_url": home}}}
    played(site, DEPLOY, apps)
    until(lambda: calls(site) > 0, "it calls home")
    played(site, BACKUP, apps)
    played(site, "playbooks/stop.yml", apps, "--limit", CALLER)
    yield apps
    for each in (apps, HOME_APP):
        played(site, "playbooks/remove.yml", each, "--limit", ",".join(each))


def calls(site: Site) -> int:
    return int(site.page_soon(site.guest(HOME), "/api/counter"))


def until(holds: Any, what: str) -> None:
    end = time.monotonic() + LIMIT_S
    while not holds():
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        time.sleep(0.2)


def trial_of(site: Site) -> dict[str, Any] | None:
    """The container of the trial, once it runs."""
    found = [
        guest for guest in site.get("/nodes/pve1/lxc") if guest.get("name", "") == f"px-trial-{CALLER}" and guest["status"] == "running"
    ]
    return {**found[0], "node": "pve1"} if found else None


@contextmanager
def held_trial(site: Site, apps: dict[str, Any], *args: str) -> Iterator[dict[str, Any]]:
    """A trial whose playbook stands still while its container runs; afterwards it goes on, and has to succeed."""
    play = site.begin(VERIFY, apps, "--limit", CALLER, "-e", "backup_trial_max_age=0s", *args)
    try:
        until(lambda: play.poll() is not None or trial_of(site), "the container of the trial runs")
        assert play.poll() is None, play.communicate()[0][-6000:]
        os.killpg(play.pid, signal.SIGSTOP)
        guest = trial_of(site)
        assert guest
        until(lambda: "e2e-caller" in inside(site, guest, PAGE), "its page answers within")
        yield guest
    finally:
        os.killpg(play.pid, signal.SIGCONT)
        output, _none = play.communicate(timeout=LIMIT_S)
    assert play.returncode == 0, output[-6000:]
    assert trial_of(site) is None


def inside(site: Site, guest: dict[str, Any], command: str) -> str:
    """What a command in the container says; one that is still starting says nothing."""
    try:
        return site.inside(guest, command).strip()
    except (AssertionError, subprocess.TimeoutExpired):
        return ""


def whom_it_reaches(site: Site, guest: dict[str, Any]) -> dict[str, str]:
    node, neighbour = site.env["NODE_ADDRESS"], site.address(site.guest(HOME))
    return {
        "node": site.inside(guest, REACHES.format(node, 22)).strip(),
        "neighbour": site.inside(guest, REACHES.format(neighbour, 8080)).strip(),
        "resolver": site.inside(guest, REACHES.format(node, 53)).strip(),
    }


def test_what_is_tried_reaches_nobody(site: Site, caller: dict[str, Any]) -> None:
    before = calls(site)
    with held_trial(site, caller) as guest:
        assert whom_it_reaches(site, guest) == {"node": "no", "neighbour": "no", "resolver": "no"}
        assert "NO-CARRIER" in site.inside(guest, "ip link show eth0")
        assert "caller" in site.inside(guest, "docker ps --format '{{.Names}}'"), "it would call, if it could"
        net0 = site.config(guest)["net0"].split(",")
        assert "link_down=1" in net0 and "ip=192.0.2.2/30" in net0
        assert not [part for part in net0 if part.startswith("gw=")]
        time.sleep(3)
    assert calls(site) == before
    vmid = site.guest(CALLER)["vmid"]
    (row,) = site.get(f"/nodes/pve1/storage/local/content?content=backup&vmid={vmid}")
    assert "verdict=ok" in row["notes"]


def test_on_a_bridge_that_somebody_names_it_reaches_who_is_there(site: Site, caller: dict[str, Any]) -> None:
    """That the trial before reached nobody is for its cable's sake: here the same container calls home."""
    before, node = calls(site), site.env["NODE_ADDRESS"]
    network = {"bridge": "vmbr0", "address": f"{node.rpartition('.')[0]}.250/24"}
    with held_trial(site, caller, "-e", json.dumps({"backup_trial_network": network})) as guest:
        assert whom_it_reaches(site, guest) == {"node": "yes", "neighbour": "yes", "resolver": "yes"}
        until(lambda: calls(site) > before, "it calls home")


def test_system_that_waits_for_its_network_is_not_waited_for(site: Site, caller: dict[str, Any]) -> None:
    """As some do that systemd-networkd configures: Docker comes after network-online.target, which never comes by itself."""
    played(site, "playbooks/start.yml", caller, "--limit", CALLER)
    guest = site.guest(CALLER)
    until(lambda: inside(site, guest, "systemctl is-active docker") == "active", "docker runs")
    site.inside(guest, "systemctl enable systemd-networkd.service systemd-networkd-wait-online.service")
    played(site, BACKUP, caller, "-e", "backup_force=true")
    played(site, "playbooks/stop.yml", caller, "--limit", CALLER)
    play = site.begin(VERIFY, caller, "--limit", CALLER, "-e", "backup_trial_max_age=0s")
    until(lambda: play.poll() is not None or trial_of(site), "the container of the trial runs")
    tried, began = trial_of(site), time.monotonic()
    assert tried, play.communicate()[0][-6000:]
    until(lambda: play.poll() is not None or inside(site, tried, "systemctl is-active docker") == "active", "docker runs in it")
    took_s = time.monotonic() - began
    output, _none = play.communicate(timeout=LIMIT_S)
    assert play.returncode == 0, output[-6000:]
    assert took_s < WAIT_ONLINE_S, f"Docker came after {took_s:.0f} s"
