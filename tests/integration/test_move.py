"""Apps that go from node to node, on three simulated ones: what it takes, and what is left when something goes wrong."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import lab as labs
import pytest
from integration.pve import Pve, Result, Run

Begin = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    with labs.start(seed="fleet", guests="simulated") as server:
        yield server


@pytest.fixture
def here(app: Run) -> Result:
    """The app `hello`, running on node pve1 with a local disk."""
    made = app(node="pve1", storage="local-lxc")["app"]
    return dict(app(report={"vmid": made["vmid"], "node": "pve1", "healthy": True, "address": made["address"]})["app"])


def _move(app: Run, node: str = "pve2", **params: Any) -> Result:
    return app(**{"entry": False, "node": node, "restart": "allowed", **params})


def _where(pve: Pve, vmid: int) -> tuple[str, str]:
    (row,) = [row for row in pve.get("/cluster/resources", type="vm") if row["vmid"] == vmid]
    return row["node"], pve.get(f"/nodes/{row['node']}/lxc/{vmid}/status/current")["status"]


def _config(pve: Pve, vmid: int, node: str) -> dict[str, Any]:
    return {key: value for key, value in pve.get(f"/nodes/{node}/lxc/{vmid}/config").items() if key != "digest"}


def test_running_app_moves_check_and_real_and_again(app: Run, pve: Pve, lab: labs.Lab, here: Result) -> None:
    before = _config(pve, here["vmid"], "pve1")
    told = app(entry=False, node="pve2")
    assert (told["changed"], told["app"]["node"]) == (False, "pve1")
    assert "it moves to pve2 with restart: allowed" in str(told["warnings"])
    check, real, check_again, real_again = (_move(app, check=check) for check in (True, False, True, False))
    assert (check["plan"], check["diff"], check["changed"]) == (real["plan"], real["diff"], True)
    assert ([step["verb"] for step in real["plan"]], check["app"]["node"], real["app"]["node"]) == (["move"], "pve2", "pve2")
    assert (check_again["changed"], real_again["changed"]) == (False, False)
    assert _where(pve, here["vmid"]) == ("pve2", "running")
    assert _config(pve, here["vmid"], "pve2") == before
    assert (real["app"]["address"], real["app"]["ports"]) == (here["address"], here["ports"])


def test_calls_of_a_move(app: Run, lab: labs.Lab, here: Result) -> None:
    """Six reads and one write beyond polls; then the three of another look, since the app was there before."""
    lab.journal_book.clear()
    _move(app)
    journal = [entry for entry in lab.journal() if not re.search(r"/tasks/UPID", entry.path)]
    calls = [f"{entry.method} {re.sub(r'[0-9]{4}', 'V', entry.path)}".replace("/pending", "/config") for entry in journal]
    planned, rest = calls[:7], calls[7:]
    assert planned == [
        "GET /cluster/resources",
        "GET /nodes/pve1/lxc/V/config",
        "GET /nodes/pve1/lxc/V/interfaces",
        "GET /nodes/pve2/network",
        "GET /nodes/pve1/lxc/V/snapshot",
        "GET /nodes/pve1/tasks",
        "POST /nodes/pve1/lxc/V/migrate",
    ]
    assert {call for call in rest if not call.endswith("/interfaces")} == {"GET /cluster/resources", "GET /nodes/pve2/lxc/V/config"}


def test_stopped_app_moves_and_stays_stopped(app: Run, pve: Pve, lab: labs.Lab, here: Result) -> None:
    app(state="stopped", entry=False)
    assert _move(app, state="present")["changed"]
    assert _where(pve, here["vmid"]) == ("pve2", "stopped")
    assert "restart" not in lab.journal("POST", "/migrate")[-1].params
    assert _move(app, node="pve1", state="started")["app"]["status"] == "running"
    assert _where(pve, here["vmid"]) == ("pve1", "running")


def test_disk_goes_to_the_storage_that_is_named(app: Run, pve: Pve, here: Result) -> None:
    assert _move(app, storage="local-btrfs")["changed"]
    assert _config(pve, here["vmid"], "pve2")["rootfs"].startswith("local-btrfs:")
    refused = _move(app, node="pve3", storage="local-btrfs")
    assert "node pve3 has no storage 'local-btrfs' for disks of containers" in refused["msg"]


def test_off_a_node(app: Run, pve: Pve, here: Result) -> None:
    check, real = (app(entry=False, off_node="pve1", restart="allowed", check=check) for check in (True, False))
    assert (check["plan"], real["app"]["node"]) == (real["plan"], "pve2"), "it has the most memory"
    assert app(entry=False, off_node="pve1", restart="allowed")["changed"] is False


def test_what_cannot_go_is_refused_before_anything_is_done(app: Run, pve: Pve, lab: labs.Lab, here: Result) -> None:
    pve.wait(pve.post("/nodes/pve1/lxc", vmid=999, ostemplate=_template(pve), rootfs="local-lxc:1"))
    lab.journal_book.clear()
    lab.cluster.nodes["pve3"].online = False
    lab.advance(15)
    for node, why in (("pve9", "there is no node 'pve9'"), ("pve3", "node pve3 is offline")):
        for check in (True, False):
            assert why in _move(app, node=node, check=check)["msg"]
    assert {entry.method for entry in lab.journal()} == {"GET"}
    assert _where(pve, here["vmid"]) == ("pve1", "running")


def _template(pve: Pve) -> str:
    return str(pve.get("/nodes/pve1/storage/local/content", content="vztmpl")[0]["volid"])


def test_move_that_fails_tells_why_and_leaves_it_running(app: Run, pve: Pve, lab: labs.Lab, here: Result) -> None:
    lab.fault("task-fails", type="vzmigrate", at="work", text="no route to host")
    result = _move(app)
    assert "Cannot move guest" in result["msg"] and "no route to host" in result["msg"]
    assert _where(pve, here["vmid"]) == ("pve1", "running")
    assert _move(app)["app"]["node"] == "pve2"


@pytest.mark.parametrize("kind", ["reset", "reset-after", "timeout-after"])
def test_move_whose_answer_was_lost(app: Run, pve: Pve, lab: labs.Lab, here: Result, kind: str) -> None:
    lab.fault(kind, method="POST", path=".*/migrate", seconds=3)
    result = _move(app, api_timeout_s=1)
    assert not result.get("failed"), result
    assert (result["changed"], [step["verb"] for step in result["plan"]]) == (True, ["move"])
    assert _where(pve, here["vmid"]) == ("pve2", "running")
    assert len([task for task in lab.cluster.tasks.values() if task.type == "vzmigrate"]) == 1


@pytest.mark.parametrize("nth", range(1, 9))
@pytest.mark.parametrize("kind", ["reset", "reset-after", "status", "malformed"])
def test_after_any_fault_one_more_run_converges(app: Run, pve: Pve, lab: labs.Lab, here: Result, kind: str, nth: int) -> None:
    arguments = {"status": 500, "reason": "something broke"} if kind == "status" else {}
    lab.fault(kind, nth=nth, **arguments)
    _move(app)
    lab.faults.clear()
    result = _move(app)
    assert not result.get("failed"), result
    assert (_where(pve, here["vmid"]), pve.vmids()) == (("pve2", "running"), [here["vmid"]])
    assert _move(app)["changed"] is False


@pytest.mark.parametrize("hold", ["begin", "work", "end"])
def test_killed_move_is_finished_by_the_next_run(app: Run, pve: Pve, lab: labs.Lab, here: Result, process: Begin, hold: str) -> None:
    """The migration goes on by itself. Before, during or after the shutdown: the next run begins no second one."""
    lab.fault("task-hangs", type="vzmigrate", at=hold, seconds=2)
    child = process(definition=None, node="pve2", restart="allowed")
    deadline = time.monotonic() + 20
    while not lab.journal("POST", "/migrate"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    child.wait()
    result = _move(app)
    assert not result.get("failed"), result
    assert (_where(pve, here["vmid"]), result["app"]["node"]) == (("pve2", "running"), "pve2")
    assert len([task for task in lab.cluster.tasks.values() if task.type == "vzmigrate"]) == 1


def test_two_controllers_move_one_app(app: Run, pve: Pve, lab: labs.Lab, here: Result, process: Begin) -> None:
    lab.fault("task-hangs", type="vzmigrate", at="work", seconds=1)
    children = [process(definition=None, node="pve2", restart="allowed") for _number in range(2)]
    results = [json.loads(child.stdout.read().strip().splitlines()[-1]) for child in children if child.stdout]
    assert [result.get("msg") for result in results] == [None, None]
    assert _where(pve, here["vmid"]) == ("pve2", "running")
