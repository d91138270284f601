"""Backups of an app on a lab with simulated guests: each state as check, real, check again and real again, looked at past our own code."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_backup
from integration.modules import Runner
from integration.pve import Pve, Result, Run

NAME = "hello"


@pytest.fixture(params=["demo", "demo84"])
def lab(request: pytest.FixtureRequest) -> Iterator[labs.Lab]:
    """Both versions that are supported."""
    with labs.start(seed=request.param, guests="simulated") as server:
        yield server


@pytest.fixture
def backup(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_backup, connection | {"name": NAME}, capsys, monkeypatch)


def volumes(pve: Pve) -> list[dict[str, Any]]:
    return list(pve.get("/nodes/pve1/storage/local/content", content="backup"))


def test_a_backup_is_made_once(backup: Runner, deployed: Result, pve: Pve) -> None:
    result = backup.four_times(notes="Before the move", protected=True)
    (volume,) = volumes(pve)
    assert result["backup"]["volume"] == volume["volid"]
    assert (result["backup"]["status"], result["backup"]["protected"], volume["protected"]) == ("completed", True, 1)
    assert (result["backup"]["app"], result["backup"]["entry"], result["backup"]["revision"]) == (NAME, "hello", deployed["revision"])
    notes = pve.get(f"/nodes/pve1/storage/local/content/{volume['volid']}")["notes"].split("\n")
    assert notes[0].startswith("proximity app=") and f"name={NAME}" in notes[0]
    assert notes[1:] == [f"App hello (hello 1.0.0, revision {deployed['revision']}), container {deployed['vmid']}", "Before the move"]


def test_an_old_one_is_not_good_enough(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    assert backup()["changed"]
    with lab.cluster.lock:
        made = next(volume for volume in lab.cluster.volumes.values() if volume.content == "backup")
        made.ctime -= 25 * 3600
    lab.advance(2)
    assert not backup(max_age="26h")["changed"]
    assert backup(max_age="24h")["changed"]
    assert len(volumes(pve)) == 2


def test_force_makes_one_now_each_time(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    for count in (1, 2):
        assert backup(force=True, check=True)["changed"]
        result = backup(force=True)
        assert result["changed"] and [step["verb"] for step in result["plan"]] == ["create"]
        assert len(volumes(pve)) == count
        lab.advance(2)


def test_without_waiting_a_later_run_picks_it_up(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    lab.fault("task-hangs", type="vzdump", seconds=20)
    begun = backup(wait=False)
    assert begun["changed"] and begun["backup"]["status"] == "creating"
    again = backup(wait=False)
    assert not again["changed"] and again["backup"]["task"] == begun["backup"]["task"]
    assert again["tasks"][0]["status"] == "creating"
    assert volumes(pve) == []
    lab.advance(30)
    last = backup()
    assert not last["changed"] and last["backup"]["status"] == "completed"
    assert len(volumes(pve)) == 1


def test_a_policy_keeps_what_proxmox_would_keep(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    for _number in range(5):
        backup(force=True)
        lab.advance(3700)
    backup(force=True, protected=True)
    dry = pve.get("/nodes/pve1/storage/local/prunebackups", vmid=deployed["vmid"], **{"prune-backups": "keep-last=2,keep-hourly=1"})
    doomed = {row["volid"] for row in dry if row["mark"] == "remove"}
    backup.four_times(state="absent", keep={"last": 2, "hourly": 1})
    left = {volume["volid"] for volume in volumes(pve)}
    assert left == {row["volid"] for row in dry} - doomed and doomed


def test_one_is_removed_by_its_volume(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    first, second = backup(force=True), (lab.advance(2), backup(force=True, protected=True))[1]
    refused = backup(state="absent", backup=second["backup"]["volume"])
    assert "is protected: it is not removed" in refused["msg"]
    backup.four_times(state="absent", backup=first["backup"]["volume"])
    assert [volume["volid"] for volume in volumes(pve)] == [second["backup"]["volume"]]


def test_the_list_tells_everything_from_the_storage_alone(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    backup(force=True)
    lab.advance(2)
    backup(force=True)
    lab.fault("task-fails", type="vzdump", text="no space left on device", at="work")
    failed = backup(force=True)
    assert "no space left on device" in failed["msg"]
    listed = backup(state="listed")
    assert not listed["changed"]
    assert [row["status"] for row in listed["backups"]] == ["completed", "completed"]
    told = listed["statistics"]
    assert (told["total"], told["completed"], told["failed"], told["in_progress"]) == (3, 2, 1, 0)
    assert told["by_app"][NAME]["total"] == 2 and told["newest"] > told["oldest"]
    assert "no space left on device" in listed["tasks"][0]["reason"]
    pve.delete(f"/nodes/pve1/lxc/{deployed['vmid']}", force=1)
    assert len(backup(state="listed")["backups"]) == 2


def test_back_in_its_place(backup: Runner, deployed: Result, pve: Pve, app: Run) -> None:
    vmid = deployed["vmid"]
    before = pve.config(vmid)
    made = backup()["backup"]["volume"]
    app(resources={"memory_mb": 512}, tags=["later"])
    assert "Set confirm: true" in backup(state="restored", backup=made)["msg"]
    result = backup.four_times(state="restored", backup=made, confirm=True)
    assert [f"{step['verb']} {step['kind']}" for step in result["plan"]] == [
        "update config",
        "stop guest",
        "create archive",
        "create rescue",
        "restore guest",
        "start guest",
        "delete rescue",
    ]
    after = pve.config(vmid)
    assert {key: after[key] for key in ("hostname", "net0", "memory")} == {key: before[key] for key in ("hostname", "net0", "memory")}
    assert after["tags"] == "hello;proximity", "what is not yet proven healthy announces no revision"
    record = pve.record(vmid)
    assert (record["status"], record["step"], record["restored"], record["vmid"]) == ("restoring", "start", made, vmid)
    assert (record["app"], record["ports"]) == (deployed["record"]["app"], deployed["record"]["ports"])
    assert result["app"]["status"] == "restoring" and result["app"]["converge"]
    assert result["backup"]["volume"] == made
    reported = app(entry=False, report={"vmid": vmid, "node": "pve1", "healthy": True})
    assert (reported["app"]["status"], pve.config(vmid)["tags"]) == ("running", before["tags"])
    assert not backup(state="restored", backup=made, confirm=True)["changed"]
    kinds = [row["kind"] for row in backup(state="listed")["backups"]]
    assert sorted(kinds) == ["backup", "safety"]


def test_after_the_container_was_destroyed(backup: Runner, deployed: Result, pve: Pve, app: Run) -> None:
    vmid, before = deployed["vmid"], pve.config(deployed["vmid"])
    made = backup()["backup"]["volume"]
    app(state="absent", entry=False)
    assert pve.vmids() == []
    result = backup.four_times(state="restored", backup="latest")
    after = pve.config(vmid)
    assert {key: after[key] for key in ("hostname", "net0", "memory")} == {key: before[key] for key in ("hostname", "net0", "memory")}
    assert pve.record(vmid)["app"] == deployed["record"]["app"]
    assert (result["app"]["vmid"], pve.record(vmid)["restored"]) == (vmid, made)


def test_as_a_new_app(backup: Runner, deployed: Result, pve: Pve) -> None:
    made = backup()["backup"]["volume"]
    result = backup.four_times(state="restored", backup=made, restore_as="second")
    vmid = result["app"]["vmid"]
    old, new, record = pve.config(deployed["vmid"]), pve.config(vmid), pve.record(vmid)
    assert vmid != deployed["vmid"] and (new["hostname"], record["name"], record["vmid"]) == ("second", "second", vmid)
    assert re.search("hwaddr=([^,]+)", new["net0"])[1] != re.search("hwaddr=([^,]+)", old["net0"])[1]  # type: ignore[index]
    assert record["ports"] == {"public": vmid, "internal": vmid + 1000} and record["app"] != deployed["record"]["app"]
    assert (record["status"], record["source"]["name"], record["revision"]) == ("restoring", NAME, "")
    assert pve.record(deployed["vmid"])["status"] == "running"


def test_one_of_another_app_is_refused(backup: Runner, deployed: Result, app: Run, pve: Pve) -> None:
    other = app(name="other")["app"]
    app(name="other", report={"vmid": other["vmid"], "node": "pve1", "healthy": True})
    theirs = backup(name="other")["backup"]["volume"]
    for check in (True, False):
        refused = backup(state="restored", backup=theirs, confirm=True, check=check)
        assert f"Backup {theirs} is of another app, other: it is not restored over app hello." in refused["msg"]
        kept = backup(state="absent", backup=theirs, check=check)
        assert "is of app other, not of app hello: it is not removed" in kept["msg"]
    assert json.dumps(pve.record(deployed["vmid"])["status"]) == '"running"'


def test_one_that_cannot_be_unpacked_leaves_the_app_as_it_was(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    vmid, made = deployed["vmid"], backup()["backup"]["volume"]
    lab.fault("task-fails", type="vzrestore", text="tar: Unexpected EOF in archive", at="work")
    failed = backup(state="restored", backup=made, confirm=True)
    assert "tar: Unexpected EOF in archive" in failed["msg"]
    assert "What it held before is back, from its safety backup" in failed["msg"] or "The app is as it was" in failed["msg"]
    assert pve.vmids() == [vmid] and pve.status(vmid) == "running"
    assert pve.record(vmid)["app"] == deployed["record"]["app"]


def test_the_verdict_of_a_trial_is_kept_with_the_backup(backup: Runner, deployed: Result, pve: Pve) -> None:
    made = backup(notes="Mine")["backup"]["volume"]
    item = f"/nodes/pve1/storage/local/content/{made}"
    before = pve.get(item)["notes"].split("\n")
    result = backup.four_times(state="proven", backup=made, verdict="ok")
    after = pve.get(item)["notes"].split("\n")
    assert after[1:] == before[1:] and "verdict=ok" in after[0] and "proven=2" in after[0]
    (row,) = backup(state="listed")["backups"]
    assert (row["verdict"], row["app"], bool(row["proven"])) == ("ok", NAME, True)
    assert result["backup"]["volume"] == made
    assert backup(state="proven", backup=made, verdict="failed")["changed"]
    assert backup(state="listed")["statistics"]["proven"] == 0
