# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans how a backup is brought back: in the place of its app, where the app is gone, or as a new app.

What is on its way stands in the record, and in `interrupted.py`. So a run that was killed is taken up where it was.
"""

from __future__ import annotations

import uuid
from dataclasses import replace
from typing import Any

from ..archives import Archive, Rescue, rescue_pool
from ..backups import LATEST, DesiredBackup
from ..errors import PlanError
from ..model import Guest, Live, Notes, Observed, Record
from ..plans import AppPlan, Step
from . import facts
from .interrupted import new_pending, pending_of, refuse_being_saved, refuse_half_made, state_before
from .networks import more_networks_of, network_of
from .places import Place, choose_node, place_on
from .records import address_of, changed_config, next_record, notes_of, refuse_leased, refuse_locked, tags_of, taken_lease, users_tags
from .rescue import begin_rescue, end_rescue, end_rescues
from .safety_backups import safety_steps
from .search import Found, find_app, told_half_made
from .shelves import Saved, archived, archives_on, of_name, of_record, shelves, works
from .slots import first_free, held_slots

RESTORE, START = "restore the backup", "start"
"""Steps in a record: until the backup is unpacked, and after it."""
OF_NOW = ("app", "vmid", "name", "owner", "ports", "adopted")
"""What an app keeps, whatever is in the backup."""


def plan_restored(wish: DesiredBackup, observed: Observed) -> AppPlan:
    app = wish.app(wish.restoring.name)
    search = find_app(app, observed)
    found = search.found
    if found and found.record.restored and wish.volume == LATEST:
        wish = replace(wish, volume=_latest(wish, found, observed))
    if found and _is_unpacked(found.record, wish):
        return _finish(wish, found, observed)
    if found and wish.restoring.name and wish.restoring.name != wish.name:
        raise PlanError(f"Cannot restore a backup as {app.name}: guest {found.guest.vmid} is an app of that name. Choose another one.")
    saved = _find_saved(wish, found, observed)
    if found:
        return _in_place(wish, found, saved, observed)
    return replace(_anew(wish, saved, observed), warnings=told_half_made(search))


def _latest(wish: DesiredBackup, found: Found, observed: Observed) -> str:
    """The volume that is meant; a new app that is there came of what was the latest then."""
    copied = wish.restoring.name not in ("", wish.name)
    if copied and (found.record.source or {}).get("name") == wish.name:
        return pending_of(found.record).volume
    return LATEST if copied else _find_archive(wish, found, observed).volume


def _is_unpacked(record: Record, wish: DesiredBackup) -> bool:
    """Whether the app came of this very backup."""
    return record.restored == wish.volume and (not wish.force or record.status == "restoring")


def _finish(wish: DesiredBackup, found: Found, observed: Observed) -> AppPlan:
    """The backup is unpacked: what is left is the app's start, and the word of whoever has looked into it."""
    guest, record = found.guest, found.record
    working = record.status == "restoring"
    if working:
        refuse_leased(wish.app(), record, observed)
    steps = []
    live = facts.live(observed, guest.node, guest.vmid)
    if working and wish.restoring.start and not live.running:
        refuse_locked(wish.app(), guest, found.config)
        steps = [_start(guest.vmid)]
    steps += end_rescues(record.name, observed)
    return AppPlan(record.name, guest.vmid, guest.node, found.config.digest, tuple(steps), converge=working and wish.restoring.start)


def _find_saved(wish: DesiredBackup, found: Found | None, observed: Observed) -> Saved:
    """The backup that is meant, and proof of whose it is: the record in it, not only the notes beside it."""
    archive = _find_archive(wish, found, observed)
    config = archived(observed, archive)
    record = config.notes.record
    if record is None:
        raise PlanError(f"Backup {archive.volume} holds no app: the container in it carries no record. Restore it in Proxmox.")
    if record.name != wish.name or (found and not wish.restoring.name and record.app != found.record.app):
        whose = f"another app, {record.name}" if record.name != wish.name else f"an earlier app of the name {wish.name}"
        raise PlanError(f"Backup {archive.volume} is of {whose}: it is not restored over app {wish.name}. Restore it as a new app.")
    binds = [name for name, text in sorted(config.mounts.items()) if text.startswith("/")]
    if binds:
        raise PlanError(
            f"Backup {archive.volume} has mount points of its node ({', '.join(binds)}), which only root can restore: do it in Proxmox."
        )
    return Saved(archive, config, record)


