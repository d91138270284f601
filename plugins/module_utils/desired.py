# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user wants of an app, as frozen data. None everywhere: not managed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from .claims import PortRange
from .looks import Look
from .model import Network, Resources


@dataclass(frozen=True)
class Web:
    scheme: str
    port: int
    path: str = "/"


@dataclass(frozen=True)
class Release:
    """An entry of the catalog with the user's options: what is to run. `revision` is its fingerprint.

    `catalog` is the catalog of somebody's own that it is from; empty for an entry of this collection and for one given inline.
    """

    entry: str
    title: str
    version: str
    revision: str
    web: Web | None = None
    recommended: Resources = field(default_factory=Resources)
    minimum: Resources = field(default_factory=Resources)
    environment: tuple[str, ...] = ()
    catalog: str = ""


@dataclass(frozen=True)
class Report:
    """What came of the work in the guest. An empty `revision` means the one that was wanted.

    `epoch` is that of the lease it was done under (0: none). `restored` tells of the previous revision, after an update that failed;
    `untouched` of an update that failed before it changed anything.
    """

    vmid: int
    node: str
    healthy: bool
    revision: str = ""
    step: str = ""
    error: str = ""
    address: str = ""
    epoch: int = 0
    restored: bool = False
    untouched: bool = False


@dataclass(frozen=True)
class SafetyWish:
    """What an update goes back to (auto, snapshot, backup, none), and how many old points are kept, for how many days (0: any time).

    Without `prune`, old ones stay: removing one has failed, and nothing depends on it.
    """

    kind: str = "auto"
    keep: int = 2
    max_age_d: int = 30
    prune: bool = True


@dataclass(frozen=True)
class Hold:
    """Work in the guest goes on: the lease with this epoch is to last."""

    vmid: int
    node: str
    epoch: int


@dataclass(frozen=True)
class Timeouts:
    create_s: int = 600
    start_s: int = 120
    shutdown_s: int = 60
    copy_s: int = 3600
    address_s: int = 90
    lease_s: int = 1800


@dataclass(frozen=True)
class Defaults:
    """What a new app gets where its own wish says nothing. `subnet` (CIDR) and `gateway` are empty where they are not set."""

    resources: Resources = field(default_factory=Resources)
    network: Network = field(default_factory=Network)
    subnet: str = ""
    gateway: str = ""
    nameservers: tuple[str, ...] | None = None
    search_domain: str | None = None


@dataclass(frozen=True)
class Clone:
    """What a new app is a copy of: another app, by name. `secrets` says what becomes of those that may change."""

    source: str
    mode: str = "full"
    secrets: str = "keep"


@dataclass(frozen=True)
class DesiredApp:
    """`entry` is a catalog id; `release` is missing where nothing is to be rolled out.

    `node`, `storage`, `template`, `pool`, `ssh_public_keys`, `defaults` and `clone` count when the app is created.
    `node` and `storage` count again when it is moved; it is not on `off_node`.
    """

    name: str
    state: str = "started"
    entry: str | None = None
    release: Release | None = None
    node: str | None = None
    off_node: str | None = None
    storage: str | None = None
    clone: Clone | None = None
    template: str = "debian-13"
    pool: str | None = None
    ssh_public_keys: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    network: Network = field(default_factory=Network)
    nameservers: tuple[str, ...] | None = None
    search_domain: str | None = None
    defaults: Defaults = field(default_factory=Defaults)
    owner: str | None = None
    onboot: bool | None = None
    startup: str | None = None
    protection: bool | None = None
    tags: tuple[str, ...] | None = None
    port_range: PortRange = field(default_factory=PortRange)
    restarted_after: datetime | None = None
    on_failure: str = "cleanup"
    ignore_protection: bool = False
    take_over_lease: bool = False
    verify: bool = False
    destroy_adopted: bool = False
    report: Report | None = None
    hold: Hold | None = None
    restart: str = "refused"
    safety: SafetyWish = field(default_factory=SafetyWish)
    on_update_failure: str = "rollback"
    update_attempts: int = 3
    timeouts: Timeouts = field(default_factory=Timeouts)


class Desired(Protocol):
    """What every deed needs of a wish."""

    @property
    def port_range(self) -> PortRange: ...

    @property
    def timeouts(self) -> Timeouts: ...


@dataclass(frozen=True)
class DesiredPort:
    """A pair of ports for a name; `slot` is the one that is wished for. Times say what a sweep finds old enough (None: never)."""

    state: str = "present"
    name: str = ""
    slot: int | None = None
    port_range: PortRange = field(default_factory=PortRange)
    min_age: timedelta = timedelta(minutes=15)
    unused_after: timedelta | None = None
    timeouts: Timeouts = field(default_factory=Timeouts)


@dataclass(frozen=True)
class DesiredMoves:
    """A node that is to be emptied, or else nodes that are to be about as full as each other."""

    drain: str = ""
    storage: str | None = None
    tolerance_percent: int = 20
    at_most: int = 5


@dataclass(frozen=True)
class CatalogEntry:
    """What tells an entry of the catalog from others in a guest. `images` by service."""

    id: str
    title: str
    version: str
    images: Mapping[str, str] = field(default_factory=dict)
    web_service: str = ""
    web: Web | None = None


@dataclass(frozen=True)
class Adoptee:
    """One guest. `entry` and `port` are the user's word over what a look into it tells; `updated` says when its images were renewed.

    `updating` says that this run begins to renew them (true), or is done with that (false).
    """

    vmid: int
    entry: str | None = None
    port: int | None = None
    updated: datetime | None = None
    updating: bool | None = None


@dataclass(frozen=True)
class DesiredAdoption:
    """Guests that are to be apps, or to be forgotten (`absent`), or only looked at (`discovered`)."""

    state: str = "present"
    guests: tuple[Adoptee, ...] = ()
    looks: Mapping[int, Look] = field(default_factory=dict)
    entries: tuple[CatalogEntry, ...] = ()
    take_over_lease: bool = False
    port_range: PortRange = field(default_factory=PortRange)
    timeouts: Timeouts = field(default_factory=Timeouts)
