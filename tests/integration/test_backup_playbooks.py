"""Trials and rebuilds as playbooks, on simulated guests: what is no verdict, what a trial is tied to, what a killed rebuild has left."""

from __future__ import annotations

import time
from pathlib import Path

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_backup
from faults.play import run_of_ansible
from integration.backup_plays import Play, backups, changed, grow, play_in, record_of
from integration.pve import Pve


@pytest.fixture
def play(lab: labs.Lab, tmp_path: Path) -> Play:
    return play_in(lab, tmp_path)


def test_a_trial_has_no_cable_at_any_of_its_interfaces(lab: labs.Lab, pve: Pve, play: Play) -> None:
    names = grow(lab, 1)
    pve.put("/nodes/pve1/lxc/8100/config", net1="name=eth1,bridge=vmbr0,ip=10.9.0.5/24,gw=10.9.0.1,hwaddr=BC:24:11:0A:0B:0C")
    assert play(names).returncode == 0
    assert play(names, playbook="verify_backups").returncode == 0
    (call,) = (entry for entry in lab.journal("POST", "/lxc") if entry.params.get("restore"))
    assert "verdict=ok" in backups(lab)[0].notes
    first, second = (dict(part.split("=", 1) for part in str(call.params[name]).split(",")) for name in ("net0", "net1"))
    assert (first["link_down"], first["ip"], "gw" in first) == ("1", "192.0.2.2/30", False)
    assert (second["link_down"], second["ip"], "gw" in second) == ("1", "manual", False)
    assert "BC:24:11:0A:0B:0C" not in str(call.params)


def test_a_trial_that_does_not_come_about_is_no_verdict(lab: labs.Lab, play: Play) -> None:
    names = grow(lab, 1)
    assert play(names).returncode == 0
    done = play(names, "-e", "backup_disk_storage=nowhere", playbook="verify_backups")
    said = " ".join(done.stdout.split()).replace("''", "'")  # older Ansible quotes what it shows
    assert done.returncode == 2 and "of app app-0 could not be tried, at 'Restore the backup beside the app'" in said, done.stdout[-3000:]
    assert "has no storage 'nowhere'" in said
    assert "verdict" not in backups(lab)[0].notes


@pytest.mark.parametrize(
    ("fault", "what"),
    [
        ("500", {"method": "POST", "path": "/nodes/pve1/lxc", "reason": "storage 'local-lxc' is not online"}),
        ("task-fails", {"type": "vzrestore", "text": "No space left on device", "at": "work"}),
        ("task-fails", {"type": "vzrestore", "text": "interrupted by signal", "at": "work"}),
    ],
    ids=["refused", "full", "stopped"],
)
def test_what_befalls_a_trial_while_it_is_restored_is_no_verdict(lab: labs.Lab, play: Play, fault: str, what: dict[str, str]) -> None:
    names = grow(lab, 1)
    assert play(names).returncode == 0
    lab.fault(fault, **what)
    done = play(names, playbook="verify_backups")
    said = " ".join(done.stdout.split()).replace("''", "'")
    assert done.returncode == 2 and "of app app-0 could not be tried, at 'Restore the backup beside the app'" in said, done.stdout[-3000:]
    assert (what.get("reason") or what["text"]) in said
    assert "verdict" not in backups(lab)[0].notes
    with lab.cluster.lock:
        assert sorted(lab.cluster.guests) == [8100], "what was half restored is gone"


def test_an_app_that_a_killed_rebuild_has_not_proven_is_proven(lab: labs.Lab, pve: Pve, play: Play) -> None:
    names = grow(lab, 2)
    assert play(names).returncode == 0
    for number in range(2):
        pve.delete(f"/nodes/pve{number + 1}/lxc/{8100 + number}", force=1)
    while pve.get("/cluster/resources", type="vm"):
        time.sleep(0.02)
    with run_of_ansible(lab) as killed:
        assert killed.task(proximity_backup, name="app-0", state="restored", backup="latest")["changed"]
    assert record_of(pve, 8100)["status"] == "restoring"
    done = play(names, playbook="rebuild")
    assert done.returncode == 0, done.stdout[-3000:]
    assert [record_of(pve, 8100 + number)["status"] for number in range(2)] == ["running", "running"]
    again = play(names, playbook="rebuild")
    assert (again.returncode, sum(changed(again.stdout).values())) == (0, 0), again.stdout[-3000:]
