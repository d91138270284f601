# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the module for backups tells: plain data, the same in a check as in a real run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .archives import Archive, Work
from .backups import DesiredBackup
from .model import Fact, GuestConfig, Observed
from .planner.backups import is_saved
from .planner.effects.archives import JUST_NOW
from .planner.facts import CLUSTER, observed_config
from .planner.restore import START
from .plans import AppPlan
from .results import describe_app
from .wire.times import format_time

Row = dict[str, Any]
LAST = 1_000_000
"""Apps without a place in the order of start come after all others, as in Proxmox."""


def describe_backup(wish: DesiredBackup, plan: AppPlan, observed: Observed) -> Row:
    """`backup` is the one that this is about, `backups` are all of them, `tasks` what is under way and what failed."""
    chosen = _chosen(wish, plan, observed)
    works = _works(wish, {each.vmid for each in chosen} | {plan.vmid}, observed)
    rows = [backup_row(each, works) for each in chosen]
    found: Row = {"backup": _about(wish, plan, rows, works), "tasks": [_task(work) for work in works]}
    if wish.state == "listed":
        return found | {"backups": rows, "statistics": statistics(rows, works), "apps": _apps(observed)}
    config = observed_config(observed, plan.node, plan.vmid)
    if wish.state == "present":
        return found | {"excluded": excluded(config)}
    if wish.state == "restored":
        return found | {"backup": found["backup"] or _restored(config), "app": describe_app(wish.app(plan.name), plan, observed)}
    return found


def missing(listing: Mapping[str, Any], apps: Iterable[Mapping[str, Any]] = ()) -> list[Row]:
    """The newest backup of each app that has no container, in the order of start, then by number; `listing` is what state listed tells.

    Of `apps`, as facts tell them with their records, those are taken too that came from a backup and that nobody has looked into.
    """
    newest: dict[str, Row] = {name: _backup_of(record, listing) for name, record in _unproven(apps)}
    there = {app["name"] for app in listing["apps"]} | set(newest)
    for backup in listing["backups"]:
        name = backup["app"]
        if backup["kind"] == "backup" and name and name not in there and backup["made"] > newest.get(name, {"made": ""})["made"]:
            newest[name] = backup
    return sorted(newest.values(), key=lambda backup: (backup["order"] or LAST, backup["vmid"]))


def _unproven(apps: Iterable[Mapping[str, Any]]) -> list[tuple[str, Mapping[str, Any]]]:
    records = (app.get("record") or {} for app in apps)
    return [(record["name"], record) for record in records if record.get("status") == "restoring" and record.get("step") == START]


def _backup_of(record: Mapping[str, Any], listing: Mapping[str, Any]) -> Row:
    """The backup that an app came from, which may be gone by now."""
    volume = record["restored"]
    known = {"app": record["name"], "vmid": record["vmid"], "entry": record["entry"], "owner": record["owner"], "made": None, "order": None}
    return next((each for each in listing["backups"] if each["volume"] == volume), {**known, "volume": volume})


def _restored(config: GuestConfig | None) -> Row | None:
    """What an app that was restored before says that it came from; where that lies was not looked at."""
    record = config.notes.record if config else None
    if not record or not record.restored:
        return None
    volume = record.restored.partition(" ")[0]
    return {"volume": volume, "status": "completed", "app": record.name, "vmid": record.vmid, "node": None}


def _apps(observed: Observed) -> list[Row]:
    """The containers of apps, where they are, and whether a backup job of the cluster is about them (null: that cannot be known)."""
    uncovered = observed.facts[Fact("uncovered")]
    guests = (guest for guest in observed.facts[CLUSTER].guests.values() if "proximity" in guest.tags and not guest.template)
    return [
        {
            "name": guest.app_name,
            "vmid": guest.vmid,
            "node": guest.node,
            "covered": None if uncovered is None else guest.vmid not in uncovered,
        }
        for guest in sorted(guests, key=lambda guest: guest.vmid)
    ]


def _chosen(wish: DesiredBackup, plan: AppPlan, observed: Observed) -> list[Archive]:
    """What there is of the app, of the owner, or of all; newest first."""
    every = [archive for fact, found in observed.facts.items() if fact.kind == "archives" for archive in found]
    if wish.volume and wish.state in ("listed", "restored", "proven"):
        every = [each for each in every if each.volume == wish.volume]
    if wish.name:
        every = [
            each for each in every if (each.label.name if each.label else "") == wish.name or (not each.label and each.vmid == plan.vmid)
        ]
    if wish.owner is not None:
        every = [each for each in every if each.label and each.label.owner == wish.owner]
    return sorted(every, key=lambda each: (each.made, each.volume), reverse=True)


