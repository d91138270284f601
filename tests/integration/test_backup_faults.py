"""Backups and restores that go wrong, each call and each step of them: nothing is lost, and one more run finishes the work."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_backup
from integration.modules import Runner, begin_module
from integration.pve import Pve, Result, Run

NAME = "hello"
WRITES = ("POST", "PUT", "DELETE")


@dataclass(frozen=True)
class Job:
    """One of the things that are done with backups; `ready` makes what it needs and answers its parameters.

    Backups of so many hours ago are there before; `keeps` is how many of them are to be there afterwards.
    """

    ready: Callable[[Runner, Run, int], dict[str, Any]]
    calls: tuple[str, ...]
    hours_ago: tuple[int, ...] = ()
    keeps: int = 0


def _make(backup: Runner, app: Run, vmid: int) -> dict[str, Any]:
    return {"keep": {"last": 1}, "max_age": "1h"}


def _prune(backup: Runner, app: Run, vmid: int) -> dict[str, Any]:
    return {"keep": {"last": 2}, "max_age": "1h"}


def _restore(backup: Runner, app: Run, vmid: int) -> dict[str, Any]:
    return {"state": "restored", "backup": backup()["backup"]["volume"], "confirm": True}


def _revive(backup: Runner, app: Run, vmid: int) -> dict[str, Any]:
    made = backup()["backup"]["volume"]
    app(state="absent", entry=False)
    return {"state": "restored", "backup": made}


def _copy(backup: Runner, app: Run, vmid: int) -> dict[str, Any]:
    return {"state": "restored", "backup": backup()["backup"]["volume"], "restore_as": "second"}


JOBS = {
    "make": Job(_make, ("GET resources", "GET pending", "GET content", "GET active", "POST vzdump", "GET status")),
    "prune": Job(_prune, ("GET content", "POST vzdump", "DELETE content"), hours_ago=(4, 3, 2), keeps=1),
    "restore": Job(_restore, ("PUT config", "POST shutdown", "POST vzdump", "POST lxc", "POST start")),
    "revive": Job(_revive, ("POST lxc", "POST start")),
    "copy": Job(_copy, ("POST lxc", "POST start")),
}
CALLS = [(job, call) for job, each in JOBS.items() for call in each.calls]
CALLS_THAT_WRITE = [(job, call) for job, call in CALLS if call.startswith(WRITES)]
PATHS = {
    "resources": "/cluster/resources$",
    "pending": "/pending$",
    "content": "/content(/.*)?$",
    "active": "/nodes/pve1/tasks$",
    "status": "/tasks/.*/status$",
    "vzdump": "/vzdump$",
    "config": "/config$",
    "shutdown": "/status/shutdown$",
    "lxc": "/nodes/pve1/lxc$",
    "start": "/status/start$",
}


@pytest.fixture
def backup(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_backup, connection | {"name": NAME}, capsys, monkeypatch)


def archives(pve: Pve) -> list[dict[str, Any]]:
    return list(pve.get("/nodes/pve1/storage/local/content", content="backup"))


def ready(job: Job, lab: labs.Lab, backup: Runner, app: Run, vmid: int) -> dict[str, Any]:
    for hours in job.hours_ago:
        lab.advance(-3600 * hours)
        assert backup(force=True)["changed"]
        lab.advance(3600 * hours)
    params = job.ready(backup, app, vmid)
    lab.advance(2)
    return params


def times_called(lab: labs.Lab, method: str, path: str) -> int:
    return sum(re.search(path, call.path) is not None for call in lab.journal(method))


def settle(pve: Pve) -> None:
    """Wait until no task runs any more: those of a killed run go on by themselves."""
    deadline = time.monotonic() + 20
    while any("endtime" not in task for task in pve.get("/cluster/tasks")):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def nothing_is_lost(pve: Pve, vmid: int, before: set[str], existed: bool) -> None:
    """Whatever happened: all backups are there, and what the app held is in its container or in a safety backup."""
    now = archives(pve)
    assert before <= {row["volid"] for row in now}
    if existed and vmid not in pve.vmids():
        assert any("kind=safety" in row.get("notes", "") for row in now)
    for each in pve.vmids():
        if pve.record(each).get("restored"):
            assert pve.record(each)["status"] != "running", "nobody has proven it healthy"


def is_done(job: str, pve: Pve, vmid: int, params: dict[str, Any]) -> None:
    """One container for each app, none beside them; its record says what it holds; no second safety backup."""
    now = archives(pve)
    labels = [row.get("notes", "") for row in now]
    if job in ("make", "prune"):
        assert pve.vmids() == [vmid] and len(now) == 1 + JOBS[job].keeps
        return
    records = {each: pve.record(each) for each in pve.vmids()}
    assert len(records) == (2 if job == "copy" else 1)
    (restored,) = (record for record in records.values() if record.get("restored"))
    assert (restored["restored"], restored["status"], restored["step"]) == (params["backup"], "restoring", "start")
    assert sum("kind=safety" in label for label in labels) == (1 if job == "restore" else 0)
    assert all(pve.status(each) == "running" for each in records)
    assert job == "copy" or list(records) == [vmid]


@pytest.mark.parametrize("kind", ["reset", "reset-after", "500", "596-after"])
@pytest.mark.parametrize(("job", "call"), CALLS, ids=lambda value: value.replace(" ", "-"))
def test_each_call_that_fails(backup: Runner, app: Run, deployed: Result, pve: Pve, lab: labs.Lab, job: str, call: str, kind: str) -> None:
    vmid, params = deployed["vmid"], ready(JOBS[job], lab, backup, app, deployed["vmid"])
    before, existed = {row["volid"] for row in archives(pve)}, vmid in pve.vmids()
    method, _blank, path = call.partition(" ")
    lab.fault(kind, method=method, path=f".*{PATHS[path]}")
    result = backup(**params)
    assert any(entry.fault for entry in lab.journal()), "the call was made"
    settle(pve)
    nothing_is_lost(pve, vmid, before if not JOBS[job].hours_ago else set(), existed)
    lab.faults.clear()
    if result.get("failed"):
        assert "Traceback" not in result["msg"] and len(result["msg"]) < 900
        result = backup(**params)
    assert not result.get("failed"), result["msg"]
    is_done(job, pve, vmid, params)
    again = backup(**params)
    assert (again.get("failed", False), again["changed"]) == (False, False)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("job", "call"), CALLS_THAT_WRITE, ids=lambda value: value.replace(" ", "-"))
def test_kill_at_each_call(
    backup: Runner, app: Run, connection: dict[str, Any], deployed: Result, pve: Pve, lab: labs.Lab, job: str, call: str, moment: str
) -> None:
    """The process is killed while the answer is on its way: the call has had its effect, or has not."""
    vmid, params = deployed["vmid"], ready(JOBS[job], lab, backup, app, deployed["vmid"])
    before, existed = {row["volid"] for row in archives(pve)}, vmid in pve.vmids()
    method, _blank, path = call.partition(" ")
    seen = times_called(lab, method, PATHS[path])
    lab.fault("timeout-after" if moment == "after" else "timeout", method=method, path=f".*{PATHS[path]}", seconds=2)
    child = begin_module("proximity_backup", {**connection, "name": NAME, **params})
    deadline = time.monotonic() + 30
    while times_called(lab, method, PATHS[path]) == seen and child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    child.kill()
    child.communicate()
    lab.faults.clear()
    settle(pve)
    nothing_is_lost(pve, vmid, before if not JOBS[job].hours_ago else set(), existed)
    result = backup(**params)
    assert not result.get("failed"), result["msg"]
    is_done(job, pve, vmid, params)
    assert not backup(**params)["changed"]


@pytest.mark.parametrize("type_", ["vzdump", "vzrestore", "vzshutdown"])
def test_kill_in_the_midst_of_a_task(
    backup: Runner, app: Run, connection: dict[str, Any], deployed: Result, pve: Pve, lab: labs.Lab, type_: str
) -> None:
    """The task goes on, since it is Proxmox's; the next run waits for it and does not begin another."""
    params = _restore(backup, app, deployed["vmid"])
    lab.advance(2)
    lab.fault("task-hangs", type=type_, seconds=3)
    child = begin_module("proximity_backup", {**connection, "name": NAME, **params})
    deadline = time.monotonic() + 30
    while not any(task["type"] == type_ and "endtime" not in task for task in pve.get("/cluster/tasks")):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    child.communicate()
    result = backup(**params)
    assert not result.get("failed"), result["msg"]
    is_done("restore", pve, deployed["vmid"], params)


