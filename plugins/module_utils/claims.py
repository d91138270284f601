# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Slots and who holds them: the range of numbers and ports, and the claims of those that hold a slot without its number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class PortRange:
    """Slots: the guest `first_vmid + n` owns the ports `public_first + n` and `internal_first + n`.

    What holds a slot without its number is written in the ledger of that id.
    """

    first_vmid: int = 8100
    size: int = 900
    public_first: int = 8100
    internal_first: int = 9100
    ledger: str = "proximity-ports"

    @property
    def slots(self) -> range:
        return range(self.first_vmid, self.first_vmid + self.size)

    def ports(self, vmid: int) -> dict[str, int]:
        offset = vmid - self.first_vmid
        return {"public": self.public_first + offset, "internal": self.internal_first + offset}


@dataclass(frozen=True)
class Claim:
    """A slot that no guest's number holds: reserved for a name, or with `vmid` held by an adopted guest. `made` (UTC) is to the minute."""

    slot: int
    name: str
    vmid: int = 0
    made: datetime | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Ledger:
    """All claims of one ledger."""

    claims: tuple[Claim, ...] = ()


def claim_of(slot: int, said: Mapping[str, Any]) -> Claim:
    """The claim that a step speaks of."""
    return Claim(slot, str(said["name"]), int(said.get("vmid") or 0))
