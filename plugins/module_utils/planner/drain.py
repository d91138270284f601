# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which apps should move where: all that are on one node, or those that make one fuller than the others. Advice; it does nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ..desired import DesiredApp, DesiredMoves
from ..errors import PlanError
from ..model import Cluster, Fact, FactsNeeded, Guest, Node, Observed
from ..plans import Plan
from . import facts
from .facts import FactsMissing
from .moving import Burden, Unfit, Way, add_burden, by_room, way_to
from .records import refuse_leased, refuse_locked
from .search import Found


@dataclass(frozen=True)
class AdvisedMove:
    """One app's way. `storage` is that of its disk on the other node, in so far as it is not the same."""

    app: str
    vmid: int
    source: str
    target: str
    storage: str
    running: bool
    memory_mb: int
    disk_mb: int
    why: str


@dataclass(frozen=True)
class Staying:
    """A guest on a node that is emptied which is none of ours to move."""

    vmid: int
    name: str
    why: str


@dataclass(frozen=True)
class NodeRoom:
    """How full a node's memory is, in percent; None where the token may not see it."""

    name: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Advice(Plan):
    """Plans nothing to be carried out by itself."""

    moves: tuple[AdvisedMove, ...] = ()
    staying: tuple[Staying, ...] = ()
    nodes: tuple[NodeRoom, ...] = ()


@dataclass
class _Load:
    """MiB in use by node, as it becomes with the moves that are advised."""

    used_mb: dict[str, float] = field(default_factory=dict)

    def percent(self, node: Node) -> float:
        return 100 * self.used_mb[node.name] / (node.memory_mb or 1)

    def shift(self, guest: Guest, target: str) -> None:
        for name, change in ((guest.node, -guest.memory_used_mb), (target, guest.memory_used_mb)):
            if name in self.used_mb:
                self.used_mb[name] += change


def plan_moves(wish: DesiredMoves, observed: Observed) -> Advice | FactsNeeded:
    """What should move; raises PlanError where a node cannot be emptied, and names all facts that are missing."""
    try:
        return _plan_drain(wish, observed) if wish.drain else _plan_balance(wish, observed)
    except FactsMissing as need:
        return FactsNeeded(need.facts)


def _plan_drain(wish: DesiredMoves, observed: Observed) -> Advice:
    cluster = facts.cluster(observed)
    node = cluster.nodes.get(wish.drain)
    if node is None:
        raise PlanError(f"Cannot empty node '{wish.drain}': there is no such node. The cluster has {', '.join(sorted(cluster.nodes))}.")
    if not node.online:
        raise PlanError(f"Cannot empty node {node.name}: it is offline, and what is on it cannot be moved.")
    found, staying = _apps_on(node.name, cluster, observed)
    moves, reasons, load = [], [], _loads(cluster)
    burden = Burden()
    targets = [other for other in cluster.nodes.values() if other.online and other is not node]
    _ask_at_once(found, targets, wish, observed)
    for app in sorted(found, key=lambda app: (-app.config.memory_mb, app.guest.vmid)):
        try:
            move = _way_off(app, targets, wish, observed, burden)
        except (PlanError, Unfit) as refusal:
            reasons.append(f"{app.record.name}: {refusal}")
            continue
        load.shift(app.guest, move.target)
        moves.append(move)
    if reasons:
        raise PlanError(f"Cannot empty node {node.name}, and nothing was moved. {'; '.join(reasons)}")
    return Advice(moves=tuple(moves), staying=tuple(staying), nodes=_rooms(cluster, load))


def _apps_on(node: str, cluster: Cluster, observed: Observed) -> tuple[list[Found], list[Staying]]:
    """The apps with a record of their own, and all other guests with the reason why they are not ours to move."""
    here = sorted((guest for guest in cluster.guests.values() if guest.node == node), key=lambda guest: guest.vmid)
    candidates = [guest for guest in here if guest.kind == "lxc" and not guest.template and "proximity" in guest.tags]
    configs, found, staying = facts.configs(observed, candidates), [], []
    for guest in here:
        record = configs[guest.vmid].notes.record if guest in candidates else None
        if record and record.vmid == guest.vmid:
            found.append(Found(guest, configs[guest.vmid], record))
        else:
            what = "a virtual machine" if guest.kind != "lxc" else "a template" if guest.template else "no app of Proximity"
            staying.append(Staying(guest.vmid, guest.name, what))
    return found, staying


def _ask_at_once(found: Iterable[Found], nodes: Sequence[Node], wish: DesiredMoves, observed: Observed) -> None:
    """Find out what every way of every app needs to know, so that it is read in one go."""
    missing: set[Fact] = set()
    for app in found:
        for node in nodes:
            try:
                way_to(node, _wished(app, wish), app, observed, Burden(), count_memory=False)
            except Unfit:
                continue
            except FactsMissing as need:
                missing |= need.facts
    if missing:
        raise FactsMissing(missing)


