# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backups there are, on which storages, and whose they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..archives import Archive, Work
from ..errors import PlanError
from ..model import Cluster, Fact, Guest, GuestConfig, Observed, Record, Storage
from . import facts


class UnderWay(PlanError):
    """A backup of this guest is being made; `upid` is its task, where it can be seen."""

    def __init__(self, message: str, guest: Guest, upid: str = "") -> None:
        self.guest = guest
        self.upid = upid
        super().__init__(message)


DEDUPLICATES = "pbs"
"""Type of storage on which a backup takes the room of what has changed."""


@dataclass(frozen=True)
class Saved:
    """A backup together with what is in it."""

    archive: Archive
    config: GuestConfig
    record: Record


def shelves(cluster: Cluster, node: str | None = None, storage: str | None = None) -> list[Storage]:
    """Storages for backups that answer, of one node or all; what all nodes share is there once."""
    found: list[Storage] = []
    for each in sorted(cluster.storages, key=lambda each: (each.name, each.node)):
        fits = "backup" in each.content and each.available and cluster.is_online(each.node)
        wanted = node in (None, each.node) and storage in (None, each.name)
        if fits and wanted and not (each.shared and any(other.name == each.name for other in found)):
            found.append(each)
    return found


def archives_on(observed: Observed, storages: Iterable[Storage]) -> list[Archive]:
    """All backups there, newest first."""
    wanted = [Fact("archives", (storage.node, storage.name)) for storage in storages]
    found = [archive for archives in facts.known(observed, *wanted) for archive in archives]
    return sorted(found, key=lambda archive: (archive.made, archive.volume), reverse=True)


def archived(observed: Observed, archive: Archive) -> GuestConfig:
    """The configuration that a backup holds."""
    config: GuestConfig = facts.known(observed, Fact("archived", (archive.node, archive.volume)))[0]
    return config


def works(observed: Observed, guest: Guest) -> tuple[Work, ...]:
    found: tuple[Work, ...] = facts.known(observed, Fact("works", (guest.node, guest.vmid)))[0]
    return found


def of_record(archives: Iterable[Archive], record: Record) -> list[Archive]:
    """Those whose notes name the app."""
    return [archive for archive in archives if archive.label and archive.label.app == record.app]


def of_name(archives: Iterable[Archive], name: str) -> list[Archive]:
    return [archive for archive in archives if archive.label and archive.label.name == name]


def room_for(storage: Storage, archives: Iterable[Archive]) -> bool:
    """Whether the newest of these would fit once more. Without any, nobody can say, nor where what is there already takes no room."""
    if storage.type == DEDUPLICATES:
        return storage.free_mb > 0
    size_mb = next((archive.size >> 20 for archive in archives), 0)
    return storage.free_mb >= size_mb
