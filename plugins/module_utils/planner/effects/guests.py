# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects on containers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from ...model import Cluster, Fact, Guest, GuestConfig, Live
from ...plans import Step
from ..facts import CLUSTER, config_fact, live_fact
from ..restarts import WAITING

Facts = Mapping[Fact, Any]
Effect = Callable[[str, Step, Facts], Facts]
"""From a plan's node, a step and what is known to what is known afterwards, as far as it differs."""


def _created(node: str, step: Step, known: Facts) -> Facts:
    after = dict(step.after or {})
    names = {field.name for field in fields(GuestConfig)}
    config = GuestConfig(vmid=step.id, **{key: value for key, value in after.items() if key in names})
    guest = Guest(step.id, node, name=config.hostname, status="running" if after["running"] else "stopped", tags=config.tags)
    config = replace(config, disk_mb=after["disk_gb"] * 1024, disk_storage=after["storage"])
    live = Live(after["running"])
    return {**_listed(known, {**known[CLUSTER].guests, step.id: guest}), config_fact(guest): config, live_fact(node, step.id): live}


def _configured(node: str, step: Step, known: Facts) -> Facts:
    """Of the configuration, under either name that it was observed by."""
    names = (Fact(kind, (node, step.id)) for kind in ("config", "settled"))
    live = known.get(live_fact(node, step.id))
    waits = tuple(sorted(WAITING & set(step.after or {}))) if live and live.running else ()
    return {
        name: replace(known[name], **(step.after or {}), digest="", pending=tuple(sorted({*known[name].pending, *waits})))
        for name in names
        if name in known
    }


def _grown(node: str, step: Step, known: Facts) -> Facts:
    return _configured(node, step, known)


def _powered(node: str, step: Step, known: Facts) -> Facts:
    before = known[live_fact(node, step.id)]
    return {live_fact(node, step.id): replace(before, running=(step.after or {})["running"]), **_taken_over(node, step, known)}


def _restarted(node: str, step: Step, known: Facts) -> Facts:
    started = {Fact("started", (node, step.id)): (step.after or {})["started"]} if "started" in (step.after or {}) else {}
    return {**started, **_taken_over(node, step, known)}


def _taken_over(node: str, step: Step, known: Facts) -> Facts:
    """What waited for a restart waits no longer."""
    configs = ((name, known.get(name)) for name in (Fact(kind, (node, step.id)) for kind in ("config", "settled")))
    return {name: replace(config, pending=()) for name, config in configs if config}


def _deleted(node: str, step: Step, known: Facts) -> Facts:
    if CLUSTER not in known:
        return {Fact("config", (node, step.id)): None}
    return _listed(known, {vmid: guest for vmid, guest in known[CLUSTER].guests.items() if vmid != step.id})


def _listed(known: Facts, guests: Mapping[int, Guest]) -> Facts:
    cluster: Cluster = known[CLUSTER]
    return {CLUSTER: replace(cluster, guests=guests)}


GUEST_EFFECTS: dict[tuple[str, str], Effect] = {
    ("create", "guest"): _created,
    ("update", "config"): _configured,
    ("grow", "disk"): _grown,
    ("start", "guest"): _powered,
    ("stop", "guest"): _powered,
    ("restart", "guest"): _restarted,
    ("delete", "guest"): _deleted,
}
