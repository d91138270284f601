# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans an app's way to another node: its number, and so its slot and ports, go along, and so does its address."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from ..desired import DesiredApp
from ..errors import PlanError
from ..model import Cluster, Fact, GuestConfig, Node, Observed, SafetyPoint, Storage
from ..plans import Step
from . import facts
from .records import is_unfinished_clone
from .search import Found

SNAPSHOTS_TRAVEL = frozenset({"zfspool", "btrfs"})
"""Types of local storage whose volumes take their snapshots along."""


@dataclass
class Burden:
    """What earlier moves of the same plan bring to nodes and storages, in MiB."""

    memory_mb: dict[str, int] = field(default_factory=dict)
    disk_mb: dict[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class Way:
    """Where an app goes: the node, and for its local disks a storage of another name where that was asked for."""

    node: str
    storage: str
    mapped: bool


class Unfit(Exception):
    """This node will not do."""


@dataclass(frozen=True)
class Move:
    """What it takes. `drops` are safety points that would keep the app where it is; `prunes` remove them."""

    steps: tuple[Step, ...] = ()
    drops: tuple[SafetyPoint, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def prunes(self) -> tuple[Step, ...]:
        return tuple(Step("delete", "snapshot", step.id, {"name": point.name}) for step in self.steps for point in self.drops)

    def kept(self, points: Iterable[SafetyPoint]) -> tuple[SafetyPoint, ...]:
        return tuple(point for point in points if point not in self.drops)


def plan_move(app: DesiredApp, found: Found, running: bool, rollout: bool, observed: Observed) -> Move:
    """The move that is wished for and allowed, or a warning that says how it would be. A copy that has never run asks nobody."""
    node, vmid, config = found.guest.node, found.guest.vmid, found.config
    if app.node in (None, node) and app.off_node != node:
        return Move()
    there = f"it moves to {app.node}" if app.node not in (None, node) else "it moves off it"
    if not is_unfinished_clone(found.record):
        if app.restart != "allowed":
            return Move(warnings=(f"App {app.name} is on node {node}: {there} with restart: allowed.",))
        if rollout:
            return Move(warnings=(f"App {app.name} is on node {node}: {there} once the rollout is done. Run again.",))
    way = find_way(app, found, running, observed, Burden())
    before = {"node": node, "storage": config.disk_storage, "running": running}
    after: dict[str, Any] = {
        "node": way.node,
        "storage": way.storage,
        "target_storage": way.storage if way.mapped else "",
        "running": running,
    }
    if running and app.restarted_after:
        after["started"] = app.restarted_after  # at the earliest
    step = Step("move", "guest", vmid, before, after, node)
    return Move((step,), _stuck_points(found, observed))


def find_way(app: DesiredApp, found: Found, running: bool, observed: Observed, burden: Burden) -> Way:
    """The node that is named; else, off its own, the one with the most free memory that has what the app needs."""
    cluster, reasons = facts.cluster(observed), []
    for node in _targets(app, found, cluster, burden):
        try:
            return way_to(node, app, found, observed, burden, count_memory=running and app.node in (None, found.guest.node))
        except Unfit as unfit:
            reasons.append(str(unfit))
    raise PlanError(
        f"Cannot move app {app.name} (guest {found.guest.vmid}) off node {found.guest.node}: "
        f"{'; '.join(reasons) or 'there is no other node'}."
    )


def _targets(app: DesiredApp, found: Found, cluster: Cluster, burden: Burden) -> list[Node]:
    if app.node not in (None, found.guest.node):
        if app.node not in cluster.nodes:
            names = _listed(cluster.nodes)
            raise PlanError(f"Cannot move app {app.name}: there is no node '{app.node}'. The cluster has {names}.")
        return [cluster.nodes[str(app.node)]]
    return by_room((node for node in cluster.nodes.values() if node.name != found.guest.node and node.online), burden)


def by_room(nodes: Iterable[Node], burden: Burden) -> list[Node]:
    """Nodes with the most free memory first; what is not known counts as none."""
    return sorted(nodes, key=lambda node: (burden.memory_mb.get(node.name, 0) - (node.memory_free_mb or 0), node.name))


def way_to(node: Node, app: DesiredApp, found: Found, observed: Observed, burden: Burden, count_memory: bool) -> Way:
    """The way to this node; raises Unfit with the reason why there is none."""
    if not node.online:
        raise Unfit(f"node {node.name} is offline")
    _refuse_paths(found.config)
    storage, mapped = _storage_there(node, app, found, facts.cluster(observed), burden)
    bridges = facts.known(observed, Fact("bridges", (node.name,)))[0]
    bridge = app.network.bridge or found.config.network.bridge
    if bridge and bridge not in bridges:
        raise Unfit(f"node {node.name} has no bridge '{bridge}' (it has {_listed(bridges)})")
    free_mb = None if node.memory_free_mb is None else node.memory_free_mb - burden.memory_mb.get(node.name, 0)
    if count_memory and free_mb is not None and free_mb < found.config.memory_mb:
        raise Unfit(f"node {node.name} has {max(free_mb, 0)} MiB of memory left, and {found.config.memory_mb} are needed")
    _refuse_snapshots(found, observed)
    return Way(node.name, storage, mapped)


def add_burden(burden: Burden, way: Way, found: Found, running: bool, observed: Observed) -> None:
    """What this app brings to where it goes; a disk that is shared brings nothing."""
    if running:
        burden.memory_mb[way.node] = burden.memory_mb.get(way.node, 0) + found.config.memory_mb
    if _local(found, facts.cluster(observed)):
        place = (way.node, way.storage)
        burden.disk_mb[place] = burden.disk_mb.get(place, 0) + found.config.disk_mb


def _storage_there(node: Node, app: DesiredApp, found: Found, cluster: Cluster, burden: Burden) -> tuple[str, bool]:
    """The storage of the disk on that node, and whether Proxmox has to be told of it: a local disk stays on one of the same name unless
    another is named."""
    fitting = {each.name: each for each in cluster.storages if each.node == node.name and each.available and "rootdir" in each.content}
    local = _local(found, cluster)
    named = app.storage if app.storage and local else None
    for storage in _storages(found.config):
        here = _row(cluster, found.guest.node, storage)
        wanted = named if named and not (here and here.shared) else storage
        if wanted not in fitting:
            raise Unfit(
                f"node {node.name} has no storage '{wanted}' for disks of containers (it has {_listed(fitting)}; name one as storage)"
            )
    storage = named or found.config.disk_storage
    free_mb = fitting[storage].free_mb - burden.disk_mb.get((node.name, storage), 0)
    if local and free_mb < found.config.disk_mb:
        raise Unfit(f"storage '{storage}' on node {node.name} has {max(free_mb, 0)} MiB left, and {found.config.disk_mb} are needed")
    return storage, storage != found.config.disk_storage


def _refuse_paths(config: GuestConfig) -> None:
    paths = sorted(key for key, text in config.mounts.items() if text.startswith("/") and "shared=1" not in text)
    if paths:
        raise Unfit(f"{', '.join(paths)} is a path of its node, which does not go along")


def _refuse_snapshots(found: Found, observed: Observed) -> None:
    """Local disks leave their snapshots behind, so that Proxmox refuses to move them. Old safety points of ours go; others are not ours."""
    ours = {point.name for point in found.record.safety if not point.open}
    others = [name for name in _stuck_snapshots(found, observed) if name not in ours]
    if others:
        storage = found.config.disk_storage
        raise Unfit(f"its snapshots ({', '.join(others)}) cannot leave the local storage '{storage}': remove them first")


def _stuck_points(found: Found, observed: Observed) -> tuple[SafetyPoint, ...]:
    stuck = _stuck_snapshots(found, observed)
    return tuple(point for point in found.record.safety if point.kind == "snapshot" and not point.open and point.name in stuck)


def _stuck_snapshots(found: Found, observed: Observed) -> tuple[str, ...]:
    """The snapshots of disks that are not shared and cannot take them along."""
    cluster, node = facts.cluster(observed), found.guest.node
    rows = [_row(cluster, node, storage) for storage in _storages(found.config)]
    bound = any(row and not row.shared and row.type not in SNAPSHOTS_TRAVEL for row in rows)
    return facts.snapshots(observed, node, found.guest.vmid) if bound else ()


def _storages(config: GuestConfig) -> Sequence[str]:
    """The storages of all disks, the first disk's first."""
    further = [text.partition(":")[0] for _key, text in sorted(config.mounts.items()) if not text.startswith("/")]
    return tuple(dict.fromkeys([config.disk_storage, *further]))


def _local(found: Found, cluster: Cluster) -> bool:
    row = _row(cluster, found.guest.node, found.config.disk_storage)
    return not (row and row.shared)


def _row(cluster: Cluster, node: str, storage: str) -> Storage | None:
    return next((row for row in cluster.storages if (row.node, row.name) == (node, storage)), None)


def arranged(steps: Sequence[Step], node: str) -> tuple[Step, ...]:
    """Steps in a plan of the node that the app is on in the end: what comes before its move happens where it is now."""
    moves = [number for number, step in enumerate(steps) if step.verb == "move"]
    last = moves[-1] if moves else -1
    return tuple(replace(step, node=step.node or node) if number <= last else step for number, step in enumerate(steps))


def node_after(steps: Sequence[Step], node: str) -> str:
    return next((str((step.after or {})["node"]) for step in reversed(steps) if step.verb == "move"), node)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
