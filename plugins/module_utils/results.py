# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a module tells: plain data, the same in a check as in a real run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from .desired import DesiredApp
from .errors import StepFailed, TaskError
from .model import Guest, Live, Network, Notes, Observed, Record
from .planner.facts import CLUSTER, live_fact, observed_config
from .planner.records import SETTLED, address_of, url_of
from .planner.safety import open_point
from .plans import AppPlan, Step
from .wire.notes import record_data
from .wire.times import format_time

SHOWN_OF_RECORD = ("status", "revision", "wanted", "failed", "step", "error", "owner", "entry_version", "catalog")
SHOWN_FAILURES = 10


def step_data(step: Step) -> dict[str, Any]:
    return {"verb": step.verb, "kind": step.kind, "id": step.id, "before": plain(step.before), "after": plain(step.after)}


def diff_of(what: str, steps: Iterable[Step]) -> dict[str, Any]:
    """Before and after of all that the steps change, by key."""
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for step in steps:
        before = {**plain(step.before or {}), **before}
        after = {} if (step.verb, step.kind) == ("delete", "guest") else {**after, **plain(step.after or {})}
    return {"before_header": what, "after_header": what, "before": before, "after": after}


def plain(value: Any) -> Any:
    """Dataclasses as mappings, tuples as lists, moments as text; of notes only what a reader cares for."""
    if isinstance(value, Notes):
        return {key: getattr(value.record, key) for key in SHOWN_OF_RECORD} if value.record else {}
    if isinstance(value, Network):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if getattr(value, field.name)}
    if isinstance(value, datetime):
        return format_time(value)
    if isinstance(value, Mapping):
        return {key: plain(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def failure_data(error: Exception) -> dict[str, Any]:
    """What was done before a failure, what failed, and what was not begun."""
    data: dict[str, Any] = {"changed": bool(getattr(error, "done", ()))}
    if isinstance(error, StepFailed):
        steps = {"done": error.done, "failed": [error.failed], "not_started": error.not_started}
        data["steps"] = {key: [f"{step.verb} {step.kind} {step.id}" for step in each] for key, each in steps.items()}
    if isinstance(cause := error.__cause__, TaskError):
        data["task"] = {"upid": cause.upid, "exitstatus": cause.exitstatus, "log": list(cause.log)}
    return data


def told_failures(plans: Iterable[AppPlan]) -> str:
    """One sentence about all that failed; empty when nothing did."""
    plans = list(plans)
    failed = [each for each in plans if each.refusal]
    if not failed:
        return ""
    more = f" And {len(failed) - SHOWN_FAILURES} more, see apps." if len(failed) > SHOWN_FAILURES else ""
    told = " ".join(f"{each.name} - {each.refusal}" for each in failed[:SHOWN_FAILURES])
    return f"{len(failed)} of {len(plans)} failed. {told}{more}"


def describe_app(app: DesiredApp, plan: AppPlan, observed: Observed) -> dict[str, Any]:
    """The `app` of a result: its record together with what its guest does right now."""
    config = observed_config(observed, plan.node, plan.vmid)
    record = config.notes.record if config else None
    if not config or not record or any((step.verb, step.kind) == ("delete", "guest") for step in plan.steps):
        return {
            "name": app.name,
            "vmid": None,
            "node": None,
            "status": "absent",
            "converge": False,
            "first": False,
            "address": None,
            "url": None,
            "record": None,
        }
    live: Live | None = observed.facts.get(live_fact(plan.node, plan.vmid))
    address = address_of(config, live) or (app.report.address if app.report else "")
    return {
        "name": app.name,
        "vmid": plan.vmid,
        "node": plan.node,
        "status": _status(record, live),
        "entry": record.entry,
        "entry_version": record.entry_version,
        "revision": record.wanted,
        "converge": plan.converge,
        "first": plan.first,
        **_rollout(app, plan, record),
        "address": address or None,
        "ports": dict(record.ports),
        "url": url_of(app, address, record) or None,
        "live": {"status": _power(live), "uptime_s": _uptime(plan, observed)},
        "owner": record.owner,
        "record": record_data(record),
    }


def _rollout(app: DesiredApp, plan: AppPlan, record: Record) -> dict[str, Any]:
    """What an update under way changes, as far as a record knows; what that means for services, only the guest knows."""
    release = app.release
    if not release or app.report or record.status != "updating" or record.revision in ("", record.wanted):
        return {}
    point = open_point(record)
    changes = {
        "revision": (record.revision, record.wanted),
        "entry_version": (record.entry_version, release.version),
        "environment": (list(record.environment), list(release.environment)),
    }
    told: dict[str, Any] = {key: {"from": before, "to": after} for key, (before, after) in changes.items()}
    before = (step.before["notes"].record for step in plan.steps if step.before and "notes" in step.before)
    settled = any(each.status in SETTLED for each in before if each)
    return {"rollout": {**told, "safety": {"kind": point.kind, "name": point.name} if point else None, "settled": settled}}


def _status(record: Record, live: Live | None) -> str:
    """A record says what was last known, and the guest what is so now."""
    if record.status in ("running", "stopped") and live:
        return _power(live)
    return record.status


def _power(live: Live | None) -> str:
    return "unknown" if live is None else "running" if live.running else "stopped"


def _uptime(plan: AppPlan, observed: Observed) -> int | None:
    """From the cluster's list, which may be ten seconds old."""
    guest: Guest | None = observed.facts[CLUSTER].guests.get(plan.vmid) if CLUSTER in observed.facts else None
    return guest.uptime_s if guest else None
