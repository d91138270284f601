# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots that clones are made of, where a run that was cut off has left them on the source."""

from __future__ import annotations

from ..model import Observed, Record
from ..plans import Step
from . import facts
from .records import is_unfinished_clone


def clone_snapshot(vmid: int) -> str:
    """What a running source is copied from, by the number of the clone; only what is called so is ours to remove."""
    return f"px-clone-{vmid}"


def stray_snapshots(node: str, source: int, clone: int, observed: Observed) -> tuple[Step, ...]:
    """A snapshot for this very clone may be old: it goes before anything is made of it."""
    name = clone_snapshot(clone)
    found = name in facts.snapshots(observed, node, source)
    return (Step("remove", "clone-snapshot", source, {"snapshot": name}, None, node),) if found else ()


def clone_leftovers(record: Record, observed: Observed) -> tuple[Step, ...]:
    """What an unfinished clone has left on its source, as far as that can be seen."""
    if not is_unfinished_clone(record) or not record.source:
        return ()
    cluster = facts.cluster(observed)
    guest = cluster.guests.get(int(record.source["vmid"]))
    if not guest or guest.kind != "lxc" or not cluster.is_online(guest.node):
        return ()
    return stray_snapshots(guest.node, guest.vmid, record.vmid, observed)
