# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans what a record says after the work in the guest, and the cleaning away of a first deployment that failed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..desired import DesiredApp, Hold, Report
from ..errors import PlanError
from ..model import SETTLING, Fact, Guest, GuestConfig, Observed, Record
from ..plans import AppPlan
from . import facts
from .deletion import delete_found, is_our_first_deployment
from .records import (
    changed_config,
    held_by_us,
    next_record,
    notes_of,
    our_lease,
    refuse_fenced,
    refuse_leased,
    shortened,
    tags_of,
    users_tags,
)
from .rollback import can_go_back, is_going_back, plan_return, plan_rollback, plan_untouched, resume_rollback, told_why_not
from .safety import closed
from .search import Found


def plan_report(app: DesiredApp, report: Report, observed: Observed) -> AppPlan:
    report = replace(report, node=_node_now(report.node, report.vmid, observed))
    found = _find(app, report.node, report.vmid, observed)
    refuse_leased(app, found.record, observed)
    plan = _plan_report(app, report, found, observed)
    if plan.steps and report.epoch:
        refuse_fenced(app, found.record, report.epoch, observed)
    return plan


def _plan_report(app: DesiredApp, report: Report, found: Found, observed: Observed) -> AppPlan:
    record, config = found.record, found.config
    if is_going_back(record):
        return _returning(app, report, found, observed)
    if report.restored or (report.healthy and is_settled(record, report.revision)) or (report.untouched and is_settled(record, "")):
        return AppPlan(app.name, report.vmid, report.node)  # it says so already
    if report.untouched and not report.healthy and record.status == "updating" and record.revision not in ("", record.wanted):
        return plan_untouched(app, report, found, observed)
    if not report.healthy and can_go_back(app, found, observed):
        return plan_rollback(app, report, found, observed)
    if not report.healthy and app.on_failure == "cleanup" and is_our_first_deployment(found, observed):
        return clean_away(app, found, observed)
    if report.healthy:
        revision = report.revision or record.wanted
        version = app.release.version if app.release else record.entry_version
        settled: dict[str, Any] = {"status": "running", "revision": revision, "wanted": revision, "entry_version": version, "lease": None}
        fresh = {"step": "", "error": "", "attempt": 1, "failed": "", "safety": closed(record.safety)}
        if app.release:
            settled |= {"environment": app.release.environment, "catalog": app.release.catalog}
        after = next_record(record, observed, **settled, **fresh)
    else:
        told = shortened(report.error) + (told_why_not(found, observed) if app.on_update_failure == "rollback" else "")
        after = next_record(record, observed, status="error", step=report.step, error=told, lease=None)
    wished = {"tags": tags_of(after, users_tags(config.tags, record))}
    if after is not record:
        wished["notes"] = notes_of(app, after, config.notes, report.address)  # type: ignore[assignment]
    return AppPlan(app.name, report.vmid, report.node, config.digest, tuple(changed_config(config, wished)))


def is_settled(record: Record, revision: str) -> bool:
    return record.status == "running" and record.lease is None and {record.revision, record.wanted} == {revision or record.wanted}


def _returning(app: DesiredApp, report: Report, found: Found, observed: Observed) -> AppPlan:
    """On the way back: what was cut off goes on, and what is told of the previous revision ends it."""
    if report.restored:
        return plan_return(app, report, found, observed)
    plan = resume_rollback(app, found, observed)
    if plan is None:
        raise PlanError(f"Cannot bring app {app.name} (guest {report.vmid}) back: its safety point is gone. Run the deployment again.")
    return plan


def plan_own_failure(app: DesiredApp, report: Report, observed: Observed) -> AppPlan:
    """A failure before the work in the guest began: only of what this run holds, and never of the way back, which the next run goes on."""
    guest = facts.cluster(observed).guests.get(report.vmid)
    found = _find(app, guest.node, report.vmid, observed) if guest else None
    if not found or not held_by_us(found.record, observed) or found.record.status not in ("deploying", "updating"):
        return AppPlan(app.name)
    where = replace(report, node=found.guest.node)
    return _plan_report(replace(app, on_failure="keep", on_update_failure="keep"), where, found, observed)


def plan_hold(app: DesiredApp, hold: Hold, observed: Observed) -> AppPlan:
    """Renew the lease of work that goes on, once less than half of it is left; refuse where somebody has taken over."""
    node = _node_now(hold.node, hold.vmid, observed)
    found = _find(app, node, hold.vmid, observed)
    record, config = found.record, found.config
    refuse_leased(app, record, observed)
    refuse_fenced(app, record, hold.epoch, observed)
    after = record
    if record.lease and record.lease.until - observed.now < timedelta(seconds=app.timeouts.lease_s / 2):
        after = next_record(record, observed, lease=our_lease(app, hold.epoch, observed))
    notes = notes_of(app, after, config.notes) if after is not record else None
    return AppPlan(app.name, hold.vmid, node, config.digest, tuple(changed_config(config, {"notes": notes})), converge=True)


def plan_clean_up(app: DesiredApp, vmid: int, observed: Observed) -> AppPlan:
    guest = facts.cluster(observed).guests.get(vmid)  # on any node: a copy may have been about to move
    if not guest:
        return AppPlan(app.name)
    config = facts.configs(observed, [guest])[vmid]
    record = config.notes.record
    if record is None or record.name != app.name or record.vmid != vmid:
        return AppPlan(app.name)
    found = Found(guest, config, record)
    return clean_away(app, found, observed) if is_our_first_deployment(found, observed) else AppPlan(app.name)


def clean_away(app: DesiredApp, found: Found, observed: Observed) -> AppPlan:
    """Whether it is protected does not matter: it has never held anything."""
    return delete_found(replace(app, ignore_protection=True), found, observed)


def _node_now(node: str, vmid: int, observed: Observed) -> str:
    """Whoever reports has been in the guest for a while, and it may have been moved meanwhile; looked for only where it is gone."""
    guest = facts.cluster(observed).guests.get(vmid) if observed.moved else None
    return guest.node if guest else node


def _find(app: DesiredApp, node: str, vmid: int, observed: Observed) -> Found:
    config: GuestConfig | None = facts.known(observed, Fact("config", (node, vmid)))[0]
    if config and config.lock in SETTLING:
        config = facts.known(observed, Fact("settled", (node, vmid)))[0]
    record = config.notes.record if config else None
    if config is None or record is None or record.vmid != vmid or record.name != app.name:
        raise PlanError(
            f"Cannot report on app {app.name}: guest {vmid} on node {node} does not carry its record. Run the deployment again."
        )
    return Found(Guest(vmid, node), config, record)
