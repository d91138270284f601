# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans that come with what was found, whether something is done about it or not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..model import Cluster, FactsNeeded, Guest
from ..plans import AppPlan, Plan
from .facts import FactsMissing

OURS = "proximity"


@dataclass(frozen=True)
class Finding(AppPlan):
    """`rows` say what was found, and in `deed` what the steps do about it: a word, or `left`."""

    rows: tuple[Mapping[str, Any], ...] = ()


def asking(work: Callable[[], Plan | FactsNeeded]) -> Plan | FactsNeeded:
    """A plan, or the facts that it lacks."""
    try:
        return work()
    except FactsMissing as need:
        return FactsNeeded(need.facts)


def containers_of_ours(cluster: Cluster) -> list[Guest]:
    """Containers that bear our tag, in the order of their numbers."""
    guests = (guest for guest in cluster.guests.values() if guest.kind == "lxc" and not guest.template and OURS in guest.tags)
    return sorted(guests, key=lambda guest: guest.vmid)


def label(guest: Guest) -> str:
    return f"{guest.app_name or 'guest'} ({guest.vmid})"


def row(kind: str, guest: Guest, why: str, **more: Any) -> dict[str, Any]:
    where = {
        "kind": kind,
        "name": guest.app_name or f"guest-{guest.vmid}",
        "vmid": guest.vmid,
        "node": guest.node,
        "status": "",
        "since": None,
    }
    return {**where, "why": why, "deed": "left", **more}
