"""Updates on simulated guests: safety points of both kinds, the way back, and what is left when something breaks on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import lab as labs
import pytest
from integration.pve import Pve, Result, Run
from integration.updating import (
    FAILED,
    UPDATED,
    assert_back,
    at_rest,
    come_back,
    points,
    report,
    settle,
    snapshots,
    update_that_fails,
)

STORAGES = {"snapshot": "local-lvm", "backup": "local-lxc"}
CALLS = 19
"""What an update that fails and its way back take, without what they repeat while they wait."""


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    with labs.start(seed="thin", guests="simulated") as server:
        yield server


@pytest.fixture(params=STORAGES)
def kind(request: pytest.FixtureRequest) -> str:
    """What the safety point is: the storage decides."""
    return str(request.param)


@pytest.fixture
def made(app: Run, kind: str) -> Result:
    return settle(app, app(storage=STORAGES[kind]))


def test_update_has_a_safety_point_and_keeps_it(app: Run, pve: Pve, made: Result, kind: str) -> None:
    check, real = app(check=True, **UPDATED), app(**UPDATED)
    made_of = {"backup": "safety-backup"}.get(kind, kind)
    assert [(step["verb"], step["kind"]) for step in real["plan"]] == [("update", "config"), ("create", made_of)]
    assert [step["verb"] for step in check["plan"]] == [step["verb"] for step in real["plan"]]
    (point,) = pve.record(made["vmid"])["safety"]
    assert (point["kind"], point["open"], point["revision"]) == (kind, True, made["revision"])
    assert points(pve, made["vmid"]) == [point["name"]]
    update = real["app"]["rollout"]
    assert update["revision"] == {"from": made["revision"], "to": real["app"]["revision"]}
    assert update["safety"] == {"kind": kind, "name": point["name"]}
    assert app(**UPDATED)["changed"] is False, "the same run goes on with it"
    settled = settle(app, real, **UPDATED)
    record = pve.record(made["vmid"])
    assert (settled["status"], record["lease"]) == ("running", None)
    assert [(each["name"], "open" in each) for each in record["safety"]] == [(point["name"], False)]
    assert app(**UPDATED)["changed"] is False


def test_failed_update_comes_back(app: Run, pve: Pve, made: Result) -> None:
    before = pve.config(made["vmid"])
    update = app(**UPDATED)
    back = come_back(app, update, **UPDATED)
    record, config = pve.record(made["vmid"]), pve.config(made["vmid"])
    assert at_rest(record) == ("running", None, made["revision"], made["revision"])
    assert record["failed"] == update["app"]["revision"]
    assert record["error"] == (
        f"Update to 1.0.0 ({update['app']['revision']}) failed in step 'health': no answer. It came back to 1.0.0 ({made['revision']})."
    )
    assert back["app"]["status"] == pve.status(made["vmid"]) == "running"
    assert {key: config[key] for key in ("net0", "tags", "memory", "hostname")} == {
        key: before[key] for key in ("net0", "tags", "memory", "hostname")
    }
    assert app()["changed"] is False, "the old revision is as wished"


def test_failed_update_is_tried_three_times(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    for _attempt in range(3):
        lab.advance(60)
        come_back(app, app(**UPDATED), **UPDATED)
    refused, check = app(**UPDATED), app(check=True, **UPDATED)
    assert "is not tried again after 3 attempts. Update to 1.0.0" in refused["msg"]
    assert check["msg"] == refused["msg"]
    assert pve.record(made["vmid"])["status"] == "running"
    assert len(points(pve, made["vmid"])) <= 2
    assert app(update_attempts=4, **UPDATED)["app"]["converge"]


def test_previous_revision_that_is_not_healthy_either(app: Run, pve: Pve, made: Result) -> None:
    update = app(**UPDATED)
    app(report=report(update, **FAILED))
    result = app(report=report(update, healthy=False, restored=True, step="prove", error="nothing answers."))
    record = pve.record(made["vmid"])
    assert (result["app"]["status"], record["status"], record["lease"]) == ("error", "error", None)
    assert "failed in step 'health': no answer. The previous revision did not become healthy either" in record["error"]
    assert "in step 'prove': nothing answers." in record["error"]
    assert pve.vmids() == [made["vmid"]]
    assert app(**UPDATED)["app"]["converge"], "it is tried again"


def test_old_points_go(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    for number in range(4):
        lab.advance(60)
        wish = {"options": {"greeting": f"number {number}"}}
        settle(app, app(**wish), **wish)
    names = [point["name"] for point in pve.record(made["vmid"])["safety"]]
    assert len(names) == 2
    assert points(pve, made["vmid"]) == sorted(names)


def test_point_that_cannot_be_removed_is_a_warning(app: Run, pve: Pve, lab: labs.Lab, made: Result, kind: str) -> None:
    vmid = made["vmid"]
    for number in range(2):
        wish = {"options": {"greeting": f"number {number}"}, "safety_keep": 1}
        if number:
            lab.fault("500", method="DELETE", times=0, reason="no such luck")
        result = app(**wish)
        assert not result.get("failed"), result["msg"]
        settle(app, result, **wish)
    assert "500 no such luck" in str(result["warnings"]) and "It is left for the next run." in str(result["warnings"])
    lab.faults.clear()
    assert len(points(pve, vmid)) == len(pve.record(vmid)["safety"]) == 2
    tidied = app(**wish)
    assert [step["verb"] for step in tidied["plan"]] == ["delete", "update"]
    assert points(pve, vmid) == [pve.record(vmid)["safety"][0]["name"]]
    assert app(**wish)["changed"] is False


def test_snapshot_that_fails_leaves_the_app_as_it_was_and_says_so(app: Run, pve: Pve, lab: labs.Lab) -> None:
    made = settle(app, app(storage="local-lvm"))
    lab.fault("task-fails", type="vzsnapshot", text="thin pool is full")
    result = app(**UPDATED)
    assert result["msg"] == f"Cannot create snapshot {made['vmid']} on node pve1: thin pool is full."
    record = pve.record(made["vmid"])
    assert (record["status"], record["step"], record["lease"], record["revision"]) == ("error", "create", None, made["revision"])
    again = app(**UPDATED)
    assert again["app"]["converge"]
    settle(app, again, **UPDATED)
    assert snapshots(pve, made["vmid"]) == [point["name"] for point in pve.record(made["vmid"])["safety"]]


def test_update_takes_twelve_calls(app: Run, lab: labs.Lab) -> None:
    made = settle(app, app(storage="local-lvm"))
    lab.journal_book.clear()
    update = app(**UPDATED)
    settle(app, update, **UPDATED)
    calls = [f"{call.method} {call.path.replace(str(made['vmid']), 'V').replace('/nodes/pve1/lxc/', '')}" for call in lab.journal()]
    look = ["GET /cluster/resources", "GET V/pending", "GET V/interfaces"]
    assert [call for call in calls if "/tasks/" not in call] == [
        *(*look, "GET V/feature", "PUT V/config", "POST V/snapshot"),
        *(*look, "GET V/snapshot"),  # whether it is as wished, and can be gone back to
        *("GET V/pending", "PUT V/config"),
    ]


def test_overtaken_run_is_refused(app: Run, pve: Pve, lab: labs.Lab, made: Result) -> None:
    """Its lease ended, another run took over and finished; what it tells and does afterwards does not count."""
    update = app(**UPDATED)
    stale = report(update, healthy=True)
    settle(app, update, **UPDATED)
    before = pve.config(made["vmid"])
    hold = app(hold={key: stale[key] for key in ("vmid", "node", "epoch")})
    failed = app(report={**stale, **FAILED})
    for result in (hold, failed):
        assert "another run took over" in result["msg"]
    assert app(report=stale, **UPDATED)["changed"] is False, "the same again is no harm"
    assert pve.config(made["vmid"]) == before


def test_lease_is_renewed(app: Run, pve: Pve, made: Result) -> None:
    update = app(timeouts={"lease_s": 100}, **UPDATED)
    until = pve.record(made["vmid"])["lease"]["until"]
    hold = {key: value for key, value in report(update).items() if key in ("vmid", "node", "epoch")}
    assert app(hold=hold, timeouts={"lease_s": 100})["changed"] is False
    renewed = app(hold=hold, timeouts={"lease_s": 3600})
    assert renewed["changed"] and pve.record(made["vmid"])["lease"]["until"] > until
    assert renewed["calls"]["reads"] + renewed["calls"]["writes"] == 2


def test_storage_without_snapshots_and_backups_is_refused(app: Run, pve: Pve, lab: labs.Lab) -> None:
    made = settle(app, app(storage="local-lxc"))
    before = pve.config(made["vmid"])
    assert "storage local-lxc takes no snapshots. Set safety: backup" in app(safety="snapshot", **UPDATED)["msg"]
    lab.cluster.storages["local"].content.remove("backup")
    assert "and node pve1 has no storage for backups. Set safety: none" in app(check=True, **UPDATED)["msg"]
    assert pve.config(made["vmid"]) == before
    assert app(safety="none", **UPDATED)["app"]["rollout"]["safety"] is None


@pytest.mark.parametrize("nth", range(1, CALLS + 1))
@pytest.mark.parametrize("fault", ["reset", "reset-after", "status"])
def test_after_any_fault_of_a_failing_update_one_more_run_ends_it(app: Run, pve: Pve, lab: labs.Lab, fault: str, nth: int) -> None:
    """Each call of the update and of the way back in turn."""
    made = settle(app, app(storage="local-lvm"))
    arguments = {"status": 500, "reason": "something broke"} if fault == "status" else {}
    lab.fault(fault, path="(?!.*/tasks/).*", nth=nth, **arguments)
    update_that_fails(app)
    assert lab.faults._faults[0].struck, "there are fewer calls than this test counts"
    lab.faults.clear()
    assert pve.vmids() == [made["vmid"]]
    result = update_that_fails(app)
    assert not result.get("failed"), result
    assert_back(app, pve, made)


WRITES = {
    "record": ("PUT", ".*/config"),
    "snapshot": ("POST", ".*/snapshot"),
    "backup": ("POST", ".*/vzdump"),
    "rollback": ("POST", ".*/rollback"),
    "stop": ("POST", ".*/shutdown"),
    "restore": ("POST", "/nodes/pve1/lxc"),
    "start": ("POST", ".*/status/start"),
    "begin": ("POST", "/pools"),
    "end": ("DELETE", "/pools/px-restore-.*"),
}
BOUNDARIES = {
    "snapshot": {"update": ("record", "snapshot"), "way back": ("record", "rollback", "start")},
    "backup": {"update": ("record", "backup"), "way back": ("record", "begin", "stop", "restore", "start", "end")},
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("kind", "phase", "write"),
    [(kind, phase, write) for kind, phases in BOUNDARIES.items() for phase, all_ in phases.items() for write in all_],
)
def test_killed_at_any_step(
    app: Run, pve: Pve, lab: labs.Lab, process: Callable[..., Any], made: Result, phase: str, write: str, moment: str
) -> None:
    """A process that is gone before a write has an effect, or right after it, before it hears of that."""
    told = {} if phase == "update" else {"report": {**report(app(**UPDATED), **FAILED), "epoch": 0}, "take_over_lease": True}
    method, path = WRITES[write]
    fault = lab.fault("timeout" if moment == "before" else "timeout-after", method=method, path=f"{path}$", seconds=120)
    child = process(**UPDATED, **told)
    deadline = time.monotonic() + 30
    while not lab.faults._faults[0].struck and time.monotonic() < deadline:
        time.sleep(0.02)
    assert lab.faults._faults[0].struck, fault
    child.kill()
    child.wait()
    lab.faults.clear()
    assert update_that_fails(app).get("failed") is None
    assert_back(app, pve, made)
