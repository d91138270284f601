# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans an app that is there: only what differs, in one write of its configuration, then its disk, then its power."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..desired import DesiredApp
from ..errors import PlanError
from ..model import GuestConfig, Live, Observed, Record
from ..plans import AppPlan, Step
from . import facts
from .records import SETTLED, address_of, next_record, notes_of, refuse_leased, refuse_locked, tags_of, taken_lease, users_tags
from .search import Found

CLOCKS_DIFFER = timedelta(minutes=1)


def plan_adjustment(app: DesiredApp, found: Found, observed: Observed) -> AppPlan:
    guest, config, record = found.guest, found.config, found.record
    refuse_leased(app, record, observed)
    if record.adopted and app.release:
        raise PlanError(
            f"App {app.name} (guest {guest.vmid}) was adopted as it is, and nothing is rolled out over it. "
            "Leave out catalog_id and definition."
        )
    live = facts.live(observed, guest.node, guest.vmid)
    rollout = needs_rollout(app, record)
    record_after = _next_record(app, record, rollout, observed)
    config_steps = changed_config(config, _wished(app, found) | _record_keys(app, found, record_after, live))
    steps = (*config_steps, *_disk_steps(app, config), *_power_steps(app, found, live, rollout, observed))
    if steps:
        refuse_locked(app, guest, config)
    moved = (
        [f"App {app.name} is on node {guest.node}, not on {app.node}: node counts only when an app is created."]
        if app.node not in (None, guest.node)
        else []
    )
    return AppPlan(
        name=app.name,
        vmid=guest.vmid,
        node=guest.node,
        digest=config.digest,
        steps=steps,
        converge=app.state != "stopped" and (rollout or app.verify),
        first=not record.revision and not record.adopted,
        warnings=tuple(moved),
    )


def needs_rollout(app: DesiredApp, record: Record) -> bool:
    """Whether work in the guest is needed: another revision, or one whose work has not been finished."""
    if app.release is None or app.state == "stopped":
        return False
    return {record.revision, record.wanted} != {app.release.revision} or record.status not in SETTLED


def _record_keys(app: DesiredApp, found: Found, record: Record, live: Live) -> dict[str, Any]:
    kept = users_tags(found.config.tags, found.record) if app.tags is None else app.tags
    changed = record is not found.record
    notes = notes_of(app, record, found.config.notes, address_of(found.config, live)) if changed else None
    return {"tags": tags_of(record, kept), "notes": notes}


def changed_config(config: GuestConfig, wished: dict[str, Any]) -> list[Step]:
    """One step for the keys that are managed (not None) and differ."""
    differing = {key: value for key, value in wished.items() if value is not None and value != getattr(config, key)}
    before = {key: getattr(config, key) for key in differing}
    return [Step("update", "config", config.vmid, before, differing)] if differing else []


def _wished(app: DesiredApp, found: Found) -> dict[str, Any]:
    managed = {key: value for key, value in vars(app.network).items() if value is not None and key != "rest"}
    return {
        "hostname": None if found.record.adopted else app.name,  # guests are found by it
        "cores": app.resources.cores,
        "memory_mb": app.resources.memory_mb,
        "swap_mb": app.resources.swap_mb,
        "network": replace(found.config.network, **managed),
        "nameservers": app.nameservers,
        "search_domain": app.search_domain,
        "onboot": app.onboot,
        "startup": app.startup,
        "protection": app.protection,
    }


def _next_record(app: DesiredApp, record: Record, rollout: bool, observed: Observed) -> Record:
    changes: dict[str, Any] = {} if app.owner is None else {"owner": app.owner}
    if rollout and app.release:
        again = record.wanted == app.release.revision
        lease = taken_lease(app, record, observed)
        changes |= {
            "status": "updating" if record.revision else "deploying",
            "wanted": app.release.revision,
            "environment": app.release.environment,
            "step": "",
            "error": "",
            "lease": lease,
            "attempt": record.attempt if lease is record.lease else record.attempt + 1 if again else 1,
        }
    elif app.state == "stopped":
        changes |= {"status": "stopped", "lease": None}
    elif app.state != "present" and record.status == "stopped":
        changes |= {"status": "running"}
    return next_record(record, observed, **changes)


def _disk_steps(app: DesiredApp, config: GuestConfig) -> list[Step]:
    if app.resources.disk_gb is None:
        return []
    wished_mb = app.resources.disk_gb * 1024
    if wished_mb < config.disk_mb:
        raise PlanError(
            f"Cannot shrink the disk of app {app.name} (guest {config.vmid}) "
            f"from {config.disk_mb / 1024:g} to {app.resources.disk_gb} GB: disks only grow."
        )
    return [Step("grow", "disk", config.vmid, {"disk_mb": config.disk_mb}, {"disk_mb": wished_mb})] if wished_mb > config.disk_mb else []


def _power_steps(app: DesiredApp, found: Found, live: Live, rollout: bool, observed: Observed) -> list[Step]:
    vmid, node = found.guest.vmid, found.guest.node
    running, stopped = {"running": True}, {"running": False}
    if app.state == "stopped":
        return [Step("stop", "guest", vmid, running, stopped)] if live.running else []
    if not live.running:
        return [Step("start", "guest", vmid, stopped, running)] if app.state != "present" or rollout else []
    if app.state == "restarted" and app.restarted_after:
        if app.restarted_after > observed.now + CLOCKS_DIFFER:
            raise PlanError(
                f"restarted_after is {app.restarted_after:%Y-%m-%d %H:%M:%S} UTC, which is yet to come: give a moment that has passed."
            )
        started = facts.started(observed, node, vmid)
        if started and started < app.restarted_after:
            return [Step("restart", "guest", vmid, {"started": started}, {"started": observed.now})]
    return []
