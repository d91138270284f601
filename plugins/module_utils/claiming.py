# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a plan of claims to the state it wishes. A claim is not taken for granted: it is done when another look finds nothing left to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from .controller import run_is_left_over
from .desired import Desired
from .errors import LeaseHeld, NotConverged, OutcomeUnknown, ProximityError, StateMoved, StepFailed
from .executor import Progress, execute, sentence
from .model import Observed
from .observer import nothing_observed, observe
from .plans import AppPlan, Plan, Step
from .session import Session

PATIENCE_S = 120
"""How long others may be faster. Proxmox keeps one digest for all mappings, so that any two writers meet."""

Planner = Callable[[Any, Observed], Any]


def look_at_claims(planner: Planner, session: Session, wish: Desired) -> tuple[Plan, Observed]:
    """Observe and plan; raises the refusal of any of the plans before anything is done."""
    deadline = session.client.clock.now() + PATIENCE_S
    while True:
        try:
            plan, observed = observe(session.client, partial(planner, wish), nothing_observed(session.controller))
        except StateMoved:
            if session.client.clock.now() >= deadline:
                raise
            session.pause()
            continue
        refusals = [each.refusal for each in plan.apps if each.refusal]
        if any(map(_will_pass, refusals)) and session.client.clock.now() < deadline:
            session.pause()
            continue
        if refusals:
            raise refusals[0]
        return plan, observed


def _will_pass(refusal: Exception) -> bool:
    """Whether it is about a task that a killed ansible has left behind on this machine."""
    return isinstance(refusal, LeaseHeld) and run_is_left_over(refusal.run)


def settle_claims(planner: Planner, session: Session, wish: Desired, plan: Plan, observed: Observed) -> tuple[Plan, Observed]:
    """Execute and look again until nothing is left to do; the answer's plan holds every step that was done, and so does an error."""
    names = {each.name: list[Step]() for each in plan.apps}
    try:
        return _settle(planner, session, wish, (plan, observed), names)
    except ProximityError as error:
        error.done = tuple(step for steps in names.values() for step in steps)
        raise


def _settle(
    planner: Planner, session: Session, wish: Desired, seen: tuple[Plan, Observed], done: dict[str, list[Step]]
) -> tuple[Plan, Observed]:
    plan, observed = seen
    first, deadline = plan, session.client.clock.now() + PATIENCE_S
    while plan.steps:
        if session.client.clock.now() >= deadline:
            raise NotConverged(f"Others changed {_told(plan)} again and again for {PATIENCE_S} s. Run again.", plan.steps)
        lost = _execute(session, wish, plan, done)
        plan, observed = look_at_claims(planner, session, wish)
        for name, step in lost:
            if step not in plan.steps:
                done[name].append(step)  # its answer was lost, and it did happen
    return Plan(tuple(replace(each, steps=tuple(done[each.name])) for each in first.apps)), observed


def _execute(session: Session, wish: Desired, plan: Plan, done: dict[str, list[Step]]) -> list[tuple[str, Step]]:
    """Do what can be done; answers the steps whose answers were lost."""
    lost = []
    for each in plan.apps:
        progress = execute(session.client, wish, each, session.log)
        done[each.name] += progress.done
        if not progress.failed:
            continue
        if not isinstance(progress.cause, (StateMoved, OutcomeUnknown)):
            raise _failure(session, each, progress) from progress.cause
        if isinstance(progress.cause, OutcomeUnknown):
            lost.append((each.name, progress.failed))
        session.pause()
    return lost


def _failure(session: Session, plan: AppPlan, progress: Progress) -> StepFailed:
    for step in progress.not_started:
        session.log.add("info", step.verb, f"Not started: {sentence(step, plan.node)}")
    return StepFailed(f"Cannot {progress.told(plan.node)}", progress.failed, progress.not_started)


def _told(plan: Plan) -> str:
    return ", ".join(each.name for each in plan.apps if each.steps)
