"""How many calls it takes, counted by the server."""

from __future__ import annotations

import re
from typing import Any

import lab as labs
from integration.pve import Result, Run

POLL = re.compile(r"/tasks/|/interfaces$")


def _calls(lab: labs.Lab, run: Any) -> list[str]:
    """What a run asks, without what it repeats while it waits for a task or an address."""
    lab.journal_book.clear()
    result = run()
    assert not result.get("failed"), result["msg"]
    journal = lab.journal()
    polls = [entry for entry in journal if POLL.search(entry.path) and result["changed"]]
    assert sum(result["calls"].values()) == len(journal), "the result counts what the server saw"
    return [f"{entry.method} {re.sub(r'[0-9]{4}', 'V', entry.path)}" for entry in journal if entry not in polls]


def test_no_op_takes_three_calls(lab: labs.Lab, app: Run, deployed: Result) -> None:
    assert _calls(lab, app) == ["GET /cluster/resources", "GET /nodes/pve1/lxc/V/pending", "GET /nodes/pve1/lxc/V/interfaces"]


def test_first_deployment_takes_six_calls(lab: labs.Lab, app: Run) -> None:
    made: dict[str, Any] = {}

    def create() -> Result:
        made.update(app())
        return made

    first = _calls(lab, create)
    report = {"vmid": made["app"]["vmid"], "node": "pve1", "healthy": True}
    assert first + _calls(lab, lambda: app(report=report)) == [
        "GET /cluster/resources",
        "GET /nodes/pve1/network",
        "GET /nodes/pve1/storage/local/content",
        "POST /nodes/pve1/lxc",
        "GET /nodes/pve1/lxc/V/pending",
        "PUT /nodes/pve1/lxc/V/config",
    ]


def test_app_that_is_not_there_is_known_to_be_gone_by_one_call(lab: labs.Lab, app: Run) -> None:
    assert _calls(lab, lambda: app(state="absent", entry=False)) == ["GET /cluster/resources"]


def test_check_writes_nothing(lab: labs.Lab, app: Run, deployed: Result) -> None:
    lab.journal_book.clear()
    for wish in ({"resources": {"memory_mb": 999, "disk_gb": 9}}, {"state": "absent"}, {"state": "stopped"}, {"name": "other"}):
        assert app(check=True, **wish)["changed"]
    assert {entry.method for entry in lab.journal()} == {"GET"}
