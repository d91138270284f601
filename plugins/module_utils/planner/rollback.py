# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans the way back from an update that did not become healthy.

The record says so first; then disk and configuration go back to the safety point, and the guest is started. Whether that has been
done is told by the tags: they go back with the configuration, while the notes stay. So the first write sets a tag that the safety
point does not have, and where it is missing, the way back has been gone, be it by a run that was killed right afterwards.
"""

from __future__ import annotations

from dataclasses import replace

from ..archives import Rescue, rescue_pool
from ..desired import DesiredApp, Report
from ..errors import PlanError
from ..model import Notes, Observed, Record, SafetyPoint
from ..plans import AppPlan, Step
from . import facts
from .records import changed_config, next_record, notes_of, refuse_locked, shortened, tags_of, taken_lease, users_tags
from .rescue import begin_rescue, end_rescue, end_rescues
from .safety import STEP_KINDS, closed, is_there, open_point, users_snapshots
from .search import Found

ON_THE_WAY = "px-rollback"


def is_going_back(record: Record) -> bool:
    """A restoration from a backup has the same status; it follows no failed update."""
    return record.status == "restoring" and bool(record.failed) and open_point(record) is not None


def can_go_back(app: DesiredApp, found: Found, observed: Observed) -> bool:
    """Whether a report of failure leads back: there was an update, it is wished, and there is something to go back to."""
    point = open_point(found.record)
    if not found.record.revision or app.on_update_failure != "rollback" or not point or not is_there(point, found, observed):
        return False
    return not _lost_on_the_way(point, found, observed)


def _lost_on_the_way(point: SafetyPoint, found: Found, observed: Observed) -> list[str]:
    """Snapshots of the user's, made since the backup that would be unpacked over the container."""
    return users_snapshots(found, observed) if point.kind == "backup" else []


def told_why_not(found: Found, observed: Observed) -> str:
    """Why an app stays with an update that failed, where it is for what somebody has made meanwhile."""
    point = open_point(found.record)
    lost = _lost_on_the_way(point, found, observed) if point and found.record.revision else []
    return f" It did not go back to its backup, since its snapshots {', '.join(lost)} would be lost." if lost else ""


def plan_rollback(app: DesiredApp, report: Report, found: Found, observed: Observed) -> AppPlan:
    record, config = found.record, found.config
    refuse_locked(app, found.guest, config)
    after = next_record(
        record,
        observed,
        status="restoring",
        wanted=record.revision,
        failed=record.wanted,
        step=report.step,
        error=shortened(_story(app, report, record)),
        lease=taken_lease(app, record, observed),
    )
    wished = {"tags": tuple(sorted({*config.tags, ON_THE_WAY})), "notes": notes_of(app, after, config.notes)}
    return _plan(app, found, observed, (changed_config(config, wished), after), gone_back=False)


def _story(app: DesiredApp, report: Report, record: Record) -> str:
    version = f"{app.release.version} ({record.wanted})" if app.release else f"revision {record.wanted}"
    return f"Update to {version} failed in step '{report.step or '?'}': {report.error or 'no reason was given.'}"


def plan_untouched(app: DesiredApp, report: Report, found: Found, observed: Observed) -> AppPlan:
    """There is nothing to go back from: the app runs as it did before, and the update may be tried again as often as one likes."""
    record, config = found.record, found.config
    after = next_record(
        record,
        observed,
        status="running",
        wanted=record.revision,
        step=report.step,
        error=f"{shortened(_story(app, report, record))} Nothing was changed: {record.entry_version} ({record.revision}) runs as before.",
        safety=closed(record.safety),
        lease=None,
    )
    wished = {"tags": tags_of(after, users_tags(config.tags, record)), "notes": notes_of(app, after, config.notes, report.address)}
    return AppPlan(app.name, report.vmid, report.node, config.digest, tuple(changed_config(config, wished)))


