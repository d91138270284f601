# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user wants of many apps at once, as frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from .claims import PortRange
from .desired import DesiredApp, Timeouts

DEPTHS = ("tags", "record", "full")
"""How much of an app is looked at that seems to be in order: its row in the cluster's list, its configuration too, its addresses too."""


@dataclass(frozen=True)
class DesiredFleet:
    """Many apps. `refused` says by name which wishes make no sense, `hosts` which host of an inventory declares which app."""

    apps: tuple[DesiredApp, ...] = ()
    refused: Mapping[str, Exception] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)
    depth: str = "tags"
    threads: int = 8


@dataclass(frozen=True)
class DesiredReconciliation:
    """That what is declared and what is there agree. `repair` holds kinds of differences to put right, `remove` names to delete."""

    fleet: DesiredFleet = field(default_factory=DesiredFleet)
    repair: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()


@dataclass(frozen=True)
class DesiredTidiness:
    """That nothing has been under way for longer than `older_than`, and that nothing lies about that work of ours has left behind."""

    older_than: timedelta = timedelta(hours=1)
    first_deployments: str = "error"
    snapshots: str = "report"
    clones: str = "report"
    port_range: PortRange = field(default_factory=PortRange)
    timeouts: Timeouts = field(default_factory=Timeouts)
    threads: int = 8


@dataclass(frozen=True)
class Job:
    """A scheduled job under way: who runs it (as in a lease), and until when (UTC, seconds since epoch) it is believed to."""

    name: str
    holder: str
    run: str
    until: int


def job_of(said: Mapping[str, Any]) -> Job:
    """The job that a step speaks of."""
    return Job(str(said["job"]), str(said["holder"]), str(said["run"]), int(said["until"].timestamp()))


@dataclass(frozen=True)
class Jobs:
    """All jobs under way on a cluster."""

    jobs: tuple[Job, ...] = ()


@dataclass(frozen=True)
class DesiredJob:
    """That we run a job alone (`begun`), or no longer (`ended`). `lasts` is how long it is believed to run if nothing is heard of it."""

    name: str
    state: str = "begun"
    lasts: timedelta = timedelta(hours=2)
    ledger: str = "proximity-jobs"
    port_range: PortRange = field(default_factory=PortRange)
    timeouts: Timeouts = field(default_factory=Timeouts)
