# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a backup is unpacked: a node that can read it and has storage and bridge."""

from __future__ import annotations

from dataclasses import dataclass

from ..archives import Archive
from ..backups import DesiredBackup
from ..errors import PlanError
from ..model import Fact, Network, Observed
from . import facts


@dataclass(frozen=True)
class Place:
    node: str
    storage: str


def choose_node(wish: DesiredBackup, archive: Archive, observed: Observed) -> str:
    """The node named, else of those that see the backup the one with the most free memory."""
    cluster = facts.cluster(observed)
    shelf = next(each for each in cluster.storages if (each.name, each.node) == (archive.storage, archive.node))
    seen = {each.node for each in cluster.storages if each.name == archive.storage and shelf.shared} | {archive.node}
    online = sorted(node for node in seen if cluster.is_online(node))
    if wish.node and wish.node not in online:
        raise PlanError(
            f"Cannot restore app {wish.name} on node {wish.node}: it does not see backup {archive.volume} ({', '.join(online)} does)."
        )
    if wish.node:
        return wish.node
    free = {node: cluster.nodes[node].memory_free_mb or 0 for node in online if node in cluster.nodes}
    return max(online, key=lambda node: (free.get(node, 0), node == archive.node))


def place_on(node: str, wish: DesiredBackup, saved_storage: str, network: Network, observed: Observed) -> Place:
    """The storage asked for, else that of the map, else the one that the backup's disk was on, else the one with the most room."""
    here = [each for each in facts.cluster(observed).storages if each.node == node and each.available and "rootdir" in each.content]
    names = [each.name for each in here]
    asked = wish.restoring.disk_storage or wish.restoring.storage_map.get(saved_storage)
    if asked and asked not in names:
        raise PlanError(
            f"Cannot restore app {wish.name}: node {node} has no storage '{asked}' for disks of containers (it has {_listed(names)})."
        )
    if not here:
        raise PlanError(f"Cannot restore app {wish.name}: node {node} has no storage for disks of containers.")
    roomiest = max(here, key=lambda each: (each.free_mb, each.name)).name
    bridges = facts.known(observed, Fact("bridges", (node,)))[0]
    if network.bridge and network.bridge not in bridges:
        raise PlanError(
            f"Cannot restore app {wish.name}: node {node} has no bridge '{network.bridge}' (it has {_listed(bridges)}). "
            "Name another one in bridge_map or network."
        )
    return Place(node, asked or (saved_storage if saved_storage in names else roomiest))


def _listed(names: list[str]) -> str:
    return ", ".join(sorted(names)) or "none"
