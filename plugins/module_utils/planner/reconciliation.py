# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compares what is declared with what is there. What cannot be seen is unknown: it is never taken for gone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Any

from ..desired import DesiredApp
from ..errors import LeaseHeld, PlanError, Unseen
from ..fleets import DesiredReconciliation
from ..model import Fact, FactsNeeded, Guest, GuestConfig, Observed
from ..plans import AppPlan, Plan, Step
from . import facts
from .apps import plan_app
from .collection import collect
from .findings import Finding, asking, containers_of_ours, label, row
from .fleet import plan_member
from .slots import Claims

KINDS = ("missing", "drifted", "unwanted", "unexpected", "copy", "damaged", "unknown", "busy", "refused")
REPAIRED = ("missing", "drifted", "unwanted")
"""Kinds that can be put right on the whole; an unexpected app only by its name."""


def plan_reconciliation(wish: DesiredReconciliation, observed: Observed) -> Plan | FactsNeeded:
    return asking(partial(_plan, wish, observed))


def _plan(wish: DesiredReconciliation, observed: Observed) -> Plan | FactsNeeded:
    claims = Claims()
    declared = [(app.name, partial(_plan_declared, app, wish, observed, claims)) for app in wish.fleet.apps]
    refused = [(name, partial(_refused, name, reason)) for name, reason in wish.fleet.refused.items()]
    first = collect([*refused, *declared])
    if isinstance(first, FactsNeeded):
        return first
    rest = collect(_undeclared(wish, first.apps, observed))
    return rest if isinstance(rest, FactsNeeded) else Plan((*first.apps, *rest.apps))


def _refused(name: str, reason: Exception) -> AppPlan:
    return Finding(name, rows=(row("refused", Guest(0, "", name=name), str(reason)),))


def _plan_declared(app: DesiredApp, wish: DesiredReconciliation, observed: Observed, claims: Claims) -> AppPlan:
    try:
        plan = plan_member(app, wish.fleet.depth, observed, claims)
    except PlanError as refusal:
        return _told_refusal(app, refusal, observed)
    kind, what = _difference(app, plan, observed)
    if not kind:
        return plan
    guest = facts.cluster(observed).guests.get(plan.vmid, Guest(plan.vmid, plan.node, name=app.name))
    told = row(kind, replace(guest, name=app.name), _sentence(kind, what), what=what, converge=plan.converge)
    values = {key: getattr(plan, key) for key in ("vmid", "node", "digest", "warnings", "first")}
    if kind not in wish.repair:
        return Finding(plan.name, **values, rows=(told,))
    return Finding(plan.name, **values, steps=plan.steps, converge=plan.converge, rows=({**told, "deed": "repair"},))


def _told_refusal(app: DesiredApp, refusal: PlanError, observed: Observed) -> Finding:
    """An app that cannot be judged, and why."""
    cluster = facts.cluster(observed)
    rows = cluster.containers.get(app.name, [])
    guest = rows[0] if rows else Guest(0, "", name=app.name)
    if isinstance(refusal, Unseen):
        kind, guest = "unknown", cluster.guests[refusal.vmid]
    elif isinstance(refusal, LeaseHeld):
        kind = "busy"
    elif guest.vmid and (config := facts.observed_config(observed, guest.node, guest.vmid)) and config.notes.damage:
        kind = "damaged"
    else:
        kind = "refused"
    return Finding(app.name, guest.vmid, guest.node, rows=(row(kind, replace(guest, name=app.name), str(refusal)),))


def _difference(app: DesiredApp, plan: AppPlan, observed: Observed) -> tuple[str, list[str]]:
    """What is not as declared: a kind, and in words what of it."""
    if any(step.verb in ("create", "clone") and step.kind == "guest" for step in plan.steps):
        return "missing", []
    if app.state == "absent":
        return ("unwanted" if plan.steps else ""), []
    what = sorted({word for step in plan.steps for word in _words(step)})
    if plan.converge and not app.verify:
        what.append("revision" if _another_revision(app, plan, observed) else "unfinished work")
    what += ["waits for a restart"] if plan.warnings and not plan.steps and any("restart" in each for each in plan.warnings) else []
    return ("drifted" if what else ""), what


def _words(step: Step) -> Iterable[str]:
    if (step.verb, step.kind) == ("update", "config"):
        return ["record" if key == "notes" else key for key in step.after or {}]
    if step.kind == "guest":
        return ["live state" if step.verb in ("start", "stop", "restart") else step.verb]
    return [step.kind]


def _another_revision(app: DesiredApp, plan: AppPlan, observed: Observed) -> bool:
    config = facts.observed_config(observed, plan.node, plan.vmid)
    record = config.notes.record if config else None
    return bool(app.release and record and record.revision != app.release.revision)


def _sentence(kind: str, what: list[str]) -> str:
    if kind == "missing":
        return "It is declared, and not there."
    return "It is declared absent, and there." if kind == "unwanted" else f"Not as declared: {', '.join(what)}."


def _undeclared(wish: DesiredReconciliation, declared: tuple[AppPlan, ...], observed: Observed) -> Iterable[tuple[str, Any]]:
    """Containers with our tag that no declared app is."""
    cluster = facts.cluster(observed)
    known = {plan.vmid for plan in declared}
    names = {plan.name for plan in declared}
    others = [guest for guest in containers_of_ours(cluster) if guest.vmid not in known]
    reached = [guest for guest in others if cluster.is_online(guest.node)]
    facts.known(observed, *(Fact("config", (guest.node, guest.vmid)) for guest in reached))  # all at once
    return [(label(guest), partial(_plan_undeclared, guest, names, wish, observed)) for guest in others]


def _plan_undeclared(guest: Guest, names: set[str], wish: DesiredReconciliation, observed: Observed) -> AppPlan:
    if not facts.cluster(observed).is_online(guest.node):
        return _found("unknown", guest, f"Nobody declared it as far as can be told: its node {guest.node} is offline.")
    config: GuestConfig = facts.known(observed, Fact("config", (guest.node, guest.vmid)))[0]
    record = config.notes.record
    if record is None:
        return _found("damaged", guest, f"It bears our tag, and its record {config.notes.damage or 'is gone'}.")
    if record.vmid != guest.vmid:
        return _found("copy", guest, f"It carries a copy of the record of app {record.name} (guest {record.vmid}).")
    if record.name in names:
        return _found("refused", guest, f"It carries the name {record.name} of a declared app that is another guest.")
    told = row("unexpected", replace(guest, name=record.name), "Nobody declared it.", status=record.status)
    if record.name not in wish.remove:
        return Finding(label(guest), guest.vmid, guest.node, rows=(told,))
    try:
        plan = plan_app(DesiredApp(record.name, state="absent"), observed, Claims())
    except PlanError as refusal:
        return Finding(label(guest), guest.vmid, guest.node, rows=({**told, "why": f"Nobody declared it. {refusal}"},))
    return Finding(label(guest), plan.vmid, plan.node, plan.digest, plan.steps, rows=({**told, "deed": "remove"},))


def _found(kind: str, guest: Guest, why: str) -> Finding:
    return Finding(label(guest), guest.vmid, guest.node, rows=(row(kind, guest, why),))
