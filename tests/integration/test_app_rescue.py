"""An app on its way back to a backup, when what is unpacked over its container does not get there: nothing empty takes its place."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import lab as labs
import pytest
from integration.pve import Pve, Result, Run
from integration.updating import FAILED, UPDATED, assert_back, backups, report, settle, snapshots, update_that_fails

RESTORE = {"type": "vzrestore", "text": "no space left on device"}


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    with labs.start(seed="thin", guests="simulated") as server:
        yield server


@pytest.fixture
def made(app: Run) -> Result:
    return settle(app, app(storage="local-lxc"))


def _pools(pve: Pve) -> list[str]:
    return [row["poolid"] for row in pve.get("/pools")]


def _lose(app: Run, lab: labs.Lab) -> Result:
    """An update fails, and so does its way back, for as long as the storage is full: then the container is gone."""
    update = app(**UPDATED)
    lab.fault("task-fails", at="work", times=0, **RESTORE)
    lost = app(report=report(update, **FAILED), **UPDATED)
    lab.faults.clear()
    return lost


def test_restore_that_fails_once_is_tried_again(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    lab.fault("task-fails", at="work", **RESTORE)
    assert not update_that_fails(app).get("failed")
    assert lab.faults._faults[0].struck
    assert_back(app, pve, made)
    assert _pools(pve) == []


def test_app_that_is_lost_is_told_and_comes_back_with_the_next_run(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    before = pve.config(made["vmid"])
    lost = _lose(app, lab)
    archive = pve.get("/nodes/pve1/storage/local/content", content="backup")[0]["volid"]
    assert f"no space left on device. Container {made['vmid']} is gone, and all that is left of it is backup {archive}" in lost["msg"]
    assert pve.vmids() == []
    assert _pools(pve) == [f"px-restore-{made['vmid']}-hello"]
    check, real = app(check=True, **UPDATED), app(**UPDATED)
    assert [(step["verb"], step["kind"]) for step in real["plan"]] == [("restore", "guest"), ("start", "guest"), ("delete", "rescue")]
    assert [step["verb"] for step in check["plan"]] == [step["verb"] for step in real["plan"]]
    assert (check["app"]["status"], check["app"]["converge"]) == (real["app"]["status"], real["app"]["converge"]) == ("restoring", True)
    assert "all that is left of it is backup" in str(real["warnings"])
    assert "changed" in real and app(**UPDATED)["changed"] is False
    settled = app(report=report(real, healthy=True, restored=True), **UPDATED)
    assert "Update to revision" in settled["app"]["record"]["error"]
    assert_back(app, pve, made)
    assert _pools(pve) == []
    assert pve.config(made["vmid"])["net0"] == before["net0"]


def test_run_that_is_killed_while_there_is_no_container(
    app: Run, pve: Pve, lab: labs.Lab, process: Callable[..., Any], made: Result
) -> None:
    told = {**report(app(**UPDATED), **FAILED), "epoch": 0}
    hang = lab.fault("task-hangs", type="vzrestore", at="work", seconds=0)
    child = process(**UPDATED, report=told, take_over_lease=True)
    deadline = time.monotonic() + 30
    while not lab.faults._faults[0].struck and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lab.faults._faults[0].struck, hang
    child.kill()
    child.wait()
    (task,) = (task for task in lab.cluster.tasks.values() if task.running)
    pve.delete(f"/nodes/pve1/tasks/{task.upid}")
    deadline = time.monotonic() + 30
    while task.running and time.monotonic() < deadline:
        time.sleep(0.02)
    lab.faults.clear()
    with lab.cluster.lock:  # as Proxmox cleans up; a worker that is killed would leave the lock
        lab.cluster.guests.pop(made["vmid"], None)
    assert pve.vmids() == []
    assert not update_that_fails(app).get("failed")
    assert_back(app, pve, made)


def test_lost_app_can_be_given_up(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    _lose(app, lab)
    gone = app(state="absent", entry=False)
    assert [(step["verb"], step["kind"]) for step in gone["plan"]] == [("delete", "rescue")]
    assert app(state="absent", entry=False)["changed"] is False
    assert (_pools(pve), len(backups(pve))) == ([], 1), "its backup stays"
    assert app()["app"]["first"], "an empty app, since that was said"


def test_number_that_somebody_else_has_taken_is_told(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    _lose(app, lab)
    pve.make_guest(made["vmid"], hostname="other")
    result = app(**UPDATED)
    assert "Its number is that of guest" in result["msg"] and "on node pve1 now" in result["msg"]
    assert "proximity_backup (state: restored, name: hello" in result["msg"]
    assert pve.vmids() == [made["vmid"]]


def test_lock_that_a_dead_restore_leaves_is_told_at_once(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    update = app(**UPDATED)
    lab.fault("task-fails", at="begin", **RESTORE)
    app(report=report(update, **FAILED), **UPDATED)
    assert pve.config(made["vmid"])["lock"] == "create"
    began = time.monotonic()
    assert f"run `pct unlock {made['vmid']}` on that node" in app(**UPDATED)["msg"]
    assert time.monotonic() - began < 60
    del lab.cluster.guests[made["vmid"]].config["lock"]
    assert not update_that_fails(app).get("failed")
    assert_back(app, pve, made)


def test_snapshots_of_the_user_are_not_lost_to_a_backup(app: Run, pve: Pve, lab: labs.Lab) -> None:
    made = settle(app, app(storage="local-lvm"))
    pve.wait(pve.post(f"/nodes/pve1/lxc/{made['vmid']}/snapshot", snapname="before-christmas"))
    for check in (True, False):
        result = app(check=check, safety="backup", **UPDATED)
        assert "would go back to a backup, and lose its snapshots before-christmas" in result["msg"]
    assert pve.record(made["vmid"])["status"] == "running"
    assert app(**UPDATED)["app"]["rollout"]["safety"]["kind"] == "snapshot"


def test_snapshot_made_while_an_update_is_under_way_stops_the_way_back(app: Run, pve: Pve, lab: labs.Lab) -> None:
    made = settle(app, app(storage="local-lvm"))
    update = app(safety="backup", **UPDATED)
    pve.wait(pve.post(f"/nodes/pve1/lxc/{made['vmid']}/snapshot", snapname="by-hand"))
    result = app(report=report(update, **FAILED), **UPDATED)
    record = pve.record(made["vmid"])
    assert (result["app"]["status"], record["lease"]) == ("error", None)
    assert "It did not go back to its backup, since its snapshots by-hand would be lost." in record["error"]
    assert snapshots(pve, made["vmid"]) == ["by-hand"]


def test_token_that_may_make_no_pool_is_refused_before_anything_is_touched(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    pve.put("/access/acl", path="/pool", users="proximity@pve", roles="ProximityPools", delete=1)
    before = pve.config(made["vmid"])
    for check in (True, False):
        assert "Give it Pool.Allocate and Pool.Audit on /pool" in app(check=check, **UPDATED)["msg"]
    assert pve.config(made["vmid"]) == before
    assert app(safety="none", **UPDATED)["app"]["converge"]
