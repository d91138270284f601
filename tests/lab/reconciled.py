"""A saved state is loaded, and there are real containers: make each what the other says, as far as that can be."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import TYPE_CHECKING, Protocol, cast

from lab.disks import disks_of, free_volumes

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Guest

Say = Callable[[str], None]


class OnDisk(Protocol):
    """A runtime that knows which containers there are."""

    def guests(self) -> dict[int, str]:
        """vmid -> node."""


def reconcile(cluster: Cluster, running: Collection[int], say: Say = print) -> None:
    """Containers that the state does not know go, guests without a container too; the others are and run where the state says."""
    runtime = cluster.runtime
    there = cast(OnDisk, runtime).guests()
    for vmid in sorted(there.keys() - cluster.guests.keys()):
        say(f"container {vmid} is not in the saved state, and goes")
        runtime.destroy(there[vmid], vmid)
    for guest in list(cluster.guests.values()):
        if guest.vmid in there:
            _settle(cluster, guest, there[guest.vmid], guest.vmid in running, say)
        else:
            say(f"guest {guest.vmid} of the saved state has no container any more, and goes")
            with cluster.lock:
                free_volumes(cluster, disks_of(cluster, guest))
                del cluster.guests[guest.vmid]


def _settle(cluster: Cluster, guest: Guest, node: str, wanted: bool, say: Say) -> None:
    runtime, running = cluster.runtime, cluster.running(guest)
    if running and (not wanted or node != guest.node):
        runtime.stop(node, guest.vmid)
        running = False
    if node != guest.node:
        runtime.migrate(node, guest.node, guest.vmid)
    runtime.apply(guest.node, guest.vmid, dict(guest.config))
    if wanted and not running:
        runtime.start(guest.node, guest.vmid, dict(guest.config), say)
