# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans an app's backups: one that is not too old, and none beyond what is to be kept."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from datetime import timedelta
from functools import partial
from typing import Any

from ..archives import Archive, Label
from ..backups import DesiredBackup
from ..errors import PlanError
from ..model import BUSY, Fact, FactsNeeded, Observed, Storage
from ..plans import AppPlan, Plan, Step
from . import facts
from .collection import collect
from .interrupted import refuse_being_saved
from .records import refuse_leased, refuse_locked
from .restore import plan_restored
from .retention import marks
from .search import Found, find_app
from .shelves import archived, archives_on, of_name, of_record, room_for, shelves, works

NOT_YET = ""
"""The name of a volume that is yet to be made."""


def plan_backup(wish: DesiredBackup, observed: Observed) -> Plan | FactsNeeded:
    planners = {"present": plan_present, "absent": plan_absent, "restored": plan_restored, "proven": plan_proven, "listed": plan_listed}
    return collect([(wish.name or "backups", partial(planners[wish.state], wish, observed))])


def plan_present(wish: DesiredBackup, observed: Observed) -> AppPlan:
    found = find_running(wish, observed)
    guest, record = found.guest, found.record
    every = archives_on(observed, shelves(facts.cluster(observed), guest.node, wish.storage))
    own = of_record(every, record)
    good = next((each for each in own if _is_good(each, wish, observed)), None) or _found_unlabelled(wish, found, every, observed)
    if good:
        steps = _protection(wish, good)
    else:
        _refuse_busy(wish, found, observed)
        good = _new_archive(wish, found, _choose_storage(wish, found, own, observed), own, observed)
        steps = [Step("create", "archive", guest.vmid, None, _said(wish, good))]
        own = [good, *own]
    steps += _pruning(wish, own, record.safety)
    return AppPlan(wish.name, guest.vmid, guest.node, steps=tuple(steps))


def find_running(wish: DesiredBackup, observed: Observed) -> Found:
    found = find_app(wish.app(), observed).found
    if not found:
        raise PlanError(f"Cannot back up app {wish.name}: it does not exist.")
    if not facts.cluster(observed).is_online(found.guest.node):
        raise PlanError(f"Cannot back up app {wish.name}: its node {found.guest.node} is offline. Run again when it is back.")
    return found


def _is_good(archive: Archive, wish: DesiredBackup, observed: Observed) -> bool:
    """Whether this one is the backup that is wished for. Clocks differ: one from the future is as good as new."""
    if archive.label and archive.label.kind != "backup":
        return False
    if wish.force:
        return wish.seen is not None and archive.volume not in wish.seen
    return observed.now - archive.made <= wish.max_age


def _found_unlabelled(wish: DesiredBackup, found: Found, every: Sequence[Archive], observed: Observed) -> Archive | None:
    """A backup that somebody else has made of this app, such as a job of the cluster: what is in it says so."""
    if wish.force:
        return None
    alike = [each for each in every if not each.label and each.vmid == found.guest.vmid and _is_good(each, wish, observed)]
    for each in alike[:1]:
        record = archived(observed, each).notes.record
        if record and record.app == found.record.app:
            return each
    return None


def _refuse_busy(wish: DesiredBackup, found: Found, observed: Observed) -> None:
    guest, record = found.guest, found.record
    refuse_leased(wish.app(), record, observed)
    if record.status in BUSY:
        raise PlanError(f"Cannot back up app {wish.name}: it is {record.status}, and only half of that would be in it. Finish that first.")
    task = next((work.upid for work in works(observed, guest) if work.status == "creating"), "")
    told = f"A backup of app {wish.name} (guest {guest.vmid}) is being made."
    refuse_being_saved(f"back up app {wish.name}", told, found, task, observed)
    refuse_locked(wish.app(), guest, found.config)


def _choose_storage(wish: DesiredBackup, found: Found, own: Sequence[Archive], observed: Observed) -> Storage:
    """The storage named, else the one that has the newest backup, else the one with the most room."""
    node, cluster = found.guest.node, facts.cluster(observed)
    here = shelves(cluster, node, wish.storage)
    if not here:
        others = ", ".join(each.name for each in shelves(cluster, node)) or "none"
        what = f"storage '{wish.storage}' that takes backups" if wish.storage else "storage that takes backups"
        raise PlanError(f"Cannot back up app {wish.name}: node {node} has no {what} (it has {others}).")
    fitting = [each for each in here if room_for(each, own)]
    if not fitting:
        told = ", ".join(f"{each.name} has {each.free_mb} MiB" for each in here)
        raise PlanError(f"Cannot back up app {wish.name}: its last backup took {own[0].size >> 20} MiB, and {told} left. Make room first.")
    last = own[0].storage if own else ""
    return max(fitting, key=lambda each: (each.name == last, each.free_mb, each.name))


def new_label(found: Found) -> Label:
    record, config = found.record, found.config
    left_out = tuple(sorted(name for name, text in config.mounts.items() if not is_saved(text)))
    order = re.search(r"order=(\d+)", config.startup)
    return Label(
        *(record.app, record.name, record.vmid, record.entry, record.entry_version, record.revision, record.owner),
        excluded=left_out,
        order=int(order[1]) if order else 0,
    )


def is_saved(mount: str) -> bool:
    """Whether vzdump saves a mount point: a volume that says so, and no folder or device of the node."""
    return not mount.startswith("/") and "backup=1" in mount.split(",")