def _works(wish: DesiredBackup, vmids: set[int], observed: Observed) -> list[Work]:
    """What is under way and what failed, of the app that is asked for or of all guests."""
    found = [work for fact, works in observed.facts.items() if fact.kind in ("works", "all works") for work in works]
    named = vmids | {guest.vmid for guest in observed.facts[CLUSTER].containers.get(wish.name, [])}
    whole = not wish.name and wish.owner is None
    return [work for work in found if work.status != "completed" and (whole or work.vmid in named)]


def _about(wish: DesiredBackup, plan: AppPlan, rows: Sequence[Row], works: Sequence[Work]) -> Row | None:
    if wish.state == "listed":
        return rows[0] if wish.volume and rows else None
    if wish.state == "absent":
        return None
    if wish.state == "present":
        task = next((work for work in works if work.status == "creating" and work.vmid == plan.vmid), None)
        if task:
            return {"volume": None, "status": "creating", "task": task.upid, "vmid": plan.vmid, "node": task.node, "app": wish.name}
        rows = [row for row in rows if row["kind"] == "backup"]
    return rows[0] if rows else None


def backup_row(archive: Archive, works: Iterable[Work] = ()) -> Row:
    label = archive.label
    restoring = any(work.status == "restoring" and label and work.vmid == label.vmid for work in works)
    return {
        "volume": archive.volume or None,
        "storage": archive.storage,
        "node": archive.node,
        "vmid": archive.vmid,
        "status": "restoring" if restoring else "completed",
        "made": None if archive.made == JUST_NOW else format_time(archive.made),
        "size_mb": archive.size >> 20,
        "protected": archive.protected,
        "app": label.name if label else None,
        "app_id": label.app if label else None,
        "entry": label.entry if label else None,
        "entry_version": label.version if label else None,
        "revision": label.revision if label else None,
        "owner": label.owner if label else None,
        "kind": label.kind if label else "backup",
        "order": (label.order or None) if label else None,
        "restores": (label.of or None) if label else None,
        "excluded": list(label.excluded) if label else [],
        "proven": format_time(label.proven) if label and label.proven not in (None, JUST_NOW) else None,
        "verdict": (label.verdict or None) if label else None,
    }


def _task(work: Work) -> Row:
    row = {"upid": work.upid, "node": work.node, "vmid": work.vmid, "status": work.status, "started": format_time(work.started)}
    return row | {"storage": work.storage or None, "reason": work.reason or None}


def excluded(config: GuestConfig | None) -> list[Row]:
    """Mount points of a guest that are in no backup of it."""
    found = []
    for name, text in sorted(config.mounts.items()) if config else ():
        if not is_saved(text):
            volume, *rest = text.split(",")
            path = next((part[3:] for part in rest if part.startswith("mp=")), "")
            found.append(
                {"mount": name, "volume": volume, "path": path, "reason": "bind mount" if text.startswith("/") else "not marked for backup"}
            )
    return found


def statistics(rows: Sequence[Row], works: Sequence[Work]) -> Row:
    by = {status: sum(work.status == status for work in works) for status in ("failed", "creating", "restoring", "deleting")}
    return {
        **_sums(rows),
        "total": len(rows) + by["failed"] + by["creating"],
        "completed": len(rows),
        "failed": by["failed"],
        "in_progress": by["creating"] + by["restoring"] + by["deleting"],
        "proven": sum(row["verdict"] == "ok" for row in rows),
        "by_app": _groups(rows, "app"),
        "by_owner": _groups(rows, "owner"),
    }


def _groups(rows: Sequence[Row], key: str) -> dict[str, Row]:
    names = sorted({row[key] for row in rows if row[key] is not None})
    return {name: {"total": sum(row[key] == name for row in rows), **_sums([row for row in rows if row[key] == name])} for name in names}


def _sums(rows: Sequence[Row]) -> Row:
    sizes, moments = [row["size_mb"] for row in rows], sorted(row["made"] for row in rows if row["made"])
    return {
        "size_mb": sum(sizes),
        "average_size_mb": round(sum(sizes) / len(sizes), 1) if sizes else 0,
        "newest": moments[-1] if moments else None,
        "oldest": moments[0] if moments else None,
    }
