"""What faults make of a cluster for a while: nodes down, no quorum, locks, closed ports; and that it ends.

A condition ends by the lab's clock, or when its fault is taken away. While several hold, the state is what all of them make of it.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.access import ROOT
from lab.clock import Alarm, Clock
from lab.configs import set_options
from lab.containers import set_lock, start_container
from lab.faces import note_face
from lab.faults import Fault, Where
from lab.guests.runtime import RuntimeFailure
from lab.mishaps import POWER
from lab.model import Guest, Mapping, Node
from lab.site import Site
from lab.tasks import Task, break_off, start_task

LASTS_S = 60.0
DOWN = {"node-down", POWER}
NODE_PATH = re.compile(r"/nodes/([^/]+)(?:/lxc/(\d+))?(?:/.*)?")
STRANGER = "changed-by-another"
"""The mapping by which the mappings' digest moves."""
SHARES = 100
"""`cpuunits` with which a guest's digest moves, to which the number of times is added."""


@dataclass(eq=False)
class Condition:
    """`subject` is what it is about: a node, a vmid, or nothing for the cluster."""

    fault: Fault
    site: Site
    subject: str | int
    settle: Callable[[], None]
    alarm: Alarm | None = None


class Conditions:
    """The conditions that hold now; safe for threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._held: list[Condition] = []
        self._lock = threading.RLock()

    def begin(self, fault: Fault, site: Site, where: Where | None = None) -> None:
        """What the fault does to the state; `where` is the call that it strikes, None when it is set without one."""
        path = where.path if where else ""
        if fault.name in {"refuse", "node-down", "ssh-down"}:
            settle = {"refuse": self._settle_door, "node-down": self._settle_node, "ssh-down": self._settle_ssh}[fault.name]
            for node in _nodes(fault, site, where):
                self._hold(fault, site, node.name, partial(settle, fault, site, node))
        elif fault.name == "quorum-lost":
            self._hold(fault, site, "", partial(self._count_votes, site))
        elif fault.name == "backup-lock":
            for guest in _guests(fault, site, path):
                self._hold(fault, site, guest.vmid, partial(self._settle_lock, site, guest))
        elif fault.name == "config-changed":
            _change_config(fault, site, path)
        else:
            self._clock.advance(fault.seconds(0))

    def take_power(self, site: Site, fault: Fault, node: str) -> None:
        """A node is down, and its guests and tasks die, because of a fault that struck a task there."""
        self._hold(fault, site, node, partial(self._settle_node, fault, site, site.cluster.nodes[node]))

    def end_of(self, fault: Fault) -> None:
        """End what a fault has made, because it is taken away."""
        for condition in [each for each in self._held if each.fault is fault]:
            self._end(condition)

    def _hold(self, fault: Fault, site: Site, subject: str | int, settle: Callable[[], None]) -> None:
        """A condition begins; `settle` makes the state what the conditions that hold say, now and at its end."""
        condition = Condition(fault, site, subject, settle)
        with self._lock:
            self._held.append(condition)
            settle()
        if seconds := fault.seconds(LASTS_S):
            condition.alarm = self._clock.ring_in(seconds, partial(self._end, condition))

    def _end(self, condition: Condition) -> None:
        with self._lock:
            if condition not in self._held:
                return
            self._held.remove(condition)
            condition.settle()
        if condition.alarm:
            self._clock.cancel(condition.alarm)

    def _holds(self, name: str, site: Site, subject: str | int = "") -> bool:
        names = DOWN if name in DOWN else {name}
        return any(each.fault.name in names and (each.site.name, each.subject) == (site.name, subject) for each in self._held)

    def _settle_door(self, fault: Fault, site: Site, node: Node) -> None:
        """Connections are refused, those of the other nodes as well."""
        node.port_open = not self._holds("refuse", site, node.name)
        site.doors[node.name].keep(closed=not node.port_open)

    def _settle_ssh(self, fault: Fault, site: Site, node: Node) -> None:
        node.ssh = node.online and not self._holds("ssh-down", site, node.name)
        if site.set_ssh:
            site.set_ssh(node.name, node.ssh)

    def _settle_node(self, fault: Fault, site: Site, node: Node) -> None:
        """Down or up again. Without power its guests and tasks die, and those guests with `onboot` are started when it is back."""
        cluster, power = site.cluster, fault.name == POWER or bool(fault.arguments.get("power"))
        with cluster.lock:
            was_online, node.online = node.online, not self._holds("node-down", site, node.name)
            here = [guest for guest in cluster.guests.values() if guest.node == node.name]
            dying = [guest for guest in here if power and was_online and not node.online and cluster.running(guest)]
            if power and not node.online:
                for task in [task for task in cluster.tasks.values() if task.running and task.node == node.name]:
                    break_off(cluster, task)
        self._count_votes(site)
        self._settle_ssh(fault, site, node)
        for guest in dying:
            with suppress(RuntimeFailure):  # it has ended by itself
                cluster.runtime.stop(node.name, guest.vmid)
        with cluster.lock:
            for guest in dying:
                note_face(cluster, guest)
        if power and node.online and not was_online:
            node.booted = cluster.clock.now()
            start_task(cluster, node.name, "startall", "", ROOT, lambda task: _start_all(task, site, here))

    def _count_votes(self, site: Site) -> None:
        """More than half of the nodes have to be there."""
        cluster = site.cluster
        with cluster.lock:
            votes = sum(node.online for node in cluster.nodes.values())
            cluster.quorate = not self._holds("quorum-lost", site) and (cluster.standalone or 2 * votes > len(cluster.nodes))

    def _settle_lock(self, site: Site, guest: Guest) -> None:
        """A lock of another kind stays as it is."""
        held = self._holds("backup-lock", site, guest.vmid)
        with site.cluster.lock:
            if guest.config.get("lock", "backup") == "backup":
                set_lock(site.cluster, guest, "backup" if held else "")


def _nodes(fault: Fault, site: Site, where: Where | None) -> Sequence[Node]:
    """The node that the fault names; else that of the call; else, without a call, all."""
    in_path = NODE_PATH.fullmatch(where.path) if where else None
    name = str(fault.arguments.get("target") or fault.node or (in_path[1] if in_path else where.node if where else ""))
    return [node for node in site.cluster.nodes.values() if name in ("", node.name)]


def _guests(fault: Fault, site: Site, path: str) -> Sequence[Guest]:
    """The guest that the fault names, or that of the call."""
    in_path = NODE_PATH.fullmatch(path)
    vmid = int(fault.arguments.get("vmid") or (in_path[2] if in_path else 0) or 0)
    guest = site.cluster.guests.get(vmid)
    return [guest] if guest else []


def _change_config(fault: Fault, site: Site, path: str) -> None:
    """Another client's change, of a mapping or a guest."""
    cluster = site.cluster
    with cluster.lock:
        if path.startswith("/cluster/mapping/dir"):
            node = next(iter(cluster.nodes))
            cluster.mappings[STRANGER] = Mapping(STRANGER, [f"node={node},path=/tmp"], f"change {fault.struck}")
        for guest in _guests(fault, site, path):
            options: dict[str, Any] = fault.arguments.get("options") or {"cpuunits": SHARES + fault.struck}
            set_options(cluster, guest, options, cluster.running(guest))
            note_face(cluster, guest)


def _start_all(task: Task, site: Site, guests: Sequence[Guest]) -> None:
    """What a node does once it has started: one guest after another, each by a task of its own."""
    cluster = site.cluster
    for guest in (guest for guest in guests if guest.config.get("onboot") and guest.vmid in cluster.guests):
        task.say(f"Starting CT {guest.vmid}")
        upid = start_task(cluster, guest.node, "vzstart", str(guest.vmid), ROOT, _starting(site, guest), wait=True)
        if (status := cluster.tasks[upid].exitstatus) != "OK":
            task.say(f"Starting CT {guest.vmid} failed: {status}")


def _starting(site: Site, guest: Guest) -> Callable[[Task], None]:
    return lambda task: start_container(task, site.cluster, guest.node, guest.vmid)
