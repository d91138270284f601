# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules tell about many apps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from .desired import DesiredApp
from .fleets import DesiredFleet, DesiredJob, DesiredReconciliation, DesiredTidiness
from .model import Guest, Live, Observed
from .planner.facts import CLUSTER, live_fact
from .planner.findings import Finding
from .planner.fleet import ListedPlan
from .planner.jobs import current_job, is_ours
from .planner.reconciliation import KINDS
from .plans import AppPlan, Plan
from .results import describe_app, diff_of, failure_data, plain, step_data
from .settling import Settled
from .wire.times import format_time


def describe_fleet(wish: DesiredFleet, plan: Plan, observed: Observed) -> dict[str, Any]:
    """Every app like the `app` of proximity_app, with what was done for it; and which of them have work left in their containers."""
    apps = {app.name: app for app in wish.apps}
    rows = [_row(wish, apps.get(each.name), each, observed) for each in plan.apps]
    return {
        "apps": rows,
        "converge": [row["name"] for row in rows if row["converge"] and not row["failed"]],
        "failures": [row["name"] for row in rows if row["failed"]],
        "counts": {
            "apps": len(rows),
            "changed": sum(row["changed"] for row in rows),
            "failed": sum(row["failed"] for row in rows),
            "converge": sum(row["converge"] and not row["failed"] for row in rows),
        },
    }


def describe_reconciliation(wish: DesiredReconciliation, plan: Plan, observed: Observed) -> dict[str, Any]:
    """What differs, row by row; `in_order` counts the declared apps of which nothing does."""
    hosts = wish.fleet.hosts
    rows = [{"what": [], "converge": False, **row, "host": hosts.get(row["name"]) or None} for row in _rows(plan.apps)]
    declared = {app.name for app in wish.fleet.apps} | set(wish.fleet.refused)
    differing = {row["name"] for row in rows}
    return {
        "findings": sorted(rows, key=lambda row: (KINDS.index(row["kind"]), row["name"])),
        "counts": dict(sorted(Counter(row["kind"] for row in rows).items())),
        "declared": len(declared),
        "in_order": len(declared - differing),
        "converge": [row["name"] for row in rows if row["converge"] and row["deed"] == "repair"],
    }


def describe_tidiness(wish: DesiredTidiness, plan: Plan, observed: Observed) -> dict[str, Any]:
    """What work was cut off, and what it left behind."""
    rows = list(_rows(plan.apps))
    return {
        "findings": sorted(rows, key=lambda row: (row["kind"], row["vmid"])),
        "counts": dict(sorted(Counter(row["kind"] for row in rows).items())),
        "left": sum(row["deed"] in ("left", "failed") for row in rows),
    }


def describe_job(wish: DesiredJob, plan: Plan, observed: Observed) -> dict[str, Any]:
    """Who runs the job now. Whoever does not, skips it, and says why."""
    job = current_job(wish, observed)
    ours = wish.state == "begun" and is_ours(job, observed)
    until = format_time(datetime.fromtimestamp(job.until, UTC)) if job else None
    told = {"name": wish.name, "ours": ours, "holder": job.holder if job else None, "until": until}
    because = f"{told['holder']} runs {wish.name} on this cluster, until {until} at most." if wish.state == "begun" and not ours else ""
    return {"job": told, "skipped_because": because}


def _rows(plans: Iterable[AppPlan]) -> Iterator[dict[str, Any]]:
    """The rows of findings, with what became of them where it is not what was planned."""
    for plan in plans:
        finding = plan.planned if isinstance(plan, Settled) and plan.planned else plan
        for row in finding.rows if isinstance(finding, Finding) else ():
            failed = plan.refusal is not None and row["deed"] != "left"
            yield plain({**row, **({"deed": "failed", "why": f"{row['why']} {plan.refusal}"} if failed else {})})


def _row(wish: DesiredFleet, app: DesiredApp | None, plan: AppPlan, observed: Observed) -> dict[str, Any]:
    return {
        **_description(app, plan, observed),
        "host": wish.hosts.get(plan.name) or None,
        **outcome_of("app", plan),
    }


def outcome_of(noun: str, plan: AppPlan) -> dict[str, Any]:
    """What was done for one of many, or would be, and why it was no more."""
    return {
        "changed": bool(plan.steps),
        "plan": [step_data(step) for step in plan.steps],
        "diff": diff_of(f"{noun} {plan.name}", plan.steps) if plan.steps else {},
        "log": list(plan.lines) if isinstance(plan, Settled) else [],
        "warnings": list(plan.warnings),
        "failed": plan.refusal is not None,
        "msg": str(plan.refusal) if plan.refusal else "",
        **(failure_data(plan.refusal) if plan.refusal else {}),
    }


def _description(app: DesiredApp | None, plan: AppPlan, observed: Observed) -> dict[str, Any]:
    if app is None or plan.refusal:
        where = {"vmid": plan.vmid or None, "node": plan.node or None}
        return {
            "name": plan.name,
            **where,
            "status": "unknown",
            "converge": plan.converge,
            "first": plan.first,
            "address": None,
            "url": None,
            "record": None,
        }
    guest: Guest | None = observed.facts[CLUSTER].guests.get(plan.vmid) if CLUSTER in observed.facts else None
    if isinstance(plan, ListedPlan) and guest:
        return _listed(app, guest)
    live = live_fact(plan.node, plan.vmid)
    if live not in observed.facts and guest and guest.status in ("running", "stopped"):
        observed = observed.having({live: Live(guest.status == "running")})
    return describe_app(app, plan, observed)


def _listed(app: DesiredApp, guest: Guest) -> dict[str, Any]:
    """As far as the cluster's list knows an app."""
    return {
        "name": app.name,
        "vmid": guest.vmid,
        "node": guest.node,
        "status": guest.status,
        "entry": app.entry,
        "revision": app.release.revision if app.release else None,
        "converge": False,
        "first": False,
        "address": None,
        "ports": app.port_range.ports(guest.vmid),
        "url": None,
        "live": {"status": guest.status, "uptime_s": guest.uptime_s},
        "record": None,
    }