def test_storage_that_fills_up(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    lab.fault("task-fails", type="vzdump", text="zstd: error 70 : Write error : No space left on device", at="work")
    failed = backup()
    assert "No space left on device" in failed["msg"] and archives(pve) == []
    assert pve.status(deployed["vmid"]) == "running"
    listed = backup(state="listed")
    assert listed["statistics"]["failed"] == 1 and "No space left" in listed["tasks"][0]["reason"]
    assert backup()["changed"] and len(archives(pve)) == 1


def test_storage_that_is_full_before_a_restore(backup: Runner, app: Run, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    """The safety backup fails, so nothing is destroyed, and the app goes on as it was."""
    params = _restore(backup, app, deployed["vmid"])
    lab.fault("task-fails", type="vzdump", text="No space left on device", at="work")
    failed = backup(**params)
    assert "No space left on device" in failed["msg"] and "The app is as it was." in failed["msg"]
    record = pve.record(deployed["vmid"])
    assert (record["status"], pve.status(deployed["vmid"]), record.get("restored", "")) == ("running", "running", "")
    assert not app(entry=False)["changed"]


def test_guest_that_another_backup_holds(backup: Runner, deployed: Result, pve: Pve, lab: labs.Lab) -> None:
    lab.fault("backup-lock", vmid=deployed["vmid"], seconds=2)
    waited = backup()
    assert waited["changed"] and len(archives(pve)) == 1
    lab.fault("backup-lock", vmid=deployed["vmid"], seconds=60)
    told = backup(force=True, wait=False)
    assert not told["changed"]
    restored = backup(state="restored", backup=waited["backup"]["volume"], confirm=True, timeouts={"backup_s": 1})
    assert "is being backed up or restored" in restored["msg"]


@pytest.mark.parametrize("at", ["work", "end"])
def test_archive_that_is_cut_off(backup: Runner, app: Run, deployed: Result, pve: Pve, lab: labs.Lab, at: str) -> None:
    vmid, params = deployed["vmid"], _restore(backup, app, deployed["vmid"])
    lab.advance(2)
    lab.fault("task-fails", type="vzrestore", text="tar: Unexpected EOF in archive", at=at)
    failed = backup(**params)
    assert "Unexpected EOF" in failed["msg"]
    assert pve.vmids() == [vmid] and pve.status(vmid) == "running"
    record = pve.record(vmid)
    if at == "work":
        assert "What it held before is back, from its safety backup" in failed["msg"]
        assert record["status"] == "restoring" and "kind=safety" in next(
            row["notes"] for row in archives(pve) if row["volid"] == record["restored"]
        )
    app(entry=False, report={"vmid": vmid, "node": "pve1", "healthy": True})
    assert pve.record(vmid)["status"] == "running"


@pytest.mark.parametrize("type_", ["vzdump", "vzrestore"])
def test_node_that_goes_down(backup: Runner, app: Run, deployed: Result, pve: Pve, lab: labs.Lab, type_: str) -> None:
    vmid, params = deployed["vmid"], _restore(backup, app, deployed["vmid"])
    lab.advance(2)
    before = {row["volid"] for row in archives(pve)}
    path = PATHS["vzdump"] if type_ == "vzdump" else PATHS["lxc"]
    lab.fault("refuse-after", method="POST", path=f".*{path}", seconds=4)
    failed = backup(**params, api_retry_s=1)
    assert failed["failed"] and "Traceback" not in failed["msg"]
    lab.faults.clear()
    settle(pve)
    nothing_is_lost(pve, vmid, before, existed=True)
    result = backup(**params)
    assert not result.get("failed"), result["msg"]
    is_done("restore", pve, vmid, params)
