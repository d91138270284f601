# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module for backups of many apps tells: plain data, the same in a check as in a real run."""

from __future__ import annotations

from typing import Any

from .backup_results import backup_row
from .backups import DesiredBackups
from .fleet_results import outcome_of
from .model import Observed
from .planner.policies import DuePlan, newest_of
from .plans import AppPlan, Plan
from .settling import Settled


def describe_batch(wish: DesiredBackups, plan: Plan, observed: Observed) -> dict[str, Any]:
    rows = [_row(each, observed) for each in plan.apps]
    return {
        "apps": rows,
        "due": [row["host"] for row in rows if row["due"]],
        "hooked": [row["host"] for row in rows if row["hooked"] and not row["failed"]],
        "failures": [row["host"] for row in rows if row["failed"]],
        "counts": {
            "apps": len(rows),
            "due": sum(row["due"] for row in rows),
            "changed": sum(row["changed"] for row in rows),
            "hooked": sum(row["hooked"] and not row["failed"] for row in rows),
            "failed": sum(row["failed"] for row in rows),
        },
    }


def _row(plan: AppPlan, observed: Observed) -> dict[str, Any]:
    found = plan.planned if isinstance(plan, Settled) else plan
    told = found if isinstance(found, DuePlan) else DuePlan(plan.name, host=plan.name)
    newest = newest_of(plan, observed) if plan is found and plan.steps else told.newest
    return {
        "host": told.host,
        "name": plan.name,
        "vmid": plan.vmid or None,
        "node": plan.node or None,
        "due": told.due,
        "why": told.why,
        "hooked": told.hooked,
        "backup": backup_row(newest) if newest else None,
        **outcome_of("backup", plan),
    }
