# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects of moving."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ...model import Fact
from ...plans import Step
from ..facts import CLUSTER
from .guests import Effect, Facts


def _moved(node: str, step: Step, known: Facts) -> Facts:
    """All that was known of the guest holds on its new node; one that runs has been started there."""
    after, cluster = dict(step.after or {}), known[CLUSTER]
    target = after["node"]
    moved: dict[Fact, Any] = {
        Fact(fact.kind, (target, step.id)): value for fact, value in known.items() if fact.key == (node, step.id) and fact.kind != "started"
    }
    for fact, config in list(moved.items()):
        if fact.kind in ("config", "settled"):
            moved[fact] = replace(config, disk_storage=after["storage"])
    guest = replace(cluster.guests[step.id], node=target)
    listed = replace(cluster, guests={**cluster.guests, step.id: guest})
    started = {Fact("started", (target, step.id)): after["started"]} if "started" in after else {}
    return {CLUSTER: listed, **moved, **started}


MOVE_EFFECTS: dict[tuple[str, str], Effect] = {("move", "guest"): _moved}
