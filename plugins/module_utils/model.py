# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The words of the core as frozen data: what is desired, what is observed, and the steps between them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

SCHEMA = 1
BUSY = frozenset({"deploying", "cloning", "updating", "restoring", "adopting", "removing"})
"""Statuses of work under way; with `running`, `stopped` and `error` they are all there are."""
SETTLING = frozenset({"create", "migrate", "snapshot", "snapshot-delete", "rollback"})
"""Locks of work that is over soon, or after which the guest is elsewhere. A backup takes as long as it takes."""


@dataclass(frozen=True)
class Resources:
    """None: not managed."""

    cores: int | None = None
    memory_mb: int | None = None
    swap_mb: int | None = None
    disk_gb: int | None = None


@dataclass(frozen=True)
class Network:
    """The first network interface. None: not managed; empty or 0: none, and so it reads when observed.

    `address` is `dhcp` or CIDR. `link_down`: the cable is out. `rest` holds what nobody manages and everybody keeps: the MAC address,
    the device's name.
    """

    bridge: str | None = None
    address: str | None = None
    gateway: str | None = None
    vlan: int | None = None
    mtu: int | None = None
    firewall: bool | None = None
    link_down: bool | None = None
    rest: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lease:
    """Who works on an app, until when (UTC). `epoch` grows when somebody takes over."""

    holder: str
    run: str
    until: datetime
    epoch: int = 1


@dataclass(frozen=True)
class SafetyPoint:
    """Where an update goes back to: a snapshot or a backup (then on `storage`) of the app with this revision.

    `open` is the one of an update that is not finished. It stands in the record before it is made.
    """

    kind: str
    name: str
    made: datetime
    revision: str
    storage: str = ""
    open: bool = False


@dataclass(frozen=True)
class Record:
    """What a guest's notes say about its app. `revision` runs; `wanted` is being rolled out; `failed` is what was last rolled back.

    `restored` is the backup that the app's data came from, if they did. A clone says in `source` what it was made of: vmid, name, app, and
    what is to become of its secrets (keep or renew).
    """

    app: str
    vmid: int
    name: str
    entry: str
    status: str
    changed: datetime
    entry_version: str = ""
    revision: str = ""
    wanted: str = ""
    step: str = ""
    error: str = ""
    attempt: int = 1
    owner: str = ""
    ports: Mapping[str, int] = field(default_factory=dict)
    environment: tuple[str, ...] = ()
    lease: Lease | None = None
    adopted: Mapping[str, Any] | None = None
    nonce: str = ""
    safety: tuple[SafetyPoint, ...] = ()
    failed: str = ""
    source: Mapping[str, Any] | None = None
    restored: str = ""
    catalog: str = ""


@dataclass(frozen=True)
class Notes:
    """A guest's description: the user's text around our summary lines and record.

    `damage` says what is wrong with a record that cannot be read.
    """

    head: str = ""
    summary: tuple[str, ...] = ()
    record: Record | None = None
    tail: str = ""
    damage: str = ""


def name_of_host(hostname: str) -> str:
    """A hostname as the name of an app: lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9-]+", "-", hostname.lower())[:63].strip("-")


@dataclass(frozen=True)
class Guest:
    """A row of the cluster's list. `name`, `status` and `uptime_s` there may be ten seconds old, the rest is not."""

    vmid: int
    node: str
    kind: str = "lxc"
    name: str = ""
    status: str = "unknown"
    tags: tuple[str, ...] = ()
    lock: str = ""
    template: bool = False
    uptime_s: int = 0
    memory_used_mb: int = 0

    @property
    def slot(self) -> int:
        """The slot that an adopted guest announces in its tags; 0 for any other guest."""
        told = [tag[5:] for tag in self.tags if tag.startswith("slot-")] if "proximity" in self.tags else []
        return int(told[0]) if told and told[0].isdigit() else 0

    @property
    def app_name(self) -> str:
        """The name of the guest's app: its own, and of an adopted guest its own as an app can have it."""
        return name_of_host(self.name) if self.slot else self.name