def _find_archive(wish: DesiredBackup, found: Found | None, observed: Observed) -> Archive:
    cluster = facts.cluster(observed)
    storage = wish.storage if wish.volume == LATEST else wish.volume.partition(":")[0]
    node = found.guest.node if found else None
    every = archives_on(observed, shelves(cluster, node, storage))
    if wish.volume == LATEST:
        tied = of_record(every, found.record) if found else of_name(every, wish.name)
        fitting = [each for each in tied if each.label and each.label.kind == "backup"]
        where = f" on node {node}" if node else ""
        missing = f"there is no backup of app {wish.name}{where}"
    else:
        fitting = [each for each in every if each.volume == wish.volume]
        where = f" where node {node} could read it: a backup is restored in place only on the node that holds its app" if node else ""
        missing = f"there is no backup {wish.volume}{where}"
    if not fitting:
        raise PlanError(f"Cannot restore app {wish.name}: {missing}. List its backups with state listed.")
    return fitting[0]


def _in_place(wish: DesiredBackup, found: Found, saved: Saved, observed: Observed) -> AppPlan:
    guest, config, record = found.guest, found.config, found.record
    refuse_leased(wish.app(), record, observed)
    _refuse_loss(wish, found, saved, observed)
    pending = new_pending(record, config, saved.archive, observed)
    lease = taken_lease(wish.app(), record, observed)
    now = next_record(record, observed, status="restoring", step=RESTORE, restored=str(pending), lease=lease, error="")
    live = facts.live(observed, guest.node, guest.vmid)
    notes = notes_of(wish.app(), now, config.notes, address_of(config, live)) if now is not record else None
    place = Place(guest.node, wish.restoring.disk_storage or config.disk_storage)
    after = replace(
        _restored_record(wish, now, saved, observed),
        **{key: getattr(record, key) for key in OF_NOW},
    )
    wished = {
        "hostname": config.hostname,
        "network": config.network,
        "tags": tags_of(after, users_tags(saved.config.tags, saved.record)),
        "notes": notes_of(wish.app(), after, config.notes),
        "protection": pending.protected,
    }
    rescue = Rescue(rescue_pool(record.name, guest.vmid), guest.node, place.storage, saved.archive.volume)
    steps = [
        *changed_config(config, {"protection": False, "notes": notes, "tags": tags_of(now, users_tags(config.tags, record))}),
        *([Step("stop", "guest", guest.vmid, {"running": True}, {"running": False})] if live.running else ()),
        *(safety_steps(found, saved.archive, pending.mark, observed) if wish.restoring.safety else ()),
        *begin_rescue(record.name, guest.vmid, rescue, observed),
        Step("restore", "guest", guest.vmid, _lost(found), {"archive": saved.archive.volume, "storage": place.storage, **wished}),
        *([_start(guest.vmid)] if wish.restoring.start else ()),
        end_rescue(rescue.pool, guest.vmid),
    ]
    warnings = (f"All data of app {wish.name} since {saved.archive.made:%Y-%m-%d %H:%M} UTC is replaced, and its snapshots go.",)
    return AppPlan(wish.name, guest.vmid, guest.node, config.digest, tuple(steps), converge=wish.restoring.start, warnings=warnings)


def _refuse_loss(wish: DesiredBackup, found: Found, saved: Saved, observed: Observed) -> None:
    guest, config = found.guest, found.config
    if not wish.restoring.confirm:
        raise PlanError(
            f"Restoring backup {saved.archive.volume} destroys what app {wish.name} (guest {guest.vmid}) holds now. "
            "Set confirm: true if that is meant, or restore it as a new app."
        )
    task = next((work.upid for work in works(observed, guest)), "")
    told = f"Guest {guest.vmid} of app {wish.name} is being backed up or restored."
    refuse_being_saved(f"restore app {wish.name}", told, found, task, observed)
    refuse_locked(wish.app(), guest, config)
    lost = [name for name, text in sorted(config.mounts.items()) if not (text.startswith("/") or "backup=1" in text.split(","))]
    pool = rescue_pool(found.record.name, guest.vmid)
    if not facts.rescue_possible(observed, pool):
        raise PlanError(
            f"Cannot restore app {wish.name} in place: pool {pool} has to say so meanwhile, lest the app be lost where that breaks off, "
            "and this token may not make it. Give it Pool.Allocate and Pool.Audit on /pool, or restore it as a new app."
        )
    if lost:
        raise PlanError(
            f"Cannot restore app {wish.name} in place: its volumes {', '.join(lost)} are in no backup and would be emptied. "
            "Detach them in Proxmox first, or restore it as a new app."
        )


def _restored_record(wish: DesiredBackup, before: Record, saved: Saved, observed: Observed) -> Record:
    """What is in the backup, as a record that says that it is not yet known to be healthy."""
    working = wish.restoring.start
    fresh = next_record(before, observed, status="restored")  # for a nonce of its own
    return replace(
        saved.record,
        status="restoring" if working else "stopped",
        step=START if working else "",
        error="",
        attempt=1,
        wanted=saved.record.revision or saved.record.wanted,
        lease=taken_lease(wish.app(), before, observed) if working else None,
        safety=(),
        failed="",
        restored=saved.archive.volume,
        changed=observed.now,
        nonce=fresh.nonce,
    )


