# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Slots: guest numbers in the public range, tried from a place that the app's name decides."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from ..errors import PlanError
from ..model import PortRange


@dataclass
class Claims:
    """What the apps planned before this one, in the same plan, will take: names, numbers, and memory by node."""

    names: set[str] = field(default_factory=set)
    vmids: set[int] = field(default_factory=set)
    memory_mb: dict[str, int] = field(default_factory=dict)

    def add(self, vmid: int, node: str, memory_mb: int) -> None:
        self.vmids.add(vmid)
        self.memory_mb[node] = self.memory_mb.get(node, 0) + memory_mb


def probe_order(name: str, slots: PortRange) -> Iterator[int]:
    """Yield every slot once, upwards with wrap-around: two controllers that deploy one name meet at the same slot."""
    first = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") % slots.size
    for step in range(slots.size):
        yield slots.first_vmid + (first + step) % slots.size


def probe_run(name: str, slots: PortRange, taken: Collection[int]) -> list[int]:
    """List the taken slots that stand before the first free one: where an app of that name was put, if nowhere else."""
    run = []
    for vmid in probe_order(name, slots):
        if vmid not in taken:
            break
        run.append(vmid)
    return run


def first_free(name: str, slots: PortRange, taken: Collection[int]) -> int:
    for vmid in probe_order(name, slots):
        if vmid not in taken:
            return vmid
    last = slots.first_vmid + slots.size - 1
    raise PlanError(
        f"Cannot create app {name}: all {slots.size} slots from {slots.first_vmid} to {last} are taken. Remove an app, or widen port_range."
    )
