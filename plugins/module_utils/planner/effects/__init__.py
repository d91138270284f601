# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan does to what was observed: the result of a check, and the law that planning again finds nothing to do."""

from __future__ import annotations

from dataclasses import replace

from ...model import Observed
from ...plans import AppPlan, Plan
from .guests import GUEST_EFFECTS, Effect
from .slots import SLOT_EFFECTS

EFFECTS: dict[tuple[str, str], Effect] = {**GUEST_EFFECTS, **SLOT_EFFECTS}


def apply_plan(plan: AppPlan, observed: Observed) -> Observed:
    known = dict(observed.facts)
    for step in plan.steps:
        known |= EFFECTS[step.verb, step.kind](step.node or plan.node, step, known)
    return replace(observed, facts=known)


def apply_plans(plan: AppPlan | Plan, observed: Observed) -> Observed:
    for each in plan.apps:
        observed = apply_plan(each, observed)
    return observed
