"""One cluster as it runs: its state, its lock, its clock, and the guests' runtime."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.clock import Clock
from lab.errors import Refusal, refuse, wrong
from lab.guard import Guard
from lab.guests.runtime import GuestState, Runtime, RuntimeFailure, Usage
from lab.model import Face, Grant, Guest, Mapping, Node, Pool, Storage, User, Volume
from lab.roles import built_in_roles
from lab.schema.table import Table, load_table

if TYPE_CHECKING:
    from lab.faults import Fault, Faults
    from lab.tasks import Task

RELEASES = {8: ("8.4", "8.4.14"), 9: ("9.2", "9.2.11")}
"""major version -> release and version of pve-manager."""


@dataclass
class Cluster:
    """`name` is empty for a standalone node. Hold `lock` to read or change anything; tasks take it themselves."""

    runtime: Runtime
    clock: Clock
    folder: Path
    """Where the archives of `dir` storages lie: folder/<storage>[/<node>]/..."""
    name: str = ""
    major: int = 9
    nodes: dict[str, Node] = field(default_factory=dict)
    storages: dict[str, Storage] = field(default_factory=dict)
    volumes: dict[tuple[str, str], Volume] = field(default_factory=dict)
    """By (node, volume id); the node is empty on shared storage."""
    guests: dict[int, Guest] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    """By UPID, oldest first."""
    pools: dict[str, Pool] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """Group -> its comment."""
    roles: dict[str, set[str]] = field(default_factory=dict)
    """Roles besides the built-in ones."""
    grants: list[Grant] = field(default_factory=list)
    mappings: dict[str, Mapping] = field(default_factory=dict)
    appliances: list[dict[str, Any]] = field(default_factory=list)
    """What `GET /nodes/{node}/aplinfo` lists; see `lab.appliances`."""
    backup_jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Id -> options, as `GET /cluster/backup` shows them."""
    options: dict[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    """Of the server's certificate."""
    quorate: bool = True
    ghosts: dict[int, Face] = field(default_factory=dict)
    """Destroyed guests that the lists may still take a new one with the same vmid for."""
    lag_s: float = 10.0
    """How often pvestatd tells the cluster what its guests do."""
    lock_wait_s: float = 10.0
    """How long a call waits for a container's config file that a task holds."""
    last_pid: int = 1000
    site: str = ""
    """How the lab calls it, for faults to be scoped to it."""
    faults: Faults | None = None
    lose_power: Callable[[Fault, str], None] | None = None
    """Take a node's power away, as this fault says."""

    def __post_init__(self) -> None:
        self.lock = Guard()
        self._grants_by_path: dict[str, list[Grant]] = {}
        self.index_grants()

    @property
    def table(self) -> Table:
        return load_table(self.major)

    @property
    def standalone(self) -> bool:
        return not self.name

    def now(self) -> int:
        return int(self.clock.now())

    # What is looked up by name, or refused as Proxmox does.

    def node(self, name: str) -> Node:
        """The node a call is for; a name that nobody knows is looked up in DNS by the original, in vain."""
        if name not in self.nodes:
            text = f"hostname lookup '{name}' failed - failed to get address info for: {name}: Name or service not known"
            raise refuse(text)
        if not self.nodes[name].online:
            raise Refusal(595, "No route to host")
        return self.nodes[name]

    def guest(self, node: str, vmid: int) -> Guest:
        found = self.guests.get(vmid)
        if found is None or found.node != node:
            raise refuse(f"Configuration file 'nodes/{node}/lxc/{vmid}.conf' does not exist")
        return found

    def check_unused(self, vmid: int) -> None:
        if vmid in self.guests:
            raise refuse(f"CT {vmid} already exists on node '{self.guests[vmid].node}'")

    def storage(self, name: str) -> Storage:
        if name not in self.storages:
            raise refuse(f"storage '{name}' does not exist")
        return self.storages[name]

    def storage_on(self, name: str, node: str) -> Storage:
        """The storage, if it is enabled and there on that node."""
        storage = self.storage(name)
        if not storage.enabled:
            raise refuse(f"storage '{name}' is disabled")
        if storage.nodes and node not in storage.nodes:
            raise refuse(f"storage '{name}' is not available on node '{node}'")
        return storage

    def pool(self, name: str) -> Pool:
        if name not in self.pools:
            raise refuse(f"pool '{name}' does not exist")
        return self.pools[name]

    def task(self, node: str, upid: str) -> Task:
        found = self.tasks.get(upid)
        if found is None or found.node != node:
            raise wrong({"upid": "no such task"})
        return found

    # Guests.

    def state_of(self, guest: Guest) -> GuestState:
        return self.runtime.states().get(guest.vmid) or GuestState(running=False)

    def running(self, guest: Guest) -> bool:
        return self.state_of(guest).running

    def usage_of(self, guest: Guest) -> Usage:
        """What a guest uses now: nothing, when it does not run, or has just ended."""
        try:
            return self.runtime.usage(guest.node, guest.vmid)
        except RuntimeFailure:
            return Usage()

    def next_id(self, start: int = 100) -> int:
        return next(vmid for vmid in range(start, 1_000_000_000) if vmid not in self.guests)

    def pool_of(self, vmid: int) -> str:
        return next((pool.id for pool in self.pools.values() if vmid in pool.vms), "")

    def pool_of_path(self, path: str) -> str:
        """The pool that a path such as /vms/100 or /storage/local is in."""
        _, _, rest = path.partition("/vms/")
        if rest.isdigit():
            return self.pool_of(int(rest))
        _, _, rest = path.partition("/storage/")
        return next((pool.id for pool in self.pools.values() if rest in pool.storages), "") if rest else ""

    # Rights.

    def index_grants(self) -> None:
        """To be called after each change of `grants`."""
        self._grants_by_path = {}
        for grant in self.grants:
            self._grants_by_path.setdefault(grant.path, []).append(grant)

    def grants_at(self, path: str) -> Iterable[Grant]:
        return self._grants_by_path.get(path, ())

    def role_privileges(self, role: str) -> Iterable[str]:
        return built_in_roles(self.major).get(role, self.roles.get(role, frozenset()))
