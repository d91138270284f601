# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans what a record says after the work in the guest, and the cleaning away of a first deployment that failed."""

from __future__ import annotations

from dataclasses import replace

from ..desired import DesiredApp, Report
from ..errors import PlanError
from ..model import Fact, Guest, GuestConfig, Observed
from ..plans import AppPlan
from . import facts
from .adjustment import changed_config
from .deletion import delete_found, is_our_first_deployment
from .records import next_record, notes_of, refuse_leased, shortened, tags_of, users_tags
from .search import Found


def plan_report(app: DesiredApp, report: Report, observed: Observed) -> AppPlan:
    found = _find(app, report.node, report.vmid, observed)
    record, config = found.record, found.config
    refuse_leased(app, record, observed)
    if not report.healthy and app.on_failure == "cleanup" and is_our_first_deployment(found, observed):
        return clean_away(app, found, observed)
    if report.healthy:
        revision = report.revision or record.wanted
        version = app.release.version if app.release else record.entry_version
        after = next_record(
            record,
            observed,
            status="running",
            revision=revision,
            wanted=revision,
            entry_version=version,
            step="",
            error="",
            lease=None,
            attempt=1,
        )
    else:
        after = next_record(record, observed, status="error", step=report.step, error=shortened(report.error), lease=None)
    wished = {"tags": tags_of(after, users_tags(config.tags, record))}
    if after is not record:
        wished["notes"] = notes_of(app, after, config.notes, report.address)  # type: ignore[assignment]
    return AppPlan(app.name, report.vmid, report.node, config.digest, tuple(changed_config(config, wished)))


def plan_clean_up(app: DesiredApp, node: str, vmid: int, observed: Observed) -> AppPlan:
    guest = facts.cluster(observed).guests.get(vmid)
    if not guest or guest.node != node:
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


def _find(app: DesiredApp, node: str, vmid: int, observed: Observed) -> Found:
    config: GuestConfig | None = facts.known(observed, Fact("config", (node, vmid)))[0]
    record = config.notes.record if config else None
    if config is None or record is None or record.vmid != vmid or record.name != app.name:
        raise PlanError(
            f"Cannot report on app {app.name}: guest {vmid} on node {node} does not carry its record. Run the deployment again."
        )
    return Found(Guest(vmid, node), config, record)
