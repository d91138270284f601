# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects on snapshots and safety backups, and of going back to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ...archives import Rescue
from ...model import Fact, GuestConfig
from ...plans import Step
from ..facts import CLUSTER, live_fact
from .guests import Effect, Facts


def _taken(node: str, step: Step, known: Facts) -> Facts:
    fact = Fact("snapshots", (node, step.id))
    return {fact: tuple(sorted({*known.get(fact, ()), (step.after or {})["name"]}))}


def _dropped(node: str, step: Step, known: Facts) -> Facts:
    fact, marks, gone = Fact("snapshots", (node, step.id)), Fact("marks", (node, step.id)), (step.before or {})["name"]
    left = {fact: tuple(name for name in known.get(fact, ()) if name != gone)}
    return {**left, marks: tuple(each for each in known[marks] if each[0] != gone)} if marks in known else left


def _saved(node: str, step: Step, known: Facts) -> Facts:
    return {_backup_fact(node, step.id, step.after or {}): "made"}


def _erased(node: str, step: Step, known: Facts) -> Facts:
    return {_backup_fact(node, step.id, step.before or {}): ""}


def _announced(node: str, step: Step, known: Facts) -> Facts:
    after = step.after or {}
    pool = after["pool"]
    pools = replace(known[CLUSTER], pools=known[CLUSTER].pools | {pool})
    return {CLUSTER: pools, Fact("rescue", (pool,)): Rescue(pool, node, after["storage"], after["archive"])}


def _concluded(node: str, step: Step, known: Facts) -> Facts:
    return {CLUSTER: replace(known[CLUSTER], pools=known[CLUSTER].pools - {(step.before or {})["pool"]})}


def _gone_back(node: str, step: Step, known: Facts) -> Facts:
    """Of what is known, the tags alone differ: all else that is written was written before the safety point was made."""
    tags = (step.after or {})["tags"]
    configs: dict[Fact, GuestConfig] = {
        fact: replace(known[fact], tags=tags, pending=(), digest="")
        for fact in known
        if fact.kind in ("config", "settled") and fact.key == (node, step.id)
    }
    live = known[live_fact(node, step.id)]
    return {**configs, live_fact(node, step.id): replace(live, running=False)}


def _backup_fact(node: str, vmid: int, said: Mapping[str, Any]) -> Fact:
    return Fact("safety_backup", (node, said["storage"], vmid, said["name"]))


SNAPSHOT_EFFECTS: dict[tuple[str, str], Effect] = {
    ("create", "snapshot"): _taken,
    ("delete", "snapshot"): _dropped,
    ("rollback", "snapshot"): _gone_back,
    ("create", "safety-backup"): _saved,
    ("delete", "safety-backup"): _erased,
    ("rollback", "safety-backup"): _gone_back,
    ("create", "rescue"): _announced,
    ("delete", "rescue"): _concluded,
}
