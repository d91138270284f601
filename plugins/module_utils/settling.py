# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many things brought about side by side: one that fails does not keep the others from being done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

from .claiming import settle_claims
from .controller import run_is_left_over
from .convergence import LEFT_OVER_S, converge, look_at
from .desired import DesiredApp
from .errors import LeaseHeld, ProximityError, StateMoved
from .fleets import DesiredFleet, DesiredReconciliation, DesiredTidiness
from .log import Log
from .model import Fact, FactsNeeded, Observed
from .observer import nothing_observed, observe
from .planner.facts import CLUSTER
from .planner.findings import Finding
from .planner.fleet import plan_fleet
from .planner.janitor import plan_tidiness
from .plans import AppPlan, Plan
from .session import Session

ROUNDS = 5

Planner = Callable[[Any, Observed], "Plan | FactsNeeded"]
Settle = Callable[[Session, AppPlan, Observed], tuple[AppPlan, Observed]]


@dataclass(frozen=True)
class Settled(AppPlan):
    """A plan that was carried out as far as `steps` say; `refusal` is what stopped it. `planned` is what it was, `lines` are its log."""

    planned: AppPlan | None = None
    lines: tuple[Mapping[str, str], ...] = ()


def look_at_many(planner: Planner, session: Session, wish: Any, rounds: int = ROUNDS) -> tuple[Plan, Observed]:
    """Observe and plan; refusals stay in the plan. Looks again when a guest went away or elsewhere meanwhile."""
    try:
        return observe(session.client, partial(planner, wish), nothing_observed(session.controller))
    except StateMoved as moved:
        if rounds == 1:
            raise
        session.log.add("warning", "observe", f"{moved}. Looking again.")
        session.pause()
        return look_at_many(planner, session, wish, rounds - 1)


def look_at_fleet(session: Session, wish: DesiredFleet) -> tuple[Plan, Observed]:
    return look_patiently(plan_fleet, session, wish)


def look_patiently(planner: Planner, session: Session, wish: Any) -> tuple[Plan, Observed]:
    """Observe and plan; what is left over of a killed run on this machine is waited for."""
    for _poll in session.client.pauses(LEFT_OVER_S):
        plan, observed = look_at_many(planner, session, wish)
        if not any(isinstance(each.refusal, LeaseHeld) and run_is_left_over(each.refusal.run) for each in plan.apps):
            break
    return plan, observed


def settle_fleet(session: Session, wish: DesiredFleet, plan: Plan, observed: Observed) -> tuple[Plan, Observed]:
    apps = {app.name: app for app in wish.apps}
    return settle_many(session, plan, observed, wish.threads, lambda each: partial(_converge, apps[each.name]))


def _converge(app: DesiredApp, session: Session, plan: AppPlan, observed: Observed) -> tuple[AppPlan, Observed]:
    if plan.crowded:
        plan, observed = look_at(session, app)
        if not plan.steps:
            return plan, observed
    return converge(session, app, plan, observed)


def settle_reconciliation(session: Session, wish: DesiredReconciliation, plan: Plan, observed: Observed) -> tuple[Plan, Observed]:
    """Repair declared apps as they are declared; an undeclared one has steps only where it is to go."""
    apps = {app.name: app for app in wish.fleet.apps}

    def how(each: AppPlan) -> Settle:
        app = apps.get(each.name)
        return partial(_converge, app or DesiredApp(_name_of(each), state="absent"))

    return settle_many(session, plan, observed, wish.fleet.threads, how)


def _name_of(plan: AppPlan) -> str:
    return str(plan.rows[0]["name"]) if isinstance(plan, Finding) else plan.name


def settle_tidiness(session: Session, wish: DesiredTidiness, plan: Plan, observed: Observed) -> tuple[Plan, Observed]:
    return settle_many(session, plan, observed, wish.threads, lambda _each: partial(settle_by_name, plan_tidiness, wish))


def settle_by_name(planner: Planner, wish: Any, session: Session, plan: AppPlan, observed: Observed) -> tuple[AppPlan, Observed]:
    """Carry out one plan of a planner for many, until another look finds nothing left of it."""

    def one(wish: Any, observed: Observed) -> Plan | FactsNeeded:
        outcome = planner(wish, observed)
        return outcome if isinstance(outcome, FactsNeeded) else Plan(tuple(each for each in outcome.apps if each.name == plan.name))

    done, observed = settle_claims(one, session, wish, Plan((plan,)), observed)
    return done.apps[0], observed


def settle_many(session: Session, plan: Plan, observed: Observed, threads: int, how: Callable[[AppPlan], Settle]) -> tuple[Plan, Observed]:
    """Carry out each plan that has steps, in so many threads; the answer has all of them in their order."""
    todo = [each for each in plan.apps if each.steps and not each.refusal]
    settled: dict[int, AppPlan] = {}
    merged = dict(observed.facts)
    with ThreadPoolExecutor(min(threads, len(todo)) or 1) as pool:
        for wave in ([each for each in todo if not each.crowded], [each for each in todo if each.crowded]):
            outcomes = pool.map(lambda each: settle_alone(session, each, observed, how(each)), wave)
            for before, (after, facts) in zip(wave, outcomes, strict=True):
                settled[id(before)] = after
                merged |= facts
    return Plan(tuple(settled.get(id(each), each) for each in plan.apps)), replace(observed, facts=merged)


def settle_alone(session: Session, plan: AppPlan, observed: Observed, settle: Settle) -> tuple[Settled, Mapping[Fact, Any]]:
    """One plan, in a session with a log of its own; what was seen of its guest."""
    own = replace(session, log=Log())
    try:
        after, seen = settle(own, plan, observed)
    except ProximityError as error:
        own.log.add("error", "refuse" if isinstance(error, LeaseHeld) else "fail", str(error))
        return _outcome(replace(plan, steps=tuple(error.done)), plan, own.log, error), {}
    return _outcome(after, plan, own.log), _facts_of(after, seen)


def _outcome(after: AppPlan, planned: AppPlan, log: Log, error: ProximityError | None = None) -> Settled:
    values = {each.name: getattr(after, each.name) for each in fields(AppPlan)}
    return Settled(**{**values, "refusal": error}, planned=planned, lines=tuple(log.lines))


def _facts_of(plan: AppPlan, seen: Observed) -> dict[Fact, Any]:
    """What was seen of one guest: the cluster's list too, where it was read for this guest alone, would undo what others saw."""
    return {fact: value for fact, value in seen.facts.items() if fact != CLUSTER and plan.vmid in fact.key}