def _new_archive(wish: DesiredBackup, found: Found, storage: Storage, own: Sequence[Archive], observed: Observed) -> Archive:
    """The backup to be, with the time of its node as far as the others tell it."""
    ahead = own[0].local - own[0].made if own else timedelta()
    return Archive(
        volume=NOT_YET,
        storage=storage.name,
        node=storage.node,
        vmid=found.guest.vmid,
        made=observed.now,
        local=observed.now + ahead,
        protected=bool(wish.protected),
        label=new_label(found),
    )


def _said(wish: DesiredBackup, archive: Archive) -> dict[str, Any]:
    """A backup to be, in the words of a plan."""
    label = {key: value for key, value in asdict(archive.label).items() if value} if archive.label else {}
    return {
        "storage": archive.storage,
        "mode": wish.mode,
        "compress": wish.compress,
        "protected": archive.protected,
        "label": label,
        "text": wish.text,
    }


def _protection(wish: DesiredBackup, archive: Archive) -> list[Step]:
    if wish.protected in (None, archive.protected) or not archive.label:
        return []
    before, after = ({"volume": archive.volume, "protected": value} for value in (archive.protected, wish.protected))
    return [Step("update", "archive", archive.vmid, before, after, archive.node)]


def _pruning(wish: DesiredBackup, own: Iterable[Archive], safety: Sequence[Any]) -> list[Step]:
    """Remove what the policy does not keep, never what is protected or what an update would go back to."""
    if not wish.keep:
        return []
    needed = {point.name for point in safety}
    found = list(own)
    gone = {volume for volume, mark in marks(found, wish.keep).items() if mark == "remove"}
    doomed = (each for each in found if each.volume in gone and each.volume not in needed and each.label and each.label.run not in needed)
    return [_removal(archive) for archive in doomed if archive.volume != NOT_YET]


def _removal(archive: Archive) -> Step:
    name = archive.label.name if archive.label else ""
    return Step("delete", "archive", archive.vmid, {"volume": archive.volume, "app": name, "made": archive.made}, None, archive.node)


def plan_absent(wish: DesiredBackup, observed: Observed) -> AppPlan:
    cluster = facts.cluster(observed)
    storage = wish.volume.partition(":")[0] if wish.volume else wish.storage
    every = archives_on(observed, shelves(cluster, wish.node, storage))
    if not wish.volume:
        found = find_app(wish.app(), observed).found
        if found:
            refuse_leased(wish.app(), found.record, observed)
        own = of_record(every, found.record) if found else of_name(every, wish.name)
        return AppPlan(wish.name, steps=tuple(_pruning(wish, own, found.record.safety if found else ())))
    named = [each for each in every if each.volume == wish.volume]
    for each in named:
        if wish.name and (not each.label or each.label.name != wish.name):
            whose = f"of app {each.label.name}" if each.label else "not one of ours"
            raise PlanError(
                f"Backup {each.volume} is {whose}, not of app {wish.name}: it is not removed. Leave name out to remove it all the same."
            )
        if each.protected:
            raise PlanError(f"Backup {each.volume} is protected: it is not removed. Take its protection off first.")
    return AppPlan(wish.name or "backups", steps=tuple(map(_removal, named)))


def plan_proven(wish: DesiredBackup, observed: Observed) -> AppPlan:
    """The verdict of a trial goes into the backup's notes, unless the same one stands there and is new enough."""
    every = archives_on(observed, shelves(facts.cluster(observed), wish.node, wish.volume.partition(":")[0]))
    archive = next((each for each in every if each.volume == wish.volume), None)
    if archive is None:
        raise PlanError(f"Cannot say of backup {wish.volume} that it was tried: it is not there.")
    label = archive.label
    if label is None or (wish.name and label.name != wish.name):
        raise PlanError(
            f"Backup {wish.volume} is {f'of app {label.name}' if label else 'not one of ours'}: nothing is written into its notes."
        )
    if label.verdict == wish.verdict and label.proven and observed.now - label.proven <= wish.max_age:
        return AppPlan(label.name)
    before, after = ({"volume": archive.volume, "verdict": verdict} for verdict in (label.verdict, wish.verdict))
    return AppPlan(label.name, steps=(Step("update", "archive", archive.vmid, before, after, archive.node),))


def plan_listed(wish: DesiredBackup, observed: Observed) -> AppPlan:
    """Nothing to do: what is there is read."""
    storage = wish.volume.partition(":")[0] if wish.volume else wish.storage
    archives_on(observed, shelves(facts.cluster(observed), wish.node, storage))
    facts.known(observed, Fact("all works"), Fact("uncovered"))
    found = _found_if_it_can_be(wish, observed) if wish.name else None
    return AppPlan(wish.name or "backups", found.guest.vmid if found else 0, found.guest.node if found else "")


def _found_if_it_can_be(wish: DesiredBackup, observed: Observed) -> Found | None:
    """An app that is gone, or whose node is, has backups all the same."""
    try:
        return find_app(wish.app(), observed).found
    except PlanError:
        return None


def without_force(wish: DesiredBackup, seen: Iterable[Archive]) -> DesiredBackup:
    """The wish as it is when one has been begun: any that was not there before fulfils it."""
    return replace(wish, seen=frozenset(each.volume for each in seen)) if wish.force and wish.seen is None else wish
