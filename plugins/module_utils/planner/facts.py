# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a planner knows. Asking for a fact that nobody has observed raises FactsMissing, and so names it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from ..claims import Ledger
from ..model import SETTLING, Cluster, Fact, Guest, GuestConfig, Live, Observed

CLUSTER = Fact("cluster")


class FactsMissing(Exception):
    """Observe these, then plan again."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        self.facts = frozenset(facts)
        super().__init__(str(sorted(map(str, self.facts))))


def config_fact(guest: Guest) -> Fact:
    """The configuration of a guest that is being made says nothing yet: it is waited for, and so are snapshots that a killed run began."""
    return Fact("settled" if guest.lock in SETTLING else "config", (guest.node, guest.vmid))


def observed_config(observed: Observed, node: str, vmid: int) -> GuestConfig | None:
    """A configuration that was observed by either name; None when it was not."""
    names = (Fact(kind, (node, vmid)) for kind in ("config", "settled"))
    return next((observed.facts[name] for name in names if name in observed.facts), None)


def ledger_fact(name: str) -> Fact:
    return Fact("ledger", (name,))


def live_fact(node: str, vmid: int) -> Fact:
    return Fact("live", (node, vmid))


def cluster(observed: Observed) -> Cluster:
    found: Cluster = known(observed, CLUSTER)[0]
    return found


def configs(observed: Observed, guests: Iterable[Guest]) -> dict[int, GuestConfig]:
    wanted = {guest.vmid: config_fact(guest) for guest in guests}
    return dict(zip(wanted, known(observed, *wanted.values()), strict=True))


def ledger(observed: Observed, name: str) -> Ledger:
    found: Ledger = known(observed, ledger_fact(name))[0]
    return found


def live(observed: Observed, node: str, vmid: int) -> Live:
    found: Live = known(observed, live_fact(node, vmid))[0]
    return found


def started(observed: Observed, node: str, vmid: int) -> datetime | None:
    found: datetime | None = known(observed, Fact("started", (node, vmid)))[0]
    return found


def links_possible(observed: Observed, node: str, vmid: int) -> bool:
    return bool(known(observed, Fact("links_possible", (node, vmid)))[0])


def snapshots(observed: Observed, node: str, vmid: int) -> tuple[str, ...]:
    found: tuple[str, ...] = known(observed, Fact("snapshots", (node, vmid)))[0]
    return found


def snapshots_possible(observed: Observed, node: str, vmid: int) -> bool:
    return bool(known(observed, Fact("snapshots_possible", (node, vmid)))[0])


def safety_backup(observed: Observed, node: str, storage: str, vmid: int, name: str) -> str:
    """The volume of the backup that was made under this name; empty when there is none."""
    return str(known(observed, Fact("safety_backup", (node, storage, vmid, name)))[0])


def rescue_possible(observed: Observed, pool: str) -> bool:
    return bool(known(observed, Fact("rescue_possible", (pool,)))[0])


def templates_and_bridges(observed: Observed, node: str, storages: Iterable[str]) -> tuple[list[str], list[str]]:
    facts = [Fact("templates", (node, storage)) for storage in storages]
    *templates, bridges = known(observed, *facts, Fact("bridges", (node,)))
    return [volid for volids in templates for volid in volids], list(bridges)


def known(observed: Observed, *facts: Fact) -> list[Any]:
    missing = [fact for fact in facts if fact not in observed.facts]
    if missing:
        raise FactsMissing(missing)
    return [observed.facts[fact] for fact in facts]
