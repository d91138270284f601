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
    """An entry of the catalog with the user's options: what is to run. `revision` is its fingerprint."""

    entry: str
    title: str
    version: str
    revision: str
    web: Web | None = None
    recommended: Resources = field(default_factory=Resources)
    minimum: Resources = field(default_factory=Resources)
    environment: tuple[str, ...] = ()


@dataclass(frozen=True)
class Report:
    """What came of the work in the guest. An empty `revision` means the one that was wanted."""

    vmid: int
    node: str
    healthy: bool
    revision: str = ""
    step: str = ""
    error: str = ""
    address: str = ""


@dataclass(frozen=True)
class Timeouts:
    create_s: int = 600
    start_s: int = 120
    shutdown_s: int = 60
    address_s: int = 90
    lease_s: int = 1800


@dataclass(frozen=True)
class DesiredApp:
    """`entry` is a catalog id; `release` is missing where nothing is to be rolled out.

    `node`, `storage`, `template`, `pool` and `ssh_public_keys` count when the app is created.
    """

    name: str
    state: str = "started"
    entry: str | None = None
    release: Release | None = None
    node: str | None = None
    storage: str | None = None
    template: str = "debian-13"
    pool: str | None = None
    ssh_public_keys: tuple[str, ...] = ()
    resources: Resources = field(default_factory=Resources)
    network: Network = field(default_factory=Network)
    nameservers: tuple[str, ...] | None = None
    search_domain: str | None = None
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
    """One guest. `entry` and `port` are the user's word over what a look into it tells."""

    vmid: int
    entry: str | None = None
    port: int | None = None


@dataclass(frozen=True)
class DesiredAdoption:
    """Guests that are to be apps, or to be forgotten (`absent`), or only looked at (`discovered`)."""

    state: str = "present"
    guests: tuple[Adoptee, ...] = ()
    looks: Mapping[int, Look] = field(default_factory=dict)
    entries: tuple[CatalogEntry, ...] = ()
    port_range: PortRange = field(default_factory=PortRange)
    timeouts: Timeouts = field(default_factory=Timeouts)
