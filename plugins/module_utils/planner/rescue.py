# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What keeps an app from being lost while a backup is unpacked in its place.

Proxmox destroys the old container before it unpacks a backup over it. Where that fails, or whoever is at it dies, container and record
are gone. So beforehand a pool is made whose name tells of the app, and is seen by every run that finds no such app: instead of making
an empty one, it brings back what was to be unpacked. Afterwards the pool goes.
"""

from __future__ import annotations

from ..archives import Rescue, parse_rescue_pool, rescue_pool
from ..desired import DesiredApp
from ..errors import PlanError, Unseen
from ..model import Fact, GuestConfig, Observed, Record
from ..plans import AppPlan, Step
from . import facts
from .records import next_record, notes_of, restore_command, taken_lease
from .safety import open_point


def begin_rescue(name: str, vmid: int, rescue: Rescue, observed: Observed) -> list[Step]:
    """Before a backup is unpacked over a container; one that tells of another backup is from an earlier time."""
    pool, cluster = rescue.pool, facts.cluster(observed)
    make = Step("create", "rescue", vmid, None, {"pool": pool, "storage": rescue.storage, "archive": rescue.archive}, rescue.node)
    if pool not in cluster.pools:
        return [make]
    told = _told(pool, observed)
    if told is None:
        raise PlanError(f"Pool {pool} is none of ours, and would have to tell that app {name} is being restored. Rename or remove it.")
    return [] if told == rescue else [end_rescue(pool, vmid), make]


def end_rescues(name: str, observed: Observed) -> list[Step]:
    """The app is whole, or is not wanted any more. What a pool says proves that it is ours."""
    told = ((pool, parse_rescue_pool(pool)) for pool in sorted(facts.cluster(observed).pools))
    named = [(pool, about[0]) for pool, about in told if about and about[1] == name]
    return [end_rescue(pool, vmid) for pool, vmid in named if _told(pool, observed)]


def told_of(name: str, observed: Observed) -> Rescue | None:
    """What is left of an app, where a restore of it broke off."""
    begun = next(iter(end_rescues(name, observed)), None)
    return _told(rescue_pool(name, begun.id), observed) if begun else None


def end_rescue(pool: str, vmid: int) -> Step:
    return Step("delete", "rescue", vmid, {"pool": pool}, None)


def plan_rescue(app: DesiredApp, observed: Observed) -> AppPlan | None:
    """Bring back an app that is not there since the backup that it was to go back to could not be unpacked; None where it never was."""
    begun = next(iter(end_rescues(app.name, observed)), None)
    rescue = told_of(app.name, observed)
    if not begun or not rescue:
        return None
    saved = _saved(app, begun.id, rescue, observed)
    record = saved.notes.record
    point = open_point(record) if record else None
    if not record or not point or (record.name, record.vmid, point.kind) != (app.name, begun.id, "backup"):
        raise PlanError(f"{_lost(app.name, begun.id, rescue)} {_ways_out(app.name, rescue)}")
    after = _record(app, record, observed)
    wished = {"hostname": saved.hostname, "network": saved.network, "tags": saved.tags, "notes": notes_of(app, after, saved.notes)}
    where = {"archive": rescue.archive, "storage": rescue.storage, "node": rescue.node}
    restore = Step("restore", "guest", begun.id, None, {**where, **wished})
    start = Step("start", "guest", begun.id, {"running": False}, {"running": True})
    warning = f"{_lost(app.name, begun.id, rescue)} It is brought back from there."
    return AppPlan(app.name, begun.id, rescue.node, steps=(restore, start, begun), converge=True, warnings=(warning,))


def _told(pool: str, observed: Observed) -> Rescue | None:
    found: Rescue | None = facts.known(observed, Fact("rescue", (pool,)))[0]
    return found


def _saved(app: DesiredApp, vmid: int, rescue: Rescue, observed: Observed) -> GuestConfig:
    """What the backup holds; refuses where it can not be unpacked with the app's number."""
    cluster, lost = facts.cluster(observed), _lost(app.name, vmid, rescue)
    if not cluster.is_online(rescue.node):
        raise Unseen(f"{lost} Node {rescue.node} is offline: run again when it is back.", vmid)
    holder = cluster.guests.get(vmid)
    if holder and holder.lock == "create":
        raise PlanError(
            f"{lost} What was unpacked of it was never finished: if no task works on guest {vmid}, run `pct unlock {vmid}` and "
            f"`pct destroy {vmid}` on node {holder.node}, then run again."
        )
    if holder or vmid in observed.hidden:
        whose = f"guest {holder.name or '?'} on node {holder.node}" if holder else "a guest that this token does not see"
        raise PlanError(f"{lost} Its number is that of {whose} now. Move that elsewhere and run again. {_ways_out(app.name, rescue)}")
    there = facts.known(observed, Fact("archives", (rescue.node, rescue.archive.partition(":")[0])))[0]
    if rescue.archive not in [archive.volume for archive in there]:
        raise PlanError(f"{lost} That backup is gone, too. Restore another one, or set state: absent to begin anew.")
    saved: GuestConfig = facts.known(observed, Fact("archived", (rescue.node, rescue.archive)))[0]
    return saved


def _record(app: DesiredApp, record: Record, observed: Observed) -> Record:
    """That of an app which has gone back, and whose previous revision is still to be proven."""
    return next_record(
        record,
        observed,
        status="restoring",
        wanted=record.revision,
        failed=record.wanted,
        step="restore",
        error=f"Update to revision {record.wanted} failed, and the way back broke off when the container was gone.",
        lease=taken_lease(app, record, observed),
    )


def _lost(name: str, vmid: int, rescue: Rescue) -> str:
    return f"App {name} (guest {vmid}) was being restored when that broke off: all that is left of it is backup {rescue.archive}."


def _ways_out(name: str, rescue: Rescue) -> str:
    return (
        f"Finish with {restore_command(name, rescue.archive)} or proximity_backup (state: restored, name: {name}, "
        f"backup: '{rescue.archive}'), or set state: absent to begin anew; the backup stays."
    )
