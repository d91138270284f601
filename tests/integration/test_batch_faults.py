"""Backups of many apps that go wrong at each call: one app fails at most, nothing stays half done, and one more run finishes the work."""

from __future__ import annotations

from collections import Counter
from typing import Any

import lab as labs
import pytest
from integration.modules import begin_module
from integration.test_backups_module import Batch, archives, batch, grow, hours_ago, is_quiet, once, params_of, wait_until

__all__ = ["batch"]

LOOKS = {
    "resources": ("GET", "/cluster/resources"),
    "uncovered": ("GET", "/cluster/backup-info/not-backed-up"),
    "running": ("GET", "/cluster/tasks"),
}
"""Calls for all apps: where one of them fails for good, nothing is begun."""
TURNS = {
    "config": ("GET", "/nodes/pve2/lxc/8101/pending"),
    "shelf": ("GET", "/nodes/pve2/storage/local/content"),
    "begin": ("POST", "/nodes/pve2/vzdump"),
    "others": ("GET", "/nodes/pve2/tasks"),
    "wait": ("GET", "/nodes/pve2/tasks/.*/status"),
    "remove": ("DELETE", "/nodes/pve2/storage/local/content/.*"),
}
KINDS = ("reset", "reset-after", "500", "596-after")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("call", [*LOOKS, *TURNS])
def test_each_call_that_fails(lab: labs.Lab, batch: Batch, connection: dict[str, Any], call: str, kind: str) -> None:
    names = grow(lab, 4, 2)
    hours_ago(lab, 2, lambda: batch(names))
    policy = {"max_age": "1h", "keep": {"last": 1}}
    method, path = {**LOOKS, **TURNS}[call]
    nth = 2 if call in ("config", "shelf") else 1  # the first look reads them too
    lab.fault(kind, method=method, path=path, nth=nth)
    answer = batch(names, **policy)
    assert any(entry.fault for entry in lab.journal()), "the call was made"
    lab.faults.clear()
    wait_until(lambda: is_quiet(lab))
    assert all("Traceback" not in row["msg"] for row in answer.get("apps", ()))
    if call in TURNS:
        assert len(answer["failures"]) <= 1 and answer["counts"]["changed"] >= 3, "one that fails stops no other"
    else:
        assert kind == "500" or not answer.get("failed"), "what passes is tried again"
    again = batch(names, **policy)
    assert again.get("failures", []) == [] and not again.get("failed"), again.get("msg")
    assert all(count <= 2 for count in archives(lab).values())
    assert set(archives(lab)) == set(once(names))
    third = batch(names, **policy)
    assert (third["changed"], third["failures"]) == (False, [])


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["begin", "remove"])
def test_kill_at_each_call_that_writes(lab: labs.Lab, batch: Batch, connection: dict[str, Any], call: str, moment: str) -> None:
    """The process is killed while the answer is on its way: the call has had its effect, or has not."""
    names = grow(lab, 4, 2)
    hours_ago(lab, 2, lambda: batch(names))
    policy = {"max_age": "1h", "keep": {"last": 1}}
    method, path = TURNS[call]
    lab.fault("timeout-after" if moment == "after" else "timeout", method=method, path=path, seconds=3)
    child = begin_module("proximity_backups", params_of(connection, names, **policy))
    wait_until(lambda: any(entry.fault for entry in lab.journal()))
    child.kill()
    child.communicate()
    lab.faults.clear()
    real = batch(names, **policy)
    assert real["failures"] == [] and is_quiet(lab)
    young = Counter({vmid: min(count, 1) for vmid, count in archives(lab).items()})
    assert young == once(names)
    assert max(archives(lab).values()) <= 2, "what the policy does not keep goes with the next backup at the latest"
    assert not batch(names, **policy)["changed"]
