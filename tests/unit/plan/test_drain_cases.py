"""Every case of advice, and the law: once what was advised is done, the same question is answered with nothing."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.advice import desired_moves
from ansible_collections.proximity.platform.plugins.module_utils.errors import PlanError
from ansible_collections.proximity.platform.plugins.module_utils.planner.drain import plan_moves
from ansible_collections.proximity.platform.plugins.module_utils.planner.effects import apply_plan
from ansible_collections.proximity.platform.plugins.module_utils.plans import AppPlan, Step
from unit.plan.world import HERE, World

CASES = sorted((HERE / "drain").glob("*.yml"))


@pytest.fixture(params=CASES, ids=lambda path: path.stem)
def case(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    path: Path = request.param
    yield yaml.safe_load(path.read_text())


def test_advice_is_as_expected_and_then_fulfilled(case: dict[str, Any]) -> None:
    world, expect = World(case["observed"]), case["expect"]
    planner = partial(plan_moves, desired_moves({"tolerance_percent": 20, "at_most": 5, **case["moves"]}))
    if "error" in expect:
        with pytest.raises(PlanError) as refusal:
            world.plan(planner)
        assert expect["error"] in str(refusal.value)
        return
    advice, observed = world.plan(planner)
    assert [f"{move.app}: {move.source} -> {move.target}{' ' * bool(move.storage)}{move.storage}" for move in advice.moves] == expect[
        "moves"
    ]
    assert [(guest.vmid, guest.why) for guest in advice.staying] == [tuple(each) for each in expect.get("staying", [])]
    if "nodes" in expect:
        assert {node.name: [node.before, node.after] for node in advice.nodes} == expect["nodes"]
    if "reads" in expect:
        assert world.reads == expect["reads"]
    for move in advice.moves:
        after = {"node": move.target, "storage": move.storage or "local-lxc", "running": move.running}
        observed = apply_plan(AppPlan(move.app, move.vmid, move.source, steps=(Step("move", "guest", move.vmid, {}, after),)), observed)
    if case["moves"].get("drain"):
        again, _observed = world.plan(planner, observed)
        assert again.moves == ()
