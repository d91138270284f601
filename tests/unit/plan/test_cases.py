"""Every case file, and over all of them the law: once a plan has been carried out, planning again finds nothing to do."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.backup_spec import desired_backup
from ansible_collections.proximity.platform.plugins.module_utils.claim_spec import desired_adoption, desired_port
from ansible_collections.proximity.platform.plugins.module_utils.desired import Report
from ansible_collections.proximity.platform.plugins.module_utils.observer import Planner
from ansible_collections.proximity.platform.plugins.module_utils.planner.adoption import plan_adoptions
from ansible_collections.proximity.platform.plugins.module_utils.planner.apps import plan_apps, plan_cleanup, plan_failure
from ansible_collections.proximity.platform.plugins.module_utils.planner.backups import plan_backup
from ansible_collections.proximity.platform.plugins.module_utils.planner.effects import apply_plan
from ansible_collections.proximity.platform.plugins.module_utils.planner.ports import plan_port
from ansible_collections.proximity.platform.plugins.module_utils.plans import AppPlan
from ansible_collections.proximity.platform.plugins.module_utils.results import step_data
from unit.plan.world import HERE, World, desired_of

MANY = ("drain", "fleet", "janitor", "jobs", "policies", "reconcile")
"""Folders whose cases tests of their own read: `test_many_cases.py` and `test_drain_cases.py`."""
CASES = sorted(path for path in HERE.glob("*/*.yml") if path.parent.name not in MANY)
ENTRIES = [{"id": "miniflux", "name": "Miniflux", "version": "2.3.3", "images": {"web": "miniflux/miniflux:2.3.3"}, "web": {"port": 8080}}]
EXPECTATIONS = {"steps", "error", "warnings", "converge", "first", "crowded", "vmid", "node", "reads", "again"}


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _planner(case: dict[str, Any]) -> Planner:
    """Apps are planned; with `cleanup`, the cleaning away of one that could not be created, with `failure`, what its record says of a step
    that failed; with `port`, `adopt` or `backup`, what they say.
    """
    if "port" in case:
        return partial(plan_port, desired_port({"state": "present", **case["port"]}))
    if "adopt" in case:
        return partial(plan_adoptions, desired_adoption({"state": "present", "entries": ENTRIES, **case["adopt"]}))
    if "backup" in case:
        return partial(plan_backup, desired_backup({"name": "feeds", "state": "present", **case["backup"]}))
    desired = [desired_of(each) for each in _many(case["desired"])]
    if "failure" in case:
        return partial(plan_failure, desired[0], Report(healthy=False, **case["failure"]))
    if "cleanup" in case:
        return partial(plan_cleanup, desired[0], case["cleanup"]["vmid"])
    return partial(plan_apps, desired)


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def case(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    path: Path = request.param
    yield yaml.safe_load(path.read_text())


def test_plan_is_as_expected(case: dict[str, Any]) -> None:
    world = World(case.get("observed", {}))
    plan, _observed = world.plan(_planner(case))
    expectations = _many(case["expect"])
    assert len(plan.apps) == len(expectations)
    for app, expect in zip(plan.apps, expectations, strict=True):
        _compare(app, expect, world)


def test_planning_again_is_empty(case: dict[str, Any]) -> None:
    world, planner = World(case.get("observed", {})), _planner(case)
    plan, observed = world.plan(planner)
    for app in plan.apps:
        observed = apply_plan(app, observed)
    again, _observed = world.plan(planner, observed)
    assert again.steps == ()
    for app, before, expect in zip(again.apps, plan.apps, _many(case["expect"]), strict=True):
        assert app.converge == before.converge or expect.get("again")
        refusal = expect.get("again") or expect.get("error")
        assert refusal in str(app.refusal) if refusal else app.refusal is None


def _compare(app: AppPlan, expect: dict[str, Any], world: World) -> None:
    assert set(expect) <= EXPECTATIONS, "an expectation that nobody checks"
    assert ("error" in expect) == (app.refusal is not None), app.refusal
    if "error" in expect:
        assert expect["error"] in str(app.refusal)
        return
    steps = [step_data(step) for step in app.steps]
    assert [_head(step) for step in steps] == [_head(step) for step in expect["steps"]]
    for step, wanted in zip(steps, expect["steps"], strict=True):
        for side in set(wanted) & {"before", "after"}:
            assert _part(step[side], wanted[side], exact=step["verb"] == "update") == wanted[side]
    assert app.warnings == tuple(expect.get("warnings", ()))
    for key in set(expect) & {"converge", "first", "crowded", "vmid", "node"}:
        assert getattr(app, key) == expect[key], key
    if "reads" in expect:
        assert world.reads == expect["reads"]


def _head(step: dict[str, Any]) -> tuple[Any, ...]:
    return (step["verb"], step["kind"], step["id"])


def _part(value: Any, wanted: Any, exact: bool = False) -> Any:
    """What stands in both; of an update every key has to be expected, of notes those that are named."""
    if isinstance(value, dict) and isinstance(wanted, dict):
        return {key: _part(each, wanted.get(key)) for key, each in value.items() if exact or key in wanted}
    return value
