"""Cases about many guests at once, and over all of them the law: once a plan has been carried out, planning again finds nothing to do.

A case names what is wished (`fleet`, `policies`, `reconcile`, `janitor` or `job`) and expects `steps` (in words, with parts of `after`),
`found` (parts of rows), and whatever else of `refused`, `listed`, `reads`, `converge`, `why`, `hooked` and `waits` matters to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.batch_spec import desired_backups
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_job, desired_tidiness
from ansible_collections.proximity.platform.plugins.module_utils.fleets import DesiredFleet, DesiredReconciliation
from ansible_collections.proximity.platform.plugins.module_utils.observer import Planner
from ansible_collections.proximity.platform.plugins.module_utils.planner.effects import apply_plans
from ansible_collections.proximity.platform.plugins.module_utils.planner.findings import Finding
from ansible_collections.proximity.platform.plugins.module_utils.planner.fleet import ListedPlan, plan_fleet
from ansible_collections.proximity.platform.plugins.module_utils.planner.janitor import plan_tidiness
from ansible_collections.proximity.platform.plugins.module_utils.planner.jobs import plan_job
from ansible_collections.proximity.platform.plugins.module_utils.planner.policies import DuePlan, plan_backups
from ansible_collections.proximity.platform.plugins.module_utils.planner.reconciliation import plan_reconciliation
from ansible_collections.proximity.platform.plugins.module_utils.plans import Plan
from ansible_collections.proximity.platform.plugins.module_utils.results import plain, step_data
from unit.plan.world import HERE, World, desired_of

FOLDERS = ("fleet", "janitor", "jobs", "policies", "reconcile")
CASES = sorted(path for folder in FOLDERS for path in (HERE / folder).glob("*.yml"))
TIDINESS = {"older_than_s": 3600, "first_deployments": "error", "clones": "report", "snapshots": "report", "threads": 8}
JOB = {"name": "janitor", "state": "begun", "lasts_s": 3600, "mapping": "proximity-jobs"}
EXPECTATIONS = {"steps", "found", "refused", "listed", "reads", "converge", "why", "hooked", "waits"}


def _fleet(given: dict[str, Any]) -> DesiredFleet:
    apps = tuple(desired_of(each) for each in given["apps"])
    refused = {name: SpecError(reason) for name, reason in given.get("refused", {}).items()}
    return DesiredFleet(apps, refused, depth=given.get("depth", "tags"))


def _planner(case: dict[str, Any]) -> Planner:
    if "fleet" in case:
        return partial(plan_fleet, _fleet(case["fleet"]))
    if "reconcile" in case:
        given = {"depth": "record", **case["reconcile"]}
        wish = DesiredReconciliation(_fleet(given), frozenset(given.get("repair", ())), frozenset(given.get("remove", ())))
        return partial(plan_reconciliation, wish)
    if "policies" in case:
        policies = desired_backups({"threads": 8, **case["policies"]})
        members = tuple(replace(each, window=replace(each.window, zone=UTC)) for each in policies.members)
        return partial(plan_backups, replace(policies, members=members))
    if "job" in case:
        return partial(plan_job, desired_job({**JOB, **case["job"]}))
    return partial(plan_tidiness, desired_tidiness({**TIDINESS, **case["janitor"]}))


@pytest.fixture(params=CASES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def case(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    path: Path = request.param
    yield yaml.safe_load(path.read_text())


def test_plan_is_as_expected(case: dict[str, Any]) -> None:
    world, expect = World(case.get("observed", {})), case["expect"]
    plan, _observed = world.plan(_planner(case))
    assert set(expect) <= EXPECTATIONS, "an expectation that nobody checks"
    steps = [step_data(step) for step in plan.steps]
    assert [f"{step['verb']} {step['kind']} {step['id']}" for step in steps] == [next(iter(each)) for each in _steps(expect)]
    for step, wanted in zip(steps, _steps(expect), strict=True):
        after = next(iter(wanted.values()))
        assert _part(step["after"], after) == after
    assert {each.name: True for each in plan.apps if each.refusal} == dict.fromkeys(expect.get("refused", {}), True)
    for name, words in expect.get("refused", {}).items():
        assert words in next(str(each.refusal) for each in plan.apps if each.name == name)
    if "found" in expect:
        rows = _rows(plan)
        assert [_part(row, wanted) for row, wanted in zip(rows, expect["found"], strict=True)] == expect["found"], rows
    if "listed" in expect:
        assert [each.name for each in plan.apps if isinstance(each, ListedPlan)] == expect["listed"]
    if "converge" in expect:
        assert [each.name for each in plan.apps if each.converge] == expect["converge"]
    due = [each for each in plan.apps if isinstance(each, DuePlan)]
    assert {each.name: each.why for each in due if each.name in expect.get("why", {})} == expect.get("why", {})
    for key in {"hooked", "waits"} & set(expect):
        assert [each.name for each in due if getattr(each, key)] == expect[key]
    if "reads" in expect:
        assert world.reads == expect["reads"]


def test_planning_again_is_empty(case: dict[str, Any]) -> None:
    world, planner = World(case.get("observed", {})), _planner(case)
    plan, observed = world.plan(planner)
    again, _observed = world.plan(planner, apply_plans(plan, observed))
    assert again.steps == ()
    left = [row for row in _rows(plan) if row["deed"] in ("left", "error") or row.get("converge")]
    assert len(_rows(again)) <= len(left)


def test_every_folder_has_cases() -> None:
    assert {path.parent.name for path in CASES} == set(FOLDERS)


def _steps(expect: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps in words; those without anything to compare are a bare text."""
    return [each if isinstance(each, dict) else {each: None} for each in expect.get("steps", [])]


def _rows(plan: Plan) -> list[dict[str, Any]]:
    return [plain(row) for each in plan.apps if isinstance(each, Finding) for row in each.rows]


def _part(value: Any, wanted: Any) -> Any:
    """What stands in both; of a text, the words that are wanted if it has them."""
    if isinstance(value, dict) and isinstance(wanted, dict):
        return {key: _part(value[key], each) for key, each in wanted.items() if key in value}
    if isinstance(value, str) and isinstance(wanted, str) and wanted in value:
        return wanted
    return None if wanted is None else value
