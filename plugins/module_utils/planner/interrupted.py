# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a restore that broke off has left behind, and how the next run goes on with it.

Until a backup is unpacked, the record tells in `restored` of which one that is, under which mark the safety backup before it was made,
and whether the app was protected. While it is unpacked there is no record: then a pool tells of it (`rescue.py`), and what the app was
like is in the safety backup.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from ..archives import Archive, Rescue
from ..errors import PlanError
from ..model import Fact, GuestConfig, Observed, Record
from . import facts
from .rescue import told_of
from .search import Found
from .shelves import Saved, UnderWay, archived, archives_on, of_name, of_record, shelves, works

PROTECTED = "protected"
OVER = "over="


@dataclass(frozen=True)
class Pending:
    """What a record says of the restore that it is in the midst of; an empty `mark` where there is none.

    `over` is the backup that was unpacked before, where nobody has proven that one healthy.
    """

    volume: str = ""
    mark: str = ""
    protected: bool = False
    over: str = ""

    def __str__(self) -> str:
        words = (self.volume, self.mark, PROTECTED if self.protected else "", f"{OVER}{self.over}" if self.over else "")
        return " ".join(filter(None, words))


def pending_of(record: Record) -> Pending:
    volume, *rest = record.restored.split(" ") if record.restored else [""]
    over = next((word.removeprefix(OVER) for word in rest[1:] if word.startswith(OVER)), "")
    return Pending(volume, rest[0] if rest else "", PROTECTED in rest[1:], over)


def new_pending(record: Record, config: GuestConfig, archive: Archive, observed: Observed) -> Pending:
    """What is written before a restore. One that is begun again keeps its mark, and by that the safety backup of what was there before."""
    before = pending_of(record)
    protected = config.protection or before.protected
    mark = over = ""
    if record.status == "restoring":
        over = before.over if before.mark else before.volume
        mark = before.mark if before.volume == archive.volume else _tried_before(before.volume, record, archive, observed)
    mark = mark or hashlib.sha256(f"{archive.volume} {record.app} {record.nonce}".encode()).hexdigest()[:8]
    return Pending(archive.volume, mark, protected, over)


def _tried_before(volume: str, record: Record, archive: Archive, observed: Observed) -> str:
    """The mark of the safety backup that the app was on its way back to, after this very backup had been tried."""
    every = archives_on(observed, shelves(facts.cluster(observed), archive.node))
    labels = (each.label for each in of_record(every, record) if each.volume == volume)
    return next((label.run for label in labels if label and label.kind == "safety" and label.of == archive.volume), "")


def state_before(name: str, observed: Observed) -> Saved | None:
    """What the app was like before the restore that broke off while there was no container, as far as a safety backup was made."""
    rescue = told_of(name, observed)
    if not rescue or not facts.cluster(observed).is_online(rescue.node):
        return None
    own = of_name(archives_on(observed, shelves(facts.cluster(observed), rescue.node)), name)
    safety = next((each for each in own if _is_safety(each, rescue)), None)
    config = archived(observed, safety) if safety else None
    record = config.notes.record if config else None
    return Saved(safety, config, record) if safety and config and record and record.name == name else None


def _is_safety(archive: Archive, rescue: Rescue) -> bool:
    """The one that was made before, or the very one that was being unpacked."""
    label = archive.label
    return bool(label and label.kind == "safety" and rescue.archive in (label.of, archive.volume))


def refuse_half_made(name: str, vmid: int, observed: Observed) -> None:
    """A guest of that number which is only a lock: its task is waited for; where there is none, nobody finishes it."""
    guest = facts.cluster(observed).guests.get(vmid)
    if not guest or guest.lock != "create":
        return
    task = next((work for work in works(observed, guest) if work.status == "restoring"), None)
    if task:
        raise UnderWay(f"A backup is being unpacked as guest {vmid}.", guest, task.upid)
    raise PlanError(
        f"Cannot restore app {name}: guest {vmid} on node {guest.node} is locked (create). What was unpacked of it was never finished, and "
        f"no task goes on with it. Proxmox's API neither unlocks nor removes it: run `pct unlock {vmid}` and `pct destroy {vmid}` on that "
        "node as root, then run again."
    )


def refuse_being_saved(wish: str, told: str, found: Found, upid: str, observed: Observed) -> None:
    """A backup of the guest is waited for, unless it is known to have broken off: its lock stays, and nobody takes it away."""
    guest = found.guest
    if not upid and found.config.lock != "backup":
        return
    if not upid and facts.known(observed, Fact("backup_broke_off", (guest.node, guest.vmid)))[0]:
        raise PlanError(
            f"Cannot {wish}: guest {guest.vmid} on node {guest.node} is locked (backup), since a backup of it broke off, and no task goes "
            f"on with that. Proxmox's API unlocks nothing: run `pct unlock {guest.vmid}` on that node as root, then run again."
        )
    raise UnderWay(told, guest, upid)
