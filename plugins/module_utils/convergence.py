# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a plan to the state it wishes: execute, and where the cluster moved meanwhile, observe and plan again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from functools import partial

from .controller import run_is_left_over
from .desired import DesiredApp, Report
from .errors import LeaseHeld, NotConverged, OutcomeUnknown, ProximityError, SourceHeld, StateMoved, StepFailed, Timeout
from .executor import Progress, an_address_comes, await_address, execute, sentence
from .model import Observed
from .planner.apps import plan_apps, plan_cleanup, plan_failure
from .planner.effects import apply_plan
from .planner.facts import live_fact, observed_config
from .plans import AppPlan, Step
from .session import Session

ROUNDS = 5
LEFT_OVER_S = 120
MADE = frozenset({("create", "guest"), ("clone", "guest")})
POWERED = frozenset({"create", "start", "restart", "move"})
DISPENSABLE = frozenset({("delete", "snapshot"), ("delete", "safety-backup"), ("delete", "rescue")})
"""Steps of tidying up: where one fails, the rest is done all the same."""


def look_at(session: Session, app: DesiredApp, hidden: Collection[int] = ()) -> tuple[AppPlan, Observed]:
    """Observe and plan; raises the plan's refusal.

    What is left over of a killed run on this machine is waited for, and so is the source of a clone.
    """
    began, told = session.client.clock.now(), ""
    for _poll in session.client.pauses(app.timeouts.copy_s if app.clone else LEFT_OVER_S):
        plan, observed = session.look(partial(plan_apps, [app]), hidden)
        if not _will_pass(plan.refusal, session.client.clock.now() - began):
            break
        if str(plan.refusal) != told:
            told = str(plan.refusal)
            session.log.add("info", "wait", told)
    if plan.refusal:
        raise plan.refusal
    return plan, observed


def _will_pass(refusal: Exception | None, waited_s: float) -> bool:
    if isinstance(refusal, SourceHeld):
        return True
    return isinstance(refusal, LeaseHeld) and waited_s < LEFT_OVER_S and run_is_left_over(refusal.run)


def converge(session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> tuple[AppPlan, Observed]:
    """Bring an app to where it is wished; the answer's plan holds every step that was done, and so does an error.

    Raises StepFailed, NotConverged, or the refusal of a plan that another controller's work made impossible.
    """
    done: list[Step] = []
    try:
        plan, observed, app = _rounds(session, app, (plan, observed), done)
        return plan, _verify(session, app, plan, observed)
    except ProximityError as error:
        error.done = tuple(done)
        raise


def _rounds(session: Session, app: DesiredApp, seen: tuple[AppPlan, Observed], done: list[Step]) -> tuple[AppPlan, Observed, DesiredApp]:
    """Execute until a whole plan goes through, looking again whenever what was seen turns out to have passed.

    Answers the wish too, without what could be left out.
    """
    plan, observed = seen
    collided: list[int] = []
    left: list[str] = []
    last = ""  # what could not be done, and why
    for _round in range(ROUNDS):
        progress = execute(session.client, app, plan, session.log)
        done += progress.done
        if not progress.cause or not progress.failed:
            return replace(plan, steps=tuple(done), warnings=(*plan.warnings, *left)), apply_plan(plan, observed), app
        dispensable = (progress.failed.verb, progress.failed.kind) in DISPENSABLE
        if dispensable:
            left.append(f"Cannot {progress.told(plan.node)} It is left for the next run.")
            app = replace(app, safety=replace(app.safety, prune=False))
        elif not isinstance(progress.cause, (StateMoved, OutcomeUnknown)):
            raise _failure(session, app, plan, progress) from progress.cause
        if isinstance(progress.cause, StateMoved) and (progress.failed.verb, progress.failed.kind) in MADE:
            collided.append(plan.vmid)
        last = progress.told(plan.node)
        session.pause()
        # A number that is taken twice over and still not listed belongs to a guest that this token may not see.
        plan, observed = look_at(session, app, {vmid for vmid in collided if collided.count(vmid) > 1})
        if isinstance(progress.cause, OutcomeUnknown) and not dispensable and not _holds(plan, progress.failed):
            done.append(progress.failed)  # it did happen
    raise NotConverged(
        f"App {app.name} was changed by others {ROUNDS} times while it was worked on. The last time, this could not be done: {last} "
        "Run again.",
        plan.steps,
    )


def _holds(plan: AppPlan, step: Step) -> bool:
    return any((each.verb, each.kind, each.id) == (step.verb, step.kind, step.id) for each in plan.steps)


def _verify(session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> Observed:
    """Wait for what was started to have an address; of what was there before, look whether it is now as wished."""
    powered = [step for step in plan.steps if step.verb in POWERED and step.kind == "guest"]
    if powered:
        try:
            observed = _await_address(session, app, plan, observed)
        except Timeout as late:
            raise _failure(session, app, plan, Progress((), powered[-1], late)) from late
    if app.report or app.hold or not plan.steps or any((step.verb, step.kind) in MADE for step in plan.steps):
        return observed
    left, observed = session.look(partial(plan_apps, [app]))
    if left.steps:
        what = ", ".join(sentence(step, left.node) for step in left.steps)
        raise NotConverged(f"Everything planned for app {app.name} was done, and this is still left: {what}.", left.steps)
    return observed


def _await_address(session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> Observed:
    config = observed_config(observed, plan.node, plan.vmid)
    running = observed.facts[live_fact(plan.node, plan.vmid)].running
    if not running or not config or not an_address_comes(config):
        return observed
    live = await_address(session.client, app, plan, config.network.rest.get("name", "eth0"))
    return observed.having({live_fact(plan.node, plan.vmid): live})


def _failure(session: Session, app: DesiredApp, plan: AppPlan, progress: Progress) -> StepFailed:
    """The failure of a step, after cleaning away what a first deployment leaves."""
    for step in progress.not_started:
        session.log.add("info", step.verb, f"Not started: {sentence(step, plan.node)}")
    first = plan.first and app.on_failure == "cleanup"
    cleaned = _clean_away(session, app, plan) if first else _note(session, app, plan, progress)
    return StepFailed(f"Cannot {progress.told(plan.node)}{cleaned}", progress.failed, progress.not_started)


def _note(session: Session, app: DesiredApp, plan: AppPlan, progress: Progress) -> str:
    """Write what failed into the record and give its lease back, as far as that can be done: the failure itself is what counts."""
    if app.report or app.hold or not progress.failed:
        return ""
    report = Report(plan.vmid, plan.node, healthy=False, step=progress.failed.verb, error=f"Cannot {progress.told(plan.node)}")
    try:
        noting, _observed = session.look(partial(plan_failure, app, report))
        progress = execute(session.client, app, noting, session.log)
    except ProximityError as error:
        return f" This could not be recorded: {error}"
    return f" This could not be recorded: Cannot {progress.told(plan.node)}" if progress.cause else ""


def _clean_away(session: Session, app: DesiredApp, plan: AppPlan) -> str:
    """Destroy what this run has just begun to create, and nothing else; answers what became of it."""
    try:
        cleanup, _observed = session.look(partial(plan_cleanup, app, plan.vmid))
        if cleanup.refusal or not cleanup.steps:
            return f" {cleanup.refusal}" if cleanup.refusal else ""
        progress = execute(session.client, app, cleanup, session.log)
    except ProximityError as error:
        return f" Cleaning up failed too: {error} Run again to finish."
    if progress.cause:
        return f" Cleaning up failed too: Cannot {progress.told(plan.node)} Run again to finish."
    return f" Guest {plan.vmid} was removed again (on_failure: cleanup)."
