"""Several controllers at once, and controllers that are killed."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable
from typing import Any

import lab as labs
import pytest
from integration.pve import Pve, Result, Run

Begin = Callable[..., "subprocess.Popen[str]"]


def _result(child: subprocess.Popen[str]) -> Result:
    assert child.stdout
    return dict(json.loads(child.stdout.read().strip().splitlines()[-1]))


def _wait_for_call(lab: labs.Lab, method: str, path: str) -> None:
    deadline = time.monotonic() + 20
    while not lab.journal(method, path):
        assert time.monotonic() < deadline, f"{method} {path} was never called"
        time.sleep(0.02)


def test_two_controllers_deploy_one_name(lab: labs.Lab, pve: Pve, process: Begin) -> None:
    """Both meet at one slot; the winner's process waits for its task, so that it is still there when the other looks."""
    lab.fault("latency", method="GET", path=".*/tasks/.*", seconds=3, times=1)
    children = [process(), process()]
    results = sorted((_result(child) for child in children), key=lambda result: bool(result.get("failed")))
    won, lost = results
    assert won["changed"]
    assert won["app"]["status"] == "deploying"
    assert "works on it, until" in lost["msg"]
    assert not lost["changed"]
    (vmid,) = pve.vmids()
    assert pve.record(vmid)["name"] == "hello"


def test_many_controllers_deploy_overlapping_names(lab: labs.Lab, pve: Pve, process: Begin) -> None:
    """Three names by five controllers in a range of five slots: three apps, no name or port twice."""
    ports = {"public": "8100-8104", "internal": "9100-9104"}
    names = ["one", "two", "three", "two", "one"]
    children = [process(name=name, port_range=ports) for name in names]
    results = [_result(child) for child in children]
    refused = [result["msg"] for result in results if result.get("failed")]
    assert all("works on it" in message for message in refused)
    records = [pve.record(vmid) for vmid in pve.vmids()]
    assert sorted(record["name"] for record in records) == ["one", "three", "two"]
    assert len({record["ports"]["public"] for record in records}) == 3


def test_live_lease_is_respected_and_can_be_taken_over(lab: labs.Lab, app: Run, pve: Pve, process: Begin) -> None:
    lab.fault("latency", method="GET", path=".*/tasks/.*", seconds=20, times=1)
    child = process()
    _wait_for_call(lab, "POST", "/lxc")
    refused = app()
    assert "works on it, until" in refused["msg"]
    assert app(state="absent", entry=False)["failed"]
    taken = app(take_over_lease=True)
    assert taken["changed"]
    (vmid,) = pve.vmids()
    assert pve.record(vmid)["lease"]["epoch"] == 2
    child.kill()


def test_report_after_a_takeover_is_refused(app: Run, pve: Pve) -> None:
    made = app()["app"]
    description = pve.config(made["vmid"])["description"]
    holder, run = made["record"]["lease"]["holder"], made["record"]["lease"]["run"]
    stolen = description.replace(f'"holder":"{holder}"', '"holder":"them@there"').replace(run, "elsewhere:1:1")
    pve.put(f"/nodes/pve1/lxc/{made['vmid']}/config", description=stolen)
    result = app(report={"vmid": made["vmid"], "node": made["node"], "healthy": True})
    assert "them@there works on it" in result["msg"]


@pytest.mark.parametrize(
    ("method", "path", "params"),
    [
        ("POST", "/lxc", {}),
        ("GET", "/tasks/", {}),
        ("GET", "/interfaces", {}),
    ],
    ids=["while creating", "while waiting", "before its address"],
)
def test_killed_deployment_is_finished_by_the_next_run(
    lab: labs.Lab, app: Run, pve: Pve, process: Begin, method: str, path: str, params: dict[str, Any]
) -> None:
    after = "latency" if method == "GET" else "slow-body"
    lab.fault(after, method=method, path=f".*{path}.*", seconds=30)
    child = process(**params)
    _wait_for_guest(pve)
    time.sleep(0.2)
    child.kill()
    child.wait()
    lab.faults.clear()
    result = app()
    assert not result.get("failed"), result
    (vmid,) = pve.vmids()
    record = pve.record(vmid)
    assert (result["app"]["vmid"], result["app"]["converge"], result["app"]["first"]) == (vmid, True, True)
    assert (record["attempt"], record["lease"]["epoch"]) == (2, 2), "taken over at once: the process that held it is gone"
    finished = app(report={"vmid": vmid, "node": "pve1", "healthy": True})
    assert finished["app"]["status"] == "running"
    assert app()["changed"] is False


def test_killed_deletion_is_finished_by_the_next_run(lab: labs.Lab, app: Run, pve: Pve, process: Begin, deployed: Result) -> None:
    lab.fault("latency", method="POST", path=".*/shutdown", seconds=30)
    child = process(state="absent", definition=None)
    deadline = time.monotonic() + 20
    while pve.record(deployed["vmid"])["status"] != "removing":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.kill()
    child.wait()
    lab.faults.clear()
    assert app(state="absent", entry=False)["changed"]
    assert pve.vmids() == []


def _wait_for_guest(pve: Pve) -> None:
    deadline = time.monotonic() + 20
    while not pve.vmids():
        assert time.monotonic() < deadline, "no guest was created"
        time.sleep(0.02)