@dataclass(frozen=True)
class GuestConfig:
    """A guest's configuration in our units, as it is after the next restart. Empty text, 0 or an empty tuple: not set.

    `more_networks` are its further interfaces, by their names in Proxmox (net1). `pending` are the keys, by these names, that a running
    guest does not yet have so. `parent` is the snapshot that its state follows, if any.
    """

    vmid: int
    digest: str = ""
    hostname: str = ""
    cores: int = 0
    memory_mb: int = 512
    swap_mb: int = 512
    disk_storage: str = ""
    disk_mb: int = 0
    network: Network = field(default_factory=Network)
    more_networks: Mapping[str, Network] = field(default_factory=dict)
    nameservers: tuple[str, ...] = ()
    search_domain: str = ""
    onboot: bool = False
    startup: str = ""
    protection: bool = False
    tags: tuple[str, ...] = ()
    notes: Notes = field(default_factory=Notes)
    lock: str = ""
    mounts: Mapping[str, str] = field(default_factory=dict)
    pending: tuple[str, ...] = ()
    parent: str = ""


@dataclass(frozen=True)
class Live:
    """What a guest does right now. `addresses` by interface, without prefix; `started` (UTC) only where it was asked for."""

    running: bool
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    started: datetime | None = None


@dataclass(frozen=True)
class Node:
    """`memory_free_mb` and `memory_mb` are None where the token may not see them."""

    name: str
    online: bool = True
    memory_free_mb: int | None = None
    memory_mb: int | None = None


@dataclass(frozen=True)
class Storage:
    """One storage as one node sees it."""

    name: str
    node: str
    content: frozenset[str] = frozenset()
    available: bool = True
    free_mb: int = 0
    shared: bool = False
    type: str = ""


@dataclass(frozen=True)
class Fact:
    """The name of something to observe, such as `config` of (8123,)."""

    kind: str
    key: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Cluster:
    guests: Mapping[int, Guest] = field(default_factory=dict)
    nodes: Mapping[str, Node] = field(default_factory=dict)
    storages: tuple[Storage, ...] = ()
    pools: frozenset[str] = frozenset()

    @cached_property
    def containers(self) -> dict[str, list[Guest]]:
        """Containers by listed name, templates left out; made once, however many apps are looked for."""
        found: dict[str, list[Guest]] = {}
        for guest in self.guests.values():
            if guest.kind == "lxc" and not guest.template:
                found.setdefault(guest.app_name, []).append(guest)
        return found

    @cached_property
    def nameless(self) -> dict[int, Guest]:
        """Containers whose listed name says nothing, by vmid. Of a node that went away, the last known name holds."""
        every = (guest for guests in self.containers.values() for guest in guests)
        return {guest.vmid: guest for guest in every if not guest.name or (guest.status == "unknown" and self.is_online(guest.node))}

    @cached_property
    def announced(self) -> dict[int, Guest]:
        """Adopted guests by the slot that their tags announce."""
        return {guest.slot: guest for guest in self.guests.values() if guest.slot}

    def is_online(self, node: str) -> bool:
        """What is not listed has not been seen to be offline."""
        return node not in self.nodes or self.nodes[node].online


@dataclass(frozen=True)
class Controller:
    """Who observes: `user@host`, and the run (see `controller.py`). `seed` is fresh in every run: ids and nonces come from it."""

    holder: str
    run: str
    seed: str


@dataclass(frozen=True)
class Observed:
    """All that a planner may know. `hidden` are vmids that exist although this token does not see them. `moved`: the look before this one
    found that something is no longer where it was."""

    controller: Controller
    now: datetime
    facts: Mapping[Fact, Any] = field(default_factory=dict)
    dead_runs: frozenset[str] = frozenset()
    hidden: frozenset[int] = frozenset()
    moved: bool = False

    def having(self, facts: Mapping[Fact, Any]) -> Observed:
        return replace(self, facts={**self.facts, **facts})


@dataclass(frozen=True)
class FactsNeeded:
    facts: frozenset[Fact]
