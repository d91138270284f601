"""Answers that are lost, races that are lost, starts that fail: what is left is either the wished state or nothing."""

from __future__ import annotations

from typing import Any

import lab as labs
import pytest
from integration.pve import Pve, Result, Run
from lab.guests.simulated import Script
from lab.model import Grant

CREATE = "/nodes/pve1/lxc"
CONFLICT = "detected modified configuration - file changed by other user? Try again."


def _one_app(pve: Pve) -> int:
    """The number of the only guest, which carries the record of `hello`."""
    (vmid,) = pve.vmids()
    assert (pve.record(vmid)["vmid"], pve.record(vmid)["name"]) == (vmid, "hello")
    return vmid


@pytest.mark.parametrize("kind", ["reset-after", "reset", "timeout-after", "status-after"])
def test_create_whose_answer_was_lost(app: Run, pve: Pve, lab: labs.Lab, kind: str) -> None:
    lab.fault(kind, method="POST", path=CREATE, seconds=3, status=596, reason="Broken pipe")
    result = app(api_timeout_s=1)
    assert not result.get("failed"), result
    vmid = _one_app(pve)
    assert (result["changed"], result["app"]["converge"], result["app"]["first"]) == (True, True, True)
    assert [step["verb"] for step in result["plan"]] == ["create"]
    assert result["log"][0]["level"] == "error"
    assert len([call for call in lab.journal("POST", CREATE) if call.status == 200]) <= 1
    assert pve.status(vmid) == "running"


@pytest.mark.parametrize("kind", ["reset-after", "reset"])
def test_update_whose_answer_was_lost(app: Run, pve: Pve, lab: labs.Lab, deployed: Result, kind: str) -> None:
    lab.fault(kind, method="PUT", path=".*/config")
    result = app(resources={"memory_mb": 512}, owner="ada")
    assert result["changed"]
    assert [step["verb"] for step in result["plan"]] == ["update"]
    assert (pve.config(deployed["vmid"])["memory"], pve.record(deployed["vmid"])["owner"]) == (512, "ada")


@pytest.mark.parametrize(("method", "path"), [("PUT", ".*/config"), ("POST", ".*/shutdown"), ("DELETE", ".*")])
@pytest.mark.parametrize("kind", ["reset-after", "reset"])
def test_delete_whose_answer_was_lost(app: Run, pve: Pve, lab: labs.Lab, deployed: Result, method: str, path: str, kind: str) -> None:
    lab.fault(kind, method=method, path=path)
    result = app(state="absent", entry=False)
    assert not result.get("failed"), result["msg"]
    assert result["changed"]
    assert pve.vmids() == []


def test_report_whose_answer_was_lost(app: Run, pve: Pve, lab: labs.Lab) -> None:
    made = app()["app"]
    lab.fault("reset-after", method="PUT")
    result = app(report={"vmid": made["vmid"], "node": made["node"], "healthy": True})
    assert (result["changed"], result["app"]["status"]) == (True, "running")
    assert pve.record(made["vmid"])["status"] == "running"


def test_conflicting_write_is_planned_again(app: Run, pve: Pve, lab: labs.Lab, deployed: Result) -> None:
    lab.fault("status", method="PUT", path=".*/config", status=500, reason=CONFLICT, times=2)
    result = app(resources={"memory_mb": 512})
    assert result["changed"]
    assert pve.config(deployed["vmid"])["memory"] == 512


def test_endless_conflict_is_given_up(app: Run, lab: labs.Lab, deployed: Result) -> None:
    lab.fault("status", method="PUT", path=".*/config", status=500, reason=CONFLICT, times=0)
    result = app(resources={"memory_mb": 512})
    assert result["msg"] == (
        "App hello was changed by others 5 times while it was worked on. The last time, this could not be done: "
        f"update config {deployed['vmid']} on node pve1 (memory_mb): 500 {CONFLICT}. Run again."
    )
    assert result["changed"] is False


def test_slot_of_a_guest_that_the_token_may_not_see(app: Run, pve: Pve, lab: labs.Lab) -> None:
    slot = app(check=True)["app"]["vmid"]
    pve.make_guest(slot, hostname="hidden")
    lab.cluster.grants.append(Grant(f"/vms/{slot}", "user", "proximity@pve", "NoAccess"))
    lab.cluster.index_grants()
    result = app()
    assert result["app"]["vmid"] == slot + 1
    assert result["changed"]
    assert pve.record(slot + 1)["status"] == "deploying"
    assert app()["changed"] is False


