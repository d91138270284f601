"""The policy of a fleet: 200 apps on 4 nodes, each due backup once, and what that costs next to another collection."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from integration.backup_plays import Play, api_of, backups, changed, grow, play_in, record_of
from integration.modules import begin_module
from integration.pve import Pve

ROOT = Path(__file__).parents[2]
APPS = 200
INSTALLED = any((Path(place) / "ansible_collections/community/proxmox").is_dir() for place in sys.path)


@pytest.fixture
def play(lab: labs.Lab, tmp_path: Path) -> Play:
    return play_in(lab, tmp_path)


def test_one_failure_does_not_stop_the_others(lab: labs.Lab, play: Play) -> None:
    names = grow(lab, 8)
    lab.fault("task-fails", type="vzdump", text="No space left on device", at="work", nth=3)
    done = play(names)
    assert done.returncode == 2, done.stdout[-3000:]
    assert len(backups(lab)) == 7, done.stdout[-6000:]
    failed = re.findall(r"^(\S+)\s+:.*failed=1", done.stdout, re.MULTILINE)
    assert len(failed) == 1 and f"The backup of app {failed[0]} failed" in done.stdout and "No space left on device" in done.stdout
    again = play(names)
    assert again.returncode == 0, again.stdout[-3000:]
    assert {host: count for host, count in changed(again.stdout).items() if count} == {failed[0]: 1}
    checked = play(names, "--check", backup_force=True)
    assert (checked.returncode, sum(changed(checked.stdout).values()), len(backups(lab))) == (0, 8, 8), checked.stdout[-3000:]


def test_policies_of_apps_owners_and_groups(lab: labs.Lab, play: Play) -> None:
    names = grow(lab, 4)
    owners = {"anna": {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}, "ben": {"window": "00:00-00:00"}}
    done = play(
        names,
        backup_owner_policies=owners,
        app_owner="ben",
        backup_defaults={"max_age": "1d", "mode": "stop", "compress": "none", "hooks": True},
    )
    assert (done.returncode, backups(lab)) == (0, []), done.stdout[-3000:]
    assert "it is not the time for it" in done.stdout
    done = play(names, backup_owner_policies=owners, app_owner="anna", backup_policy={"compress": "gzip", "protected": True})
    assert done.returncode == 0, done.stdout[-3000:]
    assert {(volume.format, volume.protected) for volume in backups(lab)} == {("tar.gz", True)}


def test_a_job_of_the_cluster_is_respected(lab: labs.Lab, pve: Pve, play: Play) -> None:
    names = grow(lab, 4)
    pve.put("/access/acl", path="/", roles="PVEAuditor", users="proximity@pve")
    with lab.cluster.lock:
        lab.cluster.backup_jobs["nightly"] = {"vmid": "8100,8101", "schedule": "04:00", "storage": "local"}
    done = play(names)
    assert done.returncode == 0, done.stdout[-3000:]
    assert sorted(volume.vmid for volume in backups(lab)) == [8102, 8103]
    assert done.stdout.count("a backup job of the cluster covers it") == 2


def test_two_clusters_are_backed_up_in_one_run_and_a_dead_one_stops_nobody(lab: labs.Lab, play: Play) -> None:
    with labs.start(seed="demo", guests="simulated") as office:
        names = grow(lab, 4)
        grow(office, 4)
        hosts = {f"home-{name}": {"app_name": name, "proximity_cluster": "home"} for name in names}
        hosts |= {f"office-{name}": {"app_name": name, "proximity_cluster": "office", **api_of(office)} for name in names}
        done = play(hosts)
        assert done.returncode == 0, done.stdout[-3000:]
        for each in (lab, office):
            assert sorted(volume.vmid for volume in backups(each)) == [8100, 8101, 8102, 8103]
        again = play(hosts)
        assert (again.returncode, sum(changed(again.stdout).values())) == (0, 0)
    done = play(hosts, backup_force=True)
    failed = set(re.findall(r"^(\S+)\s+:.*failed=1", done.stdout, re.MULTILINE))
    assert (done.returncode, failed) == (2, {host for host in hosts if host.startswith("office-")}), done.stdout[-3000:]
    assert "The backups of its cluster could not be looked at." in " ".join(done.stdout.split())  # older Ansible breaks long lines
    assert len(backups(lab)) == 8


def verdicts(lab: labs.Lab) -> Counter[str]:
    found = (re.search(r"verdict=(\w+)", volume.notes) for volume in backups(lab))
    return Counter(match[1] for match in found if match)


def guests(lab: labs.Lab) -> list[int]:
    with lab.cluster.lock:
        return sorted(lab.cluster.guests)


def test_a_sample_of_backups_is_tried(lab: labs.Lab, play: Play) -> None:
    names = grow(lab, 6)
    assert play(names).returncode == 0
    before = guests(lab)
    dry = play(names, "--check", playbook="verify_backups", backup_trial_sample=2)
    assert (dry.returncode, sum(changed(dry.stdout).values()), verdicts(lab)) == (0, 2, Counter()), dry.stdout[-3000:]
    done = play(names, playbook="verify_backups", backup_trial_sample=2)
    assert (done.returncode, verdicts(lab)) == (0, Counter(ok=2)), done.stdout[-3000:]
    tried = {host for host, count in changed(done.stdout).items() if count}
    assert tried == {host for host, count in changed(dry.stdout).items() if count}, "the dry run names those that are tried"
    assert guests(lab) == before
    again = play(names, playbook="verify_backups", backup_trial_sample=2)
    assert (again.returncode, sum(changed(again.stdout).values()), verdicts(lab)) == (0, 0, Counter(ok=2)), again.stdout[-3000:]
    rest = play(names, playbook="verify_backups")
    assert (rest.returncode, verdicts(lab), guests(lab)) == (0, Counter(ok=6), before), rest.stdout[-3000:]


def test_a_backup_that_fails_its_trial_is_told_and_the_others_are_tried(lab: labs.Lab, play: Play) -> None:
    names = grow(lab, 3)
    assert play(names).returncode == 0
    before = guests(lab)
    lab.fault("task-fails", type="vzrestore", text="archive is damaged", at="work")
    done = play(names, playbook="verify_backups")
    failed = re.findall(r"^(\S+)\s+:.*failed=1", done.stdout, re.MULTILINE)
    assert (done.returncode, len(failed)) == (2, 1), done.stdout[-3000:]
    said = " ".join(done.stdout.split())  # older Ansible breaks long lines
    assert f"of app {failed[0]} did not stand its trial" in said and "archive is damaged" in said
    assert (verdicts(lab), guests(lab)) == (Counter(ok=2, failed=1), before), "what was half restored is gone"
    (bad,) = (volume for volume in backups(lab) if "verdict=failed" in volume.notes)
    assert f"name={failed[0]}" in bad.notes
    again = play(names, playbook="verify_backups")
    assert (again.returncode, verdicts(lab)) == (0, Counter(ok=3)), again.stdout[-3000:]


def test_a_fleet_is_rebuilt_from_nothing_but_its_backups(lab: labs.Lab, pve: Pve, play: Play) -> None:
    """A dry run, then all of it; names, numbers, ports and owners, in the order of start; a second run does nothing."""
    names = grow(lab, 3)
    pve.put("/nodes/pve1/lxc/8100/config", startup="order=9")
    pve.put("/nodes/pve3/lxc/8102/config", startup="order=1")
    assert play(names).returncode == 0
    records = {vmid: record_of(pve, vmid) for vmid in (8100, 8101, 8102)}
    for vmid, record in records.items():
        pve.delete(f"/nodes/pve{vmid - 8099}/lxc/{vmid}", force=1)
        assert record["status"] == "running"
    while pve.get("/cluster/resources", type="vm"):
        time.sleep(0.02)
    dry = play(names, "--check", playbook="rebuild")
    assert (dry.returncode, pve.get("/cluster/resources", type="vm")) == (0, []), dry.stdout[-3000:]
    assert dry.stdout.count("changed: [home -> localhost]") == 3
    real = play(names, playbook="rebuild")
    assert real.returncode == 0, real.stdout[-3000:]
    assert re.findall(r"included: .*rebuild.yml for home => .*?(app-[0-9])", real.stdout) == ["app-2", "app-0", "app-1"]
    for vmid, before in records.items():
        after = record_of(pve, vmid)
        keys = ("app", "name", "vmid", "owner", "ports", "entry", "revision")
        assert {key: after[key] for key in keys} == {key: before[key] for key in keys}
        assert after["status"] == "running"
    again = play(names, playbook="rebuild")
    assert (again.returncode, sum(changed(again.stdout).values())) == (0, 0), again.stdout[-3000:]


def _params(lab: labs.Lab, names: list[str], **common: Any) -> dict[str, Any]:
    """Parameters of module proximity_backups for one cluster."""
    connection = {key.removeprefix("proximity_"): value for key, value in api_of(lab).items()}
    connection["ca_path"] = connection.pop("api_ca_path")
    apps = [{"name": name} for name in names]
    return {"common": common, "clusters": [{"connection": connection, "apps": apps}]}


def _batch(lab: labs.Lab, names: list[str], **common: Any) -> tuple[dict[str, Any], int, int]:
    """Module proximity_backups without the time that Ansible takes: its answer, and how many calls and polls that took."""
    before = len(lab.journal())
    answer = json.loads(begin_module("proximity_backups", _params(lab, names, **common)).communicate(timeout=280)[0])["answers"][0]
    calls = lab.journal()[before:]
    polls = sum(call.path.endswith("/status") and "/tasks/" in call.path for call in calls)
    return answer, len(calls) - polls, polls


def test_200_apps_on_4_nodes(lab: labs.Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = grow(lab, APPS)
    first, calls, polls = _batch(lab, names)
    assert (first["counts"]["changed"], first["failures"]) == (APPS, [])
    assert Counter(volume.vmid for volume in backups(lab)) == Counter(range(8100, 8100 + APPS))
    again, idle, _polls = _batch(lab, names)
    assert (again["changed"], len(backups(lab))) == (False, APPS)
    theirs = _calls_of_community(lab, tmp_path) if INSTALLED else None
    with capsys.disabled():
        other = "community.proxmox is not installed" if theirs is None else f"community.proxmox {theirs[0]} and {theirs[1]} polls"
        ours = f"{calls / APPS:.1f} and {polls / APPS:.1f} polls"
        print(f"\nAPI calls per backup: {ours}; {other}. Nothing due: {idle} calls for {APPS} apps.")
    assert calls / APPS <= 6.2
    assert idle <= 8


def _calls_of_community(lab: labs.Lab, folder: Path) -> tuple[int, int]:
    """What community.proxmox.proxmox_backup needs for one container: calls, and polls of the task."""
    token_id, _sign, secret = lab.tokens["root@pam!test"].partition("=")
    before, url = len(lab.journal()), urlsplit(lab.url)
    user, _bang, name = token_id.partition("!")
    task = {
        "api_host": "127.0.0.1",
        "api_port": url.port,
        "api_user": user,
        "api_token_id": name,
        "api_token_secret": secret,
        "validate_certs": False,
        "storage": "local",
        "backup_mode": "snapshot",
        "compress": "zstd",
        "mode": "include",
        "vmids": [8100],
        "wait": True,
    }
    book = folder / "community.yml"
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [{"community.proxmox.proxmox_backup": task}]}
    book.write_text(yaml.safe_dump([play]))
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "0"}
    words = [str(Path(sys.executable).with_name("ansible-playbook")), str(book)]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    calls = lab.journal()[before:]
    polls = sum("/tasks/" in call.path for call in calls)
    return len(calls) - polls, polls
