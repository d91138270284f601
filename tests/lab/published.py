"""Real guests: what a node shows as /etc/pve/nodes/NODE/lxc/VMID.conf is at each moment what the API would answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lab.configs import config_text

if TYPE_CHECKING:
    from lab.cluster import Cluster


class Publisher(Protocol):
    """A runtime whose nodes show config files."""

    def publish(self, vmid: int, node: str, text: str) -> None: ...

    def unpublish(self, vmid: int) -> None: ...


class Published:
    """Call it whenever the cluster's lock is let go: it publishes what differs from the last time."""

    def __init__(self, cluster: Cluster, publisher: Publisher) -> None:
        self._cluster, self._publisher = cluster, publisher
        self._known: dict[int, tuple[str, str]] = {}

    def __call__(self) -> None:
        now = {vmid: (guest.node, config_text(guest)) for vmid, guest in self._cluster.guests.items()}
        for vmid, (node, text) in now.items():
            if self._known.get(vmid) != (node, text):
                self._publisher.publish(vmid, node, text)
        for vmid in self._known.keys() - now.keys():
            self._publisher.unpublish(vmid)
        self._known = now
