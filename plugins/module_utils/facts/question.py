# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is asked: which parts, of which guests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..claims import PortRange
from ..defaults import parse_defaults
from ..desired import Defaults
from ..errors import SpecError
from ..ranges import parse_port_range

USUAL = ("connection", "version", "quorum", "health", "nodes", "storages", "apps", "unmanaged", "ports")
EXTRA = ("settings", "node_details", "records", "addresses", "copies", "backups")
"""These cost a call for each node, app or storage."""
PARTS = (*USUAL, *EXTRA)
THREADS = range(1, 33)
CHOSEN = ("name", "status", "catalog_id", "owner", "node")


@dataclass(frozen=True)
class Question:
    """`chosen` keeps the guests with one of these values; `text` those in whose name, tags, owner or notes it occurs."""

    parts: frozenset[str] = frozenset(USUAL)
    chosen: Mapping[str, frozenset[str]] = field(default_factory=dict)
    text: str = ""
    slots: PortRange = field(default_factory=PortRange)
    threads: int = 8
    defaults: Defaults = field(default_factory=Defaults)

    def having(self, parts: Iterable[str]) -> Question:
        return replace(self, parts=frozenset(parts))

    @property
    def needs_records(self) -> bool:
        """An owner stands in records only, and only a record tells a copy from an app."""
        return bool(self.parts & {"records", "copies"}) or "owner" in self.chosen


def question_of(params: Mapping[str, Any]) -> Question:
    """Read the parameters of module `proximity_facts`, whose documentation explains them."""
    wanted = params.get("gather_subset") or USUAL
    threads = params.get("threads") or 8
    if threads not in THREADS:
        raise SpecError(f"threads is {threads}: give a number from {THREADS[0]} to {THREADS[-1]}.")
    return Question(
        parts=frozenset(PARTS if "all" in wanted else wanted),
        chosen={key: frozenset(params[key]) for key in CHOSEN if params.get(key)},
        text=(params.get("text") or "").lower(),
        slots=parse_port_range(params.get("port_range") or {}),
        threads=threads,
        defaults=parse_defaults(params.get("defaults") or {}),
    )
