# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user wants of an app's backups, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, time, timedelta, tzinfo

from .archives import Keep
from .claims import PortRange
from .desired import DesiredApp, Timeouts
from .model import Network

LATEST = "latest"


@dataclass(frozen=True)
class BackupTimeouts(Timeouts):
    """`backup_s` is how long a backup, or a restore, may take."""

    backup_s: int = 7200


@dataclass(frozen=True)
class Restoring:
    """How a backup is brought back. `name` is that of the new app, empty for the app that it is of."""

    name: str = ""
    confirm: bool = False
    safety: bool = True
    start: bool = True
    disk_storage: str | None = None
    network: Network = field(default_factory=Network)
    storage_map: Mapping[str, str] = field(default_factory=dict)
    bridge_map: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DesiredBackup:
    """An app's backups. `volume` names one of them, `verdict` is how a trial of it went.

    `seen` are those that were there when it was planned, and where one must be made now (`force`), when that was first asked for.
    """

    name: str = ""
    state: str = "present"
    volume: str = ""
    verdict: str = ""
    owner: str | None = None
    max_age: timedelta = timedelta(days=1)
    force: bool = False
    seen: frozenset[str] | None = None
    wait: bool = True
    mode: str = "snapshot"
    compress: str = "zstd"
    storage: str | None = None
    node: str | None = None
    text: str = ""
    protected: bool | None = None
    keep: Keep = field(default_factory=Keep)
    restoring: Restoring = field(default_factory=Restoring)
    take_over_lease: bool = False
    port_range: PortRange = field(default_factory=PortRange)
    timeouts: BackupTimeouts = field(default_factory=BackupTimeouts)

    def app(self, name: str = "") -> DesiredApp:
        """The app that this is about, as far as finding it and holding its lease go."""
        return DesiredApp(name=name or self.name, port_range=self.port_range, timeouts=self.timeouts, take_over_lease=self.take_over_lease)


@dataclass(frozen=True)
class Window:
    """When a backup may begin: from `first` to before `last` (both None: all day) on `days` (0 is Monday), by the clock of `zone`."""

    first: time | None = None
    last: time | None = None
    days: frozenset[int] = frozenset(range(7))
    zone: tzinfo = UTC


@dataclass(frozen=True)
class Member:
    """One of many apps, as `host` of an inventory declares it.

    `respects_jobs` leaves it to a backup job of the cluster that covers it. One that is `hooked` has to be made ready in its container
    before its backup, by somebody else; `trouble` says why nobody knows whether it has to.
    """

    host: str
    wish: DesiredBackup
    window: Window = field(default_factory=Window)
    respects_jobs: bool = True
    hooked: bool = False
    trouble: str = ""


@dataclass(frozen=True)
class DesiredBackups:
    """Backups of many apps. `refused` says by host which wishes make no sense."""

    members: tuple[Member, ...] = ()
    refused: Mapping[str, Exception] = field(default_factory=dict)
    threads: int = 8
