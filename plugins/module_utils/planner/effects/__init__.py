# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan does to what was observed: the result of a check, and the law that planning again finds nothing to do."""

from __future__ import annotations

from dataclasses import replace

from ...model import Observed
from ...plans import AppPlan, Plan
from .archives import ARCHIVE_EFFECTS
from .clones import CLONE_EFFECTS
from .guests import GUEST_EFFECTS, Effect
from .jobs import JOB_EFFECTS
from .moves import MOVE_EFFECTS
from .slots import SLOT_EFFECTS
from .snapshots import SNAPSHOT_EFFECTS

EFFECTS: dict[tuple[str, str], Effect] = {
    **ARCHIVE_EFFECTS,
    **GUEST_EFFECTS,
    **JOB_EFFECTS,
    **CLONE_EFFECTS,
    **MOVE_EFFECTS,
    **SLOT_EFFECTS,
    **SNAPSHOT_EFFECTS,
}


def apply_plan(plan: AppPlan, observed: Observed) -> Observed:
    known = dict(observed.facts)
    for step in plan.steps:
        known |= EFFECTS[step.verb, step.kind](step.node or plan.node, step, known)
    return replace(observed, facts=known)


def apply_plans(plan: AppPlan | Plan, observed: Observed) -> Observed:
    for each in plan.apps:
        observed = apply_plan(each, observed)
    return observed