def _wished(app: Found, wish: DesiredMoves) -> DesiredApp:
    return DesiredApp(app.record.name, storage=wish.storage)


def _way_off(app: Found, nodes: Sequence[Node], wish: DesiredMoves, observed: Observed, burden: Burden) -> AdvisedMove:
    """The way to the node with the most memory left that has what the app needs."""
    desired, running = _wished(app, wish), app.guest.status == "running"
    refuse_leased(desired, app.record, observed)
    refuse_locked(desired, app.guest, app.config)
    reasons = []
    for node in by_room(nodes, burden):
        try:
            way = way_to(node, desired, app, observed, burden, count_memory=running)
        except Unfit as unfit:
            reasons.append(str(unfit))
            continue
        add_burden(burden, way, app, running, observed)
        return _advised(app, way, f"node {app.guest.node} is to be empty")
    raise Unfit("; ".join(reasons) or "there is no other node")


def _advised(app: Found, way: Way, why: str) -> AdvisedMove:
    storage = way.storage if way.mapped else ""
    running, config = app.guest.status == "running", app.config
    return AdvisedMove(app.record.name, app.guest.vmid, app.guest.node, way.node, storage, running, config.memory_mb, config.disk_mb, why)


@dataclass
class _Balance:
    """How far evening out has come."""

    wish: DesiredMoves
    nodes: Sequence[Node]
    load: _Load
    burden: Burden = field(default_factory=Burden)
    moves: list[AdvisedMove] = field(default_factory=list)

    def percents(self) -> list[float]:
        return [self.load.percent(node) for node in self.nodes]


def _plan_balance(wish: DesiredMoves, observed: Observed) -> Advice:
    """One move after the other, each the one that leaves the fuller of its two nodes as empty as can be."""
    cluster = facts.cluster(observed)
    load = _loads(cluster)
    balance = _Balance(wish, [node for node in cluster.nodes.values() if node.name in load.used_mb], load)
    if len(balance.nodes) < 2:
        raise PlanError("Cannot compare nodes: fewer than two are online with figures that the token may see. Give it Sys.Audit on /nodes.")
    while len(balance.moves) < wish.at_most and max(balance.percents()) - min(balance.percents()) > wish.tolerance_percent:
        move = _best_move(balance, observed)
        if move is None:
            break
        load.shift(cluster.guests[move.vmid], move.target)
        balance.moves.append(move)
    return Advice(moves=tuple(balance.moves), nodes=_rooms(cluster, load))


def _best_move(balance: _Balance, observed: Observed) -> AdvisedMove | None:
    """The move off the fullest node that helps most; None where none helps."""
    load, fullest = balance.load, max(balance.nodes, key=balance.load.percent)
    apps = _movable(fullest.name, balance, observed)
    others = [node for node in balance.nodes if node is not fullest]
    _ask_at_once(apps, others, balance.wish, observed)
    best: tuple[float, Found, Node, Way] | None = None
    for app in apps:
        for node in others:
            used_mb = app.guest.memory_used_mb
            after = max(load.percent(fullest) - _share(used_mb, fullest), load.percent(node) + _share(used_mb, node))
            if after >= (best[0] if best else load.percent(fullest)):
                continue
            try:
                best = (after, app, node, way_to(node, _wished(app, balance.wish), app, observed, balance.burden, count_memory=True))
            except Unfit:
                continue
    if best is None:
        return None
    _after, app, target, way = best
    add_burden(balance.burden, way, app, running=True, observed=observed)
    return _advised(
        app, way, f"node {fullest.name} uses {load.percent(fullest):.0f}% of its memory, {way.node} {load.percent(target):.0f}%"
    )


def _movable(node: str, balance: _Balance, observed: Observed) -> list[Found]:
    """The apps of a node that run, that nobody works on, and that have not been moved yet."""
    found, _staying = _apps_on(node, facts.cluster(observed), observed)
    moved = {move.vmid for move in balance.moves}
    return [app for app in found if app.guest.status == "running" and not (app.guest.vmid in moved or app.config.lock or app.record.lease)]


def _share(used_mb: int, node: Node) -> float:
    return 100 * used_mb / (node.memory_mb or 1)


def _loads(cluster: Cluster) -> _Load:
    """Of nodes that are online and whose figures can be seen."""
    return _Load(
        {
            node.name: float(node.memory_mb - node.memory_free_mb)
            for node in cluster.nodes.values()
            if node.online and node.memory_mb and node.memory_free_mb is not None
        }
    )


def _rooms(cluster: Cluster, load: _Load) -> tuple[NodeRoom, ...]:
    before = _loads(cluster)
    rows = []
    for name, node in sorted(cluster.nodes.items()):
        seen = name in before.used_mb
        rows.append(NodeRoom(name, round(before.percent(node), 1) if seen else None, round(load.percent(node), 1) if seen else None))
    return tuple(rows)