def resume_rollback(app: DesiredApp, found: Found, observed: Observed) -> AppPlan | None:
    """Go on with what a killed run began; nothing where there is nothing left to go back to."""
    record, config = found.record, found.config
    point = open_point(record)
    gone_back = ON_THE_WAY not in config.tags
    if not gone_back and not (point and is_there(point, found, observed)):
        return None
    after = next_record(record, observed, lease=taken_lease(app, record, observed))
    steps = changed_config(config, {"notes": notes_of(app, after, config.notes)}) if after is not record else []
    if point and not gone_back and (lost := _lost_on_the_way(point, found, observed)):
        raise PlanError(
            f"Cannot bring app {app.name} (guest {found.guest.vmid}) back: it would lose its snapshots {', '.join(lost)}, made since "
            "the backup that it goes back to. Remove them, then run again."
        )
    plan = _plan(app, found, observed, (steps, after), gone_back)
    if plan.steps:
        refuse_locked(app, found.guest, config)
    return plan


def plan_return(app: DesiredApp, report: Report, found: Found, observed: Observed) -> AppPlan:
    """What the record says once the previous revision has been proven healthy, or has not."""
    record, config = found.record, found.config
    returned = f"It came back to {record.entry_version or 'revision'} ({record.revision})."
    lost = f"The previous revision did not become healthy either, in step '{report.step or '?'}': {report.error}"
    after = next_record(
        record,
        observed,
        status="running" if report.healthy else "error",
        error=f"{shortened(record.error)} {returned if report.healthy else shortened(lost)}",
        safety=closed(record.safety),
        lease=None,
    )
    wished = {"tags": tags_of(after, users_tags(config.tags, record)), "notes": notes_of(app, after, config.notes, report.address)}
    return AppPlan(app.name, report.vmid, report.node, config.digest, tuple(changed_config(config, wished)))


def _plan(app: DesiredApp, found: Found, observed: Observed, written: tuple[list[Step], Record], gone_back: bool) -> AppPlan:
    guest, config = found.guest, found.config
    first, after = written
    live = facts.live(observed, guest.node, guest.vmid)
    point = open_point(after)
    begin, end = _rescue(point, found, observed, gone_back)
    back = [] if gone_back or not point else _way_back(point, found, notes_of(app, after, config.notes), live.running)
    start = [Step("start", "guest", guest.vmid, {"running": False}, {"running": True})] if back or not live.running else []
    steps = (*first, *begin, *back, *start, *(end if app.safety.prune else ()))
    return AppPlan(app.name, guest.vmid, guest.node, config.digest, steps, converge=True)


def _rescue(point: SafetyPoint | None, found: Found, observed: Observed, gone_back: bool) -> tuple[list[Step], list[Step]]:
    """What is said before a backup is unpacked over the container, and no longer when it is whole again."""
    if not point or point.kind != "backup":
        return [], []
    name, vmid, node = found.record.name, found.guest.vmid, found.guest.node
    if gone_back:
        return [], end_rescues(name, observed)
    archive = facts.safety_backup(observed, node, point.storage, vmid, point.name)
    rescue = Rescue(rescue_pool(name, vmid), node, found.config.disk_storage, archive)
    return begin_rescue(name, vmid, rescue, observed), [end_rescue(rescue.pool, vmid)]


def _way_back(point: SafetyPoint, found: Found, notes: Notes, running: bool) -> list[Step]:
    """A snapshot's rollback ends a running guest itself; a backup is restored over a stopped one, and would bring the old notes back."""
    config, vmid = found.config, found.guest.vmid
    tags = tuple(tag for tag in config.tags if tag != ON_THE_WAY)
    step = Step("rollback", STEP_KINDS[point.kind], vmid, {"name": point.name}, {"tags": tags, "running": False})
    if point.kind == "snapshot":
        return [step]
    stop = [Step("stop", "guest", vmid, {"running": True}, {"running": False})] if running else []
    saved = {"storage": point.storage, "disk_storage": config.disk_storage, "notes": notes}
    return [*stop, replace(step, after={**(step.after or {}), **saved})]
