"""An update as role `app` does it, and what is left of it."""

from __future__ import annotations

import re
from typing import Any

from integration.pve import Pve, Result, Run

UPDATED = {"options": {"greeting": "bonjour"}}
FAILED = {"healthy": False, "step": "health", "error": "no answer."}
LIST = "/nodes/pve1/lxc/{}/snapshot"


def settle(app: Run, made: Result, **params: Any) -> Result:
    assert not made.get("failed"), made["msg"]
    return dict(app(report=report(made, healthy=True), **params)["app"])


def report(made: Result, **told: Any) -> dict[str, Any]:
    at = made["app"]
    return {"vmid": at["vmid"], "node": at["node"], "epoch": (at["record"]["lease"] or {}).get("epoch", 0), **told}


def snapshots(pve: Pve, vmid: int) -> list[str]:
    return sorted(row["name"] for row in pve.get(LIST.format(vmid)) if row["name"] != "current")


def backups(pve: Pve) -> list[str]:
    rows = pve.get("/nodes/pve1/storage/local/content", content="backup")
    return sorted(re.findall(r"px-safety-[0-9a-f]+", row["notes"])[0] for row in rows)


def points(pve: Pve, vmid: int) -> list[str]:
    return sorted([*snapshots(pve, vmid), *backups(pve)])


def come_back(app: Run, made: Result, **params: Any) -> Result:
    """What the role does after a failure: report it, prove the previous revision, report that."""
    back = app(report=report(made, **FAILED), **params)
    assert not back.get("failed"), back["msg"]
    assert (back["app"]["status"], back["app"]["converge"]) == ("restoring", True)
    return app(report=report(made, healthy=True, restored=True), **params)


def update_that_fails(app: Run) -> Result:
    """As the role does it, as far as it comes."""
    update = app(**UPDATED)
    if update.get("failed") or not update["app"]["converge"]:
        return update
    if update["app"]["status"] != "restoring":
        back = app(report=report(update, **FAILED), **UPDATED)
        if back.get("failed") or back["app"]["status"] != "restoring":
            return back
    return app(report=report(update, healthy=True, restored=True), **UPDATED)


def at_rest(record: dict[str, Any]) -> tuple[Any, ...]:
    return (record["status"], record["lease"], record["revision"], record["wanted"])


def assert_back(app: Run, pve: Pve, made: Result) -> None:
    """The previous revision runs, the record is true, and every safety point that there is stands in it."""
    record = pve.record(made["vmid"])
    assert at_rest(record) == ("running", None, made["revision"], made["revision"])
    assert pve.config(made["vmid"])["tags"] == f"hello;proximity;rev-{made['revision']}"
    assert (pve.vmids(), pve.status(made["vmid"])) == ([made["vmid"]], "running")
    assert set(points(pve, made["vmid"])) == {point["name"] for point in record["safety"]}
    assert app()["changed"] is False
