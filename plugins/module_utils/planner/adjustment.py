# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans an app that is there: only what differs, in one write of its configuration, then its disk, then its power."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..desired import DesiredApp
from ..errors import PlanError
from ..model import GuestConfig, Live, Observed, Record, SafetyPoint
from ..plans import AppPlan, Step
from . import facts
from .interrupted import pending_of
from .leftovers import clone_leftovers
from .moving import arranged, node_after, plan_move
from .records import (
    SETTLED,
    address_of,
    changed_config,
    is_unfinished_clone,
    next_record,
    notes_of,
    refuse_leased,
    refuse_locked,
    tags_of,
    taken_lease,
    users_tags,
)
from .restarts import plan_restart
from .rollback import is_going_back, resume_rollback
from .safety import plan_safety
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
    if is_going_back(record) and (returning := resume_rollback(app, found, observed)):
        return returning
    live = facts.live(observed, guest.node, guest.vmid)
    rollout = needs_rollout(app, record)
    if rollout:
        _refuse_exhausted(app, record)
    safety = plan_safety(app, found, rollout, observed)
    runs = live.running and app.state != "stopped"  # what is to be stopped goes after that
    move = plan_move(app, found, runs, rollout, observed)
    record_after = _next_record(app, record, rollout, move.kept(safety.points), observed)
    power = _power_steps(app, found, live, rollout, observed)
    given_up = _told_given_up(app, record, record_after)
    restart = plan_restart(app, config, _wished(app, found) | (_shielded(app, record) if given_up else {}), live, power)
    config_steps = changed_config(config, restart.wished | _record_keys(app, found, record_after, live))
    before = (*clone_leftovers(record, observed), *safety.prunes, *move.prunes, *config_steps, *_disk_steps(app, config))
    restarts = () if move.steps and runs else restart.steps  # it is started anew where it goes
    stops, starts = ([step for step in restart.rest if (step.verb == "stop") == is_stop] for is_stop in (True, False))
    steps = arranged((*before, *restarts, *safety.makes, *stops, *move.steps, *starts), guest.node)
    if steps:
        refuse_locked(app, guest, config)
    return AppPlan(
        name=app.name,
        vmid=guest.vmid,
        node=node_after(steps, guest.node),
        digest=config.digest,
        steps=steps,
        converge=app.state != "stopped" and (rollout or app.verify),
        first=not record.revision and not record.adopted,
        warnings=(*move.warnings, *restart.warnings, *given_up),
    )


def needs_rollout(app: DesiredApp, record: Record) -> bool:
    """Whether work in the guest is needed: another revision, or one whose work has not been finished."""
    if app.state == "stopped":
        return False
    if app.release is None:
        return is_unfinished_clone(record)
    return {record.revision, record.wanted} != {app.release.revision} or record.status not in SETTLED


def _record_keys(app: DesiredApp, found: Found, record: Record, live: Live) -> dict[str, Any]:
    kept = users_tags(found.config.tags, found.record) if app.tags is None else app.tags
    changed = record is not found.record
    notes = notes_of(app, record, found.config.notes, address_of(found.config, live)) if changed else None
    return {"tags": tags_of(record, kept), "notes": notes}


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


def _refuse_exhausted(app: DesiredApp, record: Record) -> None:
    """A schedule that runs every hour must not take an app down every hour for an update that never becomes healthy."""
    if app.release and record.failed == app.release.revision and 0 < app.update_attempts <= record.attempt and record.status in SETTLED:
        raise PlanError(
            f"App {app.name} (guest {record.vmid}) runs {record.entry_version} ({record.revision}), and {app.release.version} "
            f"({record.failed}) is not tried again after {record.attempt} attempts. {record.error} "
            "Mend the cause and set update_attempts higher, or wish for something else."
        )


def _next_record(app: DesiredApp, record: Record, rollout: bool, safety: tuple[SafetyPoint, ...], observed: Observed) -> Record:
    changes: dict[str, Any] = {"safety": safety} if app.owner is None else {"safety": safety, "owner": app.owner}
    if rollout or app.state == "stopped":
        pending = pending_of(record)
        changes |= {"restored": pending.over if pending.mark else record.restored}
    if rollout:
        wanted = app.release.revision if app.release else record.wanted
        again = wanted in (record.wanted, record.failed)
        lease = taken_lease(app, record, observed)
        changes |= {
            "status": "updating" if record.revision else "cloning" if record.source else "deploying",
            "wanted": wanted,
            "environment": app.release.environment if app.release and not record.revision else record.environment,
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


def _told_given_up(app: DesiredApp, record: Record, after: Record) -> tuple[str, ...]:
    """A restore that broke off before anything was replaced: who wishes for the app as it is has the last word."""
    if after.restored == record.restored:
        return ()
    return (
        f"A restore of app {app.name} from {pending_of(record).volume} broke off before anything of it was replaced. "
        "It goes on with what it holds now; restore it again if that is still meant.",
    )


def _shielded(app: DesiredApp, record: Record) -> dict[str, Any]:
    """A restore lifts the protection first: where it is given up, that comes back."""
    return {"protection": True} if app.protection is None and pending_of(record).protected else {}


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
