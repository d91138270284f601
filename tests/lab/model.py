"""The state of one cluster, as plain data; `lab.saved` writes it to a file and reads it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Config = dict[str, Any]
"""A container's configuration: option -> text or int, with `lock`, `parent` and `template` where the file has them."""


@dataclass
class Node:
    name: str
    nodeid: int
    address: str = "127.0.0.1"
    port: int = 0
    cpus: int = 4
    memory: int = 16 * 1024**3
    disk: int = 100 * 1024**3
    online: bool = True
    port_open: bool = True
    """Whether its API takes connections, from clients and from other nodes."""
    ssh: bool = True
    """Whether SSH answers; simulated nodes have none, and only tell."""
    booted: float = 0.0
    bridges: list[dict[str, Any]] = field(default_factory=list)
    """As `GET /nodes/{node}/network` shows them; the lab adds `dhcp: [first, last]` for simulated guests."""
    directories: list[str] = field(default_factory=lambda: ["/tmp"])


@dataclass
class Storage:
    """`nodes` empty: on every node. `options` are shown as they are: prune-backups, ..."""

    id: str
    type: str
    content: list[str]
    path: str
    shared: bool = False
    nodes: list[str] = field(default_factory=list)
    size: int = 500 * 1024**3
    used: int = 0
    options: dict[str, Any] = field(default_factory=dict)
    enabled: bool = True

    @property
    def snapshots(self) -> bool:
        """Whether volumes here can be snapshotted and cloned by reference."""
        return self.type in {"btrfs", "zfspool", "lvmthin", "rbd"}


@dataclass
class Volume:
    """A template, backup, image or disk.

    `name` is what follows the storage in the volume id. `node` is empty on shared storage. `used` is what it takes on disk;
    `facts` are the lab's own: a template's `ostype`, `arch`, `systemd`, `unpacked`, `file`; a backup's `config`.
    """

    storage: str
    name: str
    content: str
    format: str
    size: int
    ctime: int
    node: str = ""
    vmid: int | None = None
    used: int = 0
    notes: str = ""
    protected: bool = False
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def volid(self) -> str:
        return f"{self.storage}:{self.name}"


@dataclass
class Snapshot:
    name: str
    config: Config
    snaptime: int
    description: str = ""
    parent: str = ""


class Face(NamedTuple):
    """What pvestatd tells the cluster of a guest, from `since` on (Unix time); `started` is None when it is stopped."""

    since: float
    name: str
    cpus: int
    maxmem: int
    maxdisk: int
    started: float | None


@dataclass
class Guest:
    """One container.

    `faces` are what the cluster lists show, oldest first; `held_by` says which kind of task holds the config file (not saved);
    `facts` are the lab's own: `systemd`, the version in its root file system.
    """

    vmid: int
    node: str
    config: Config
    pending: Config = field(default_factory=dict)
    pending_delete: list[str] = field(default_factory=list)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    faces: list[Face] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    held_by: str = ""

    @property
    def name(self) -> str:
        return str(self.config.get("hostname") or f"CT{self.vmid}")


@dataclass
class Pool:
    id: str
    comment: str = ""
    vms: set[int] = field(default_factory=set)
    storages: set[str] = field(default_factory=set)


@dataclass
class Token:
    secret: str
    privsep: bool = True
    expire: int = 0
    comment: str = ""


@dataclass
class User:
    id: str
    password: str = ""
    enable: bool = True
    expire: int = 0
    groups: list[str] = field(default_factory=list)
    tokens: dict[str, Token] = field(default_factory=dict)
    details: dict[str, str] = field(default_factory=dict)
    """comment, email, firstname, lastname, keys: as given."""


@dataclass(frozen=True)
class Grant:
    """One line of the ACL; `kind` is user, group or token."""

    path: str
    kind: str
    who: str
    role: str
    propagate: bool = True


@dataclass
class Mapping:
    """A directory mapping; `map` holds property strings."""

    id: str
    map: list[str]
    description: str = ""
