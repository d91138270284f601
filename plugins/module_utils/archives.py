# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups as frozen data: what lies on storages, what is said of it there, and what is under way."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Label:
    """What a backup's notes say: whose it is, and what of. It is all that ties a backup to its app.

    `app` is the id in the record. `kind` is backup or safety; a safety backup was made before `of` was restored.
    `run` tells who made it. `excluded` are mount points that are not in it. `proven` says when a trial of it was made
    last, and `verdict` how that went: ok or failed. `order` is the app's place in the order of start, 0 without one.
    """

    app: str
    name: str
    vmid: int
    entry: str = ""
    version: str = ""
    revision: str = ""
    owner: str = ""
    kind: str = "backup"
    of: str = ""
    run: str = ""
    excluded: tuple[str, ...] = ()
    proven: datetime | None = None
    verdict: str = ""
    order: int = 0


@dataclass(frozen=True)
class Archive:
    """A backup. `made` is UTC; `local` is the same moment by the clock of the node that made it, as its name has it."""

    volume: str
    storage: str
    node: str
    vmid: int
    made: datetime
    local: datetime
    size: int = 0
    protected: bool = False
    label: Label | None = None


@dataclass(frozen=True)
class Rescue:
    """What is left of an app while a backup is unpacked in its place: the backup, the node that reads it, and the storage of its disks."""

    pool: str
    node: str
    storage: str
    archive: str


RESCUE = re.compile(r"px-restore-(\d+)-(.+)")


def parse_rescue_pool(pool: str) -> tuple[int, str] | None:
    """The number and the name of the app that a pool tells of; None for any other pool."""
    match = RESCUE.fullmatch(pool)
    return (int(match[1]), match[2]) if match else None


def rescue_pool(name: str, vmid: int) -> str:
    """The pool that tells of a rescue, by the app's name and number."""
    return f"px-restore-{vmid}-{name}"


@dataclass(frozen=True)
class Work:
    """A task about backups. `status` is creating, restoring, deleting, failed or completed; `reason` says why it failed."""

    upid: str
    node: str
    vmid: int
    status: str
    started: datetime
    storage: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Keep:
    """How many backups to keep, as Proxmox counts them; 0: this rule keeps none."""

    last: int = 0
    hourly: int = 0
    daily: int = 0
    weekly: int = 0
    monthly: int = 0
    yearly: int = 0

    def __bool__(self) -> bool:
        return any(vars(self).values())
