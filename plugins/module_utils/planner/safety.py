# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Safety points: where an update goes back to, what they are made of, and which old ones go."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from typing import Any

from ..archives import rescue_pool
from ..desired import DesiredApp
from ..errors import PlanError
from ..model import Fact, Observed, Record, SafetyPoint
from ..plans import Step
from . import facts
from .search import Found

OURS = "px-"
PREFIX = f"{OURS}safety-"
OF_BACKUPS = "vzdump"
"""The snapshot that a backup of Proxmox is read from; nobody else can call one so. It stays where the node loses power meanwhile."""
STEP_KINDS = {"snapshot": "snapshot", "backup": "safety-backup"}


@dataclass(frozen=True)
class Safety:
    """What the record says of safety points from now on, what is removed before that is written, and what is made after it."""

    points: tuple[SafetyPoint, ...] = ()
    prunes: tuple[Step, ...] = ()
    makes: tuple[Step, ...] = ()


def open_point(record: Record) -> SafetyPoint | None:
    """The point of an update that is not finished."""
    return next((point for point in record.safety if point.open), None)


def closed(points: tuple[SafetyPoint, ...]) -> tuple[SafetyPoint, ...]:
    return tuple(replace(point, open=False) for point in points)


def is_there(point: SafetyPoint, found: Found, observed: Observed) -> bool:
    node, vmid = found.guest.node, found.guest.vmid
    if point.kind == "snapshot":
        return point.name in facts.snapshots(observed, node, vmid)
    return bool(facts.safety_backup(observed, node, point.storage, vmid, point.name))


def plan_safety(app: DesiredApp, found: Found, rollout: bool, observed: Observed) -> Safety:
    """Before an update touches anything, a new point; one that a run before this one made for the same update is good enough."""
    record = found.record
    if app.release is None:
        return Safety(record.safety)
    point = open_point(record)
    if rollout and record.revision and point and is_there(point, found, observed):
        new = None
    elif rollout and record.revision and (point or app.release.revision != record.revision):
        new = _new_point(app, found, observed)
    else:
        new = None
    lost = point if new else None
    kept, dropped = _sorted_out(app, tuple(each for each in record.safety if each is not lost), bool(new), observed)
    makes = (_make(new, record),) if new else ()
    return Safety((*kept, *((new,) if new else ())), tuple(_remove(each, record.vmid) for each in dropped), makes)


def _sorted_out(
    app: DesiredApp, points: tuple[SafetyPoint, ...], one_more: bool, observed: Observed
) -> tuple[list[SafetyPoint], list[SafetyPoint]]:
    """Those that stay and those that go, by count (newest first) and by age; never the one of an unfinished update."""
    oldest = observed.now - timedelta(days=app.safety.max_age_d) if app.safety.max_age_d else None
    room = app.safety.keep - one_more - sum(point.open for point in points)
    kept: list[SafetyPoint] = []
    dropped: list[SafetyPoint] = []
    for _place, point in sorted(enumerate(points), key=lambda pair: (pair[1].made, pair[0]), reverse=True):
        aged = oldest is not None and point.made < oldest
        stays = point.open or not app.safety.prune or (not aged and room > 0)
        room -= stays and not point.open
        (kept if stays else dropped).append(point)
    return [point for point in points if point in kept], dropped[::-1]


def _new_point(app: DesiredApp, found: Found, observed: Observed) -> SafetyPoint | None:
    kind, storage = _kind(app, found, observed)
    if kind == "none":
        return None
    if (lost := open_point(found.record)) and (lost.kind, lost.storage) == (kind, storage):
        return lost  # under its own name: what was begun for it may still come about
    seen = observed.facts.get(Fact("snapshots", (found.guest.node, found.guest.vmid)), ())
    taken = {*seen, *(point.name for point in found.record.safety)}
    names = (f"{PREFIX}{second:x}" for second in count(int(observed.now.timestamp())))
    return SafetyPoint(kind, next(name for name in names if name not in taken), observed.now, found.record.revision, storage, open=True)


def _kind(app: DesiredApp, found: Found, observed: Observed) -> tuple[str, str]:
    """What the point is made of, and for a backup where it goes; refuses what cannot be."""
    wish, guest = app.safety.kind, found.guest
    if wish == "none":
        return "none", ""
    cannot = f"Cannot update app {app.name} (guest {guest.vmid}) safely: "
    if wish != "backup":
        if facts.snapshots_possible(observed, guest.node, guest.vmid):
            return "snapshot", ""
        if wish == "snapshot":
            raise PlanError(
                f"{cannot}storage {found.config.disk_storage} takes no snapshots. "
                "Set safety: backup, or safety: none to update without a way back."
            )
    storages = [
        each for each in facts.cluster(observed).storages if each.node == guest.node and each.available and "backup" in each.content
    ]
    if not storages:
        without = "" if wish == "backup" else f"storage {found.config.disk_storage} takes no snapshots, and "
        raise PlanError(f"{cannot}{without}node {guest.node} has no storage for backups. Set safety: none to update without a way back.")
    _refuse_without_return(app, found, cannot, observed)
    begun = next((point.storage for point in found.record.safety if point.open), "")
    return "backup", max(storages, key=lambda each: (each.name == begun, each.free_mb, each.name)).name


def _refuse_without_return(app: DesiredApp, found: Found, cannot: str, observed: Observed) -> None:
    """A backup is only as good as the way back to it, which replaces the whole container."""
    vmid = found.guest.vmid
    if lost := users_snapshots(found, observed):
        raise PlanError(
            f"{cannot}it would go back to a backup, and lose its snapshots {', '.join(lost)} by that. "
            "Remove them, set safety: snapshot where its storage takes snapshots, or safety: none to update without a way back."
        )
    pool = rescue_pool(app.name, vmid)
    if not facts.rescue_possible(observed, pool):
        raise PlanError(
            f"{cannot}before it goes back to a backup, pool {pool} has to say so, lest the app be lost where that breaks off, "
            "and this token may not make it. Give it Pool.Allocate and Pool.Audit on /pool, or set safety: none."
        )


def users_snapshots(found: Found, observed: Observed) -> list[str]:
    """Those that are not ours, and that a backup which is unpacked over the container would take with it."""
    every = facts.snapshots(observed, found.guest.node, found.guest.vmid)
    return [name for name in every if name != OF_BACKUPS and not name.startswith(OURS)]


def _make(point: SafetyPoint, record: Record) -> Step:
    if point.kind == "snapshot":
        return Step("create", STEP_KINDS[point.kind], record.vmid, None, {"name": point.name})
    label = {"app": record.app, "name": record.name, "vmid": record.vmid, "entry": record.entry, "version": record.entry_version}
    label |= {"revision": record.revision, "owner": record.owner, "kind": "update", "run": point.name}
    after = {"name": point.name, "storage": point.storage, "label": label}
    return Step("create", STEP_KINDS[point.kind], record.vmid, None, after)


def _remove(point: SafetyPoint, vmid: int) -> Step:
    before: dict[str, Any] = {"name": point.name} | ({"storage": point.storage} if point.storage else {})
    return Step("delete", STEP_KINDS[point.kind], vmid, before, None)
