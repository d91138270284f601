# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Slots: guest numbers in the public range, tried from a place that the app's name decides."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ..claims import PortRange
from ..errors import PlanError
from ..model import Observed
from . import facts


@dataclass
class Claims:
    """What the apps planned before this one, in the same plan, will take: names, numbers, and memory by node."""

    names: set[str] = field(default_factory=set)
    vmids: set[int] = field(default_factory=set)
    memory_mb: dict[str, int] = field(default_factory=dict)

    def add(self, vmid: int, node: str, memory_mb: int) -> None:
        self.vmids.add(vmid)
        self.memory_mb[node] = self.memory_mb.get(node, 0) + memory_mb


@dataclass(frozen=True)
class Held:
    """Slots that are taken without a guest of that number. `own` is the one that is reserved for the name itself, if any."""

    slots: frozenset[int] = frozenset()
    own: int | None = None


def held_slots(name: str, slots: PortRange, observed: Observed) -> Held:
    """What tags announce, and what the ledger says; it is read only where its pool tells that something is reserved."""
    cluster = facts.cluster(observed)
    announced = frozenset(cluster.announced)
    if slots.ledger not in cluster.pools:
        return Held(announced)
    claims = facts.ledger(observed, slots.ledger).claims
    own = [claim.slot for claim in claims if claim.name == name and not claim.vmid and claim.slot in slots.slots]
    return Held(announced | {claim.slot for claim in claims if claim.slot not in own}, own[0] if own else None)


def probe_order(name: str, slots: PortRange, own: int | None = None) -> Iterator[int]:
    """Yield every slot once, upwards with wrap-around: two controllers that deploy one name meet at the same slot."""
    if own is not None:
        yield own
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % slots.size
    order = (slots.first_vmid + (first + step) % slots.size for step in range(slots.size))
    yield from (slot for slot in order if slot != own)


def probe_run(name: str, slots: PortRange, taken: Collection[int], own: int | None = None) -> list[int]:
    """List the taken slots that stand before the first free one: where an app of that name was put, if nowhere else."""
    run = []
    for vmid in probe_order(name, slots, own):
        if vmid not in taken:
            break
        run.append(vmid)
    return run


def first_free(name: str, slots: PortRange, taken: Collection[int], own: int | None = None, deed: str = "create") -> int:
    for vmid in probe_order(name, slots, own):
        if vmid not in taken:
            return vmid
    raise PlanError(
        f"Cannot {deed} app {name}: all {slots.size} slots from {slots.slots[0]} to {slots.slots[-1]} are taken. "
        "Remove an app, or widen port_range."
    )