def test_start_that_fails_is_cleaned_away(app: Run, pve: Pve, lab: labs.Lab) -> None:
    lab.cluster.runtime.scripts[0] = Script(start_fails="bridge 'vmbr0' is on fire")
    result = app()
    vmid = result["plan"][0]["id"]
    assert (
        result["msg"]
        == f"Cannot create guest {vmid} on node pve1: bridge 'vmbr0' is on fire. Guest {vmid} was removed again (on_failure: cleanup)."
    )
    assert result["task"]["exitstatus"] == "bridge 'vmbr0' is on fire"
    assert pve.vmids() == []


def test_start_that_fails_is_kept_when_asked_and_can_be_finished(app: Run, pve: Pve, lab: labs.Lab) -> None:
    lab.cluster.runtime.scripts[0] = Script(start_fails="bridge 'vmbr0' is on fire")
    assert "on fire" in app(on_failure="keep")["msg"]
    vmid = _one_app(pve)
    lab.cluster.runtime.scripts[0] = Script()
    result = app(on_failure="keep")
    assert (result["app"]["vmid"], result["app"]["converge"], pve.status(vmid)) == (vmid, True, "running")


def test_first_deployment_without_an_address_is_cleaned_away(app: Run, pve: Pve, lab: labs.Lab) -> None:
    lab.cluster.runtime.scripts[0] = Script(address_s=9999)
    result = app(timeouts={"address_s": 1})
    assert "has no address after 1 s. Is there a DHCP server on its bridge?" in result["msg"]
    assert pve.vmids() == []


def test_failed_start_of_an_app_that_ran_destroys_nothing(app: Run, pve: Pve, lab: labs.Lab, deployed: Result) -> None:
    app(state="stopped", entry=False)
    lab.cluster.runtime.scripts[0] = Script(start_fails="out of memory")
    result = app()
    assert result["msg"] == f"Cannot start guest {deployed['vmid']} on node pve1: out of memory."
    assert pve.vmids() == [deployed["vmid"]]


def test_failed_first_deployment_is_cleaned_away_by_its_report(app: Run, pve: Pve) -> None:
    made = app()["app"]
    failed = {"vmid": made["vmid"], "node": made["node"], "healthy": False, "step": "health", "error": "no answer"}
    result = app(report=failed)
    assert (result["changed"], result["app"]["status"]) == (True, "absent")
    assert pve.vmids() == []


def test_failed_update_is_kept_by_its_report(app: Run, pve: Pve, deployed: Result) -> None:
    app(options={"greeting": "bonjour"})
    failed = {"vmid": deployed["vmid"], "node": "pve1", "healthy": False, "step": "health", "error": "no <answer> -->"}
    result = app(report=failed, on_update_failure="keep")
    record = pve.record(deployed["vmid"])
    assert (record["status"], record["step"], record["error"], record["revision"]) == (
        "error",
        "health",
        "no <answer> -->",
        deployed["revision"],
    )
    assert result["app"]["status"] == "error"
    assert app(options={"greeting": "bonjour"})["app"]["converge"]


def _deploy(app: Run, **params: Any) -> Result:
    """A whole deployment, as the role does it; the first failure ends it."""
    made = app(**params)
    if made.get("failed") or not made["app"]["converge"]:
        return made
    return app(report={"vmid": made["app"]["vmid"], "node": made["app"]["node"], "healthy": True}, **params)


@pytest.mark.parametrize("nth", range(1, 10))
@pytest.mark.parametrize("kind", ["reset", "reset-after", "status", "malformed"])
def test_after_any_fault_one_more_run_converges(app: Run, pve: Pve, lab: labs.Lab, kind: str, nth: int) -> None:
    """Each call of a deployment in turn; a permanent refusal, a lost answer and nonsense."""
    arguments = {"status": 500, "reason": "something broke"} if kind == "status" else {}
    lab.fault(kind, nth=nth, **arguments)
    _deploy(app)
    lab.faults.clear()
    result = _deploy(app)
    assert not result.get("failed"), result
    vmid = _one_app(pve)
    record = pve.record(vmid)
    assert (record["status"], record["lease"], record["revision"]) == ("running", None, record["wanted"])
    assert pve.config(vmid)["tags"] == f"hello;proximity;rev-{record['revision']}"
    assert pve.status(vmid) == "running"
    assert app()["changed"] is False
