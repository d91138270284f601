# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans of several things against one observation."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ..errors import PlanError
from ..model import Fact, FactsNeeded
from ..plans import AppPlan, Plan
from .facts import FactsMissing


def collect(jobs: Iterable[tuple[str, Callable[[], AppPlan]]]) -> Plan | FactsNeeded:
    """Do every job by its name; one's refusal does not keep the others from their plans, and all missing facts are named at once."""
    plans: list[AppPlan] = []
    missing: set[Fact] = set()
    for name, job in jobs:
        try:
            plans.append(job())
        except FactsMissing as need:
            missing |= need.facts
        except PlanError as refusal:
            plans.append(AppPlan(name, refusal=refusal))
    return FactsNeeded(frozenset(missing)) if missing else Plan(tuple(plans))