def _lost(found: Found) -> dict[str, Any]:
    return {"hostname": found.config.hostname, "notes": found.config.notes, "node": found.guest.node}


def _start(vmid: int) -> Step:
    return Step("start", "guest", vmid, {"running": False}, {"running": True})


def _anew(wish: DesiredBackup, saved: Saved, observed: Observed) -> AppPlan:
    """The app is gone, or another one is to be made of its backup."""
    cluster, name = facts.cluster(observed), wish.restoring.name or wish.name
    copied = name != wish.name
    node = choose_node(wish, saved.archive, observed)
    vmid = _slot(wish, name, observed) if copied else saved.record.vmid
    refuse_half_made(name, vmid, observed)
    before = None if copied else state_before(name, observed)
    config = before.config if before else saved.config
    network = network_of(wish, saved.archive, config, node, observed)
    place = place_on(node, wish, config.disk_storage, network, observed)
    if vmid in cluster.guests or vmid in observed.hidden:
        holder = cluster.guests.get(vmid, Guest(vmid, "?"))
        raise PlanError(
            f"Cannot restore app {wish.name}: its number {vmid} is that of guest {holder.name or '?'} now. Restore it as a new app."
        )
    record = _copy(wish, saved, vmid, observed) if copied else _back(wish, saved, before, observed)
    around = config.notes
    wished = {
        "hostname": name if copied else config.hostname,
        "network": network,
        **({"protection": True} if _was_protected(before or saved) and not copied else {}),
        **({"more_networks": more} if (more := more_networks_of(wish, saved.archive, saved.config, node, observed)) else {}),
        "tags": tags_of(record, users_tags(saved.config.tags, saved.record)),
        "notes": notes_of(wish.app(name), record, Notes(around.head, (), None, around.tail)),
    }
    step = Step("restore", "guest", vmid, None, {"archive": saved.archive.volume, "storage": place.storage, "node": node, **wished})
    steps = (step, *([_start(vmid)] if wish.restoring.start else ()), *end_rescues(name, observed))
    return AppPlan(name, vmid, node, steps=steps, converge=wish.restoring.start)


def _back(wish: DesiredBackup, saved: Saved, before: Saved | None, observed: Observed) -> Record:
    """The record of an app that was gone; of one that a restore has taken away, with what it was by then."""
    record = _restored_record(wish, saved.record, saved, observed)
    return replace(record, **{key: getattr(before.record, key) for key in OF_NOW}) if before else record


def _was_protected(saved: Saved) -> bool:
    """A safety backup is made when the protection has been lifted already."""
    return saved.config.protection or pending_of(saved.record).protected


def _copy(wish: DesiredBackup, saved: Saved, vmid: int, observed: Observed) -> Record:
    """The record of a new app, whose insides are still those of the one that the backup is of: as a clone, it says so."""
    source = {"vmid": saved.record.vmid, "name": saved.record.name, "app": saved.record.app, "secrets": "keep"}
    return replace(
        _restored_record(wish, saved.record, saved, observed),
        app=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{observed.controller.seed} {wish.restoring.name}")),
        vmid=vmid,
        name=wish.restoring.name,
        ports=wish.port_range.ports(vmid),
        revision="",
        adopted=None,
        source=source,
    )


def _slot(wish: DesiredBackup, name: str, observed: Observed) -> int:
    held = held_slots(name, wish.port_range, observed)
    taken = {*facts.cluster(observed).guests, *observed.hidden, *held.slots}
    return first_free(name, wish.port_range, taken, held.own)


def plan_return(wish: DesiredBackup, volume: str, story: str, observed: Observed) -> AppPlan:
    """A backup could not be unpacked, and its app is still as it was: it says so, and goes on, unless nobody has proven it before."""
    found = find_app(wish.app(), observed).found
    if not found or found.record.restored == volume:
        return AppPlan(wish.name)  # gone, or what was unpacked of it is not to be trusted
    pending = pending_of(found.record)
    if found.record.status != "restoring" or not pending.mark or pending.volume != volume:
        return AppPlan(wish.name, found.guest.vmid, found.guest.node)
    guest, config = found.guest, found.config
    live: Live = facts.live(observed, guest.node, guest.vmid)
    settled = "running" if wish.restoring.start else "stopped"
    status, step = ("restoring", START) if pending.over else (settled, "")
    after = next_record(found.record, observed, status=status, step=step, error=story, lease=None, restored=pending.over)
    notes = notes_of(wish.app(), after, config.notes, address_of(config, live))
    tags = tags_of(after, users_tags(config.tags, found.record))
    steps = changed_config(config, {"notes": notes, "tags": tags, "protection": True if pending.protected else None})
    steps += [_start(guest.vmid)] if wish.restoring.start and not live.running else []
    return AppPlan(wish.name, guest.vmid, guest.node, config.digest, tuple(steps))
