# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a plan does to what was observed: the result of a check, and the law that planning again finds nothing to do."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any

from ..model import AppPlan, Cluster, Fact, Guest, GuestConfig, Ledger, Live, Observed, Plan, Step, claim_of
from .facts import CLUSTER, config_fact, live_fact

Facts = Mapping[Fact, Any]


def apply_plan(plan: AppPlan, observed: Observed) -> Observed:
    known = dict(observed.facts)
    for step in plan.steps:
        known |= EFFECTS[step.verb](plan.node, step, known)
    return replace(observed, facts=known)


def apply_plans(plan: AppPlan | Plan, observed: Observed) -> Observed:
    for each in plan.apps:
        observed = apply_plan(each, observed)
    return observed


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
    return {name: replace(known[name], **(step.after or {}), digest="") for name in names if name in known}


def _grown(node: str, step: Step, known: Facts) -> Facts:
    return _configured(node, step, known)


def _powered(node: str, step: Step, known: Facts) -> Facts:
    before = known[live_fact(node, step.id)]
    return {live_fact(node, step.id): replace(before, running=(step.after or {})["running"])}


def _restarted(node: str, step: Step, known: Facts) -> Facts:
    return {Fact("started", (node, step.id)): (step.after or {})["started"]}


def _deleted(node: str, step: Step, known: Facts) -> Facts:
    if CLUSTER not in known:
        return {Fact("config", (node, step.id)): None}
    return _listed(known, {vmid: guest for vmid, guest in known[CLUSTER].guests.items() if vmid != step.id})


def _claimed(node: str, step: Step, known: Facts) -> Facts:
    claim = claim_of(step.id, step.after or {})
    return {fact: Ledger((*known[fact].claims, claim)) for fact in known if fact.kind == "ledger"}


def _released(node: str, step: Step, known: Facts) -> Facts:
    claim = claim_of(step.id, step.before or {})
    kept = {fact: tuple(each for each in known[fact].claims if each != claim) for fact in known if fact.kind == "ledger"}
    return {fact: Ledger(claims) for fact, claims in kept.items()}


def _announced(node: str, step: Step, known: Facts) -> Facts:
    cluster: Cluster = known[CLUSTER]
    return {CLUSTER: replace(cluster, pools=cluster.pools | {(step.after or {})["pool"]})}


def _listed(known: Facts, guests: Mapping[int, Guest]) -> Facts:
    cluster: Cluster = known[CLUSTER]
    return {CLUSTER: replace(cluster, guests=guests)}


EFFECTS: dict[str, Callable[[str, Step, Facts], Facts]] = {
    "create": _created,
    "update": _configured,
    "grow": _grown,
    "start": _powered,
    "stop": _powered,
    "restart": _restarted,
    "delete": _deleted,
    "claim": _claimed,
    "release": _released,
    "announce": _announced,
}
