# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a plan to the state it wishes: execute, and where the cluster moved meanwhile, observe and plan again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from functools import partial

from .api import Client
from .controller import run_is_left_over
from .desired import DesiredApp
from .errors import LeaseHeld, NotConverged, OutcomeUnknown, ProximityError, StateMoved, StepFailed, Timeout
from .executor import Log, Progress, await_address, execute, sentence
from .model import Controller, Observed
from .observer import Planner, nothing_observed, observe
from .planner.apps import plan_apps, plan_cleanup
from .planner.effects import apply_plan
from .planner.facts import live_fact, observed_config
from .plans import AppPlan, Step

ROUNDS = 5
LONGEST_PAUSE_S = 0.5
LEFT_OVER_S = 120
POWERED = frozenset({"create", "start", "restart"})


@dataclass(frozen=True)
class Session:
    """One run of a module against one cluster."""

    client: Client
    controller: Controller
    log: Log = field(default_factory=Log)

    def look(self, planner: Planner, hidden: Collection[int] = (), rounds: int = ROUNDS) -> tuple[AppPlan, Observed]:
        """Observe from scratch and plan one app; again when the cluster moved under our eyes."""
        try:
            plan, observed = observe(self.client, planner, nothing_observed(self.controller, frozenset(hidden)))
        except StateMoved as moved:
            if rounds == 1:
                raise
            self.log.add("warning", "observe", f"{moved}. Looking again.")
            self.pause()
            return self.look(planner, hidden, rounds - 1)
        return plan.apps[0], observed

    def pause(self) -> None:
        """Let whoever else is at it get ahead, and not in step with us."""
        self.client.clock.sleep(self.client.clock.random() * LONGEST_PAUSE_S)


def look_at(session: Session, app: DesiredApp, hidden: Collection[int] = ()) -> tuple[AppPlan, Observed]:
    """Observe and plan; raises the plan's refusal. What is left over of a killed run on this machine is waited for."""
    for _poll in session.client.pauses(LEFT_OVER_S):
        plan, observed = session.look(partial(plan_apps, [app]), hidden)
        if not (isinstance(plan.refusal, LeaseHeld) and run_is_left_over(plan.refusal.run)):
            break
    if plan.refusal:
        raise plan.refusal
    return plan, observed


def converge(session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> tuple[AppPlan, Observed]:
    """Bring an app to where it is wished; the answer's plan holds every step that was done, and so does an error.

    Raises StepFailed, NotConverged, or the refusal of a plan that another controller's work made impossible.
    """
    done: list[Step] = []
    try:
        plan, observed = _rounds(session, app, (plan, observed), done)
        return plan, _verify(session, app, plan, observed)
    except ProximityError as error:
        error.done = tuple(done)
        raise


def _rounds(session: Session, app: DesiredApp, seen: tuple[AppPlan, Observed], done: list[Step]) -> tuple[AppPlan, Observed]:
    """Execute until a whole plan goes through, looking again whenever what was seen turns out to have passed."""
    plan, observed = seen
    collided: list[int] = []
    for _round in range(ROUNDS):
        progress = execute(session.client, app, plan, session.log)
        done += progress.done
        if not progress.cause or not progress.failed:
            return replace(plan, steps=tuple(done)), apply_plan(plan, observed)
        if not isinstance(progress.cause, (StateMoved, OutcomeUnknown)):
            raise _failure(session, app, plan, progress) from progress.cause
        if isinstance(progress.cause, StateMoved) and progress.failed.verb == "create":
            collided.append(plan.vmid)
        session.pause()
        # A number that is taken twice over and still not listed belongs to a guest that this token may not see.
        plan, observed = look_at(session, app, {vmid for vmid in collided if collided.count(vmid) > 1})
        if isinstance(progress.cause, OutcomeUnknown) and not _holds(plan, progress.failed):
            done.append(progress.failed)  # it did happen
    raise NotConverged(f"App {app.name} was changed by others {ROUNDS} times while it was worked on. Run again.", plan.steps)


def _holds(plan: AppPlan, step: Step) -> bool:
    return any((each.verb, each.kind, each.id) == (step.verb, step.kind, step.id) for each in plan.steps)


def _verify(session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> Observed:
    """Wait for what was started to have an address; of what was there before, look whether it is now as wished."""
    powered = [step for step in plan.steps if step.verb in POWERED]
    if powered:
        try:
            observed = _await_address(session, app, plan, observed)
        except Timeout as late:
            raise _failure(session, app, plan, Progress((), powered[-1], late)) from late
    if app.report or not plan.steps or any(step.verb == "create" for step in plan.steps):
        return observed
    left, observed = session.look(partial(plan_apps, [app]))
    if left.steps:
        what = ", ".join(sentence(step, left.node) for step in left.steps)
        raise NotConverged(f"Everything planned for app {app.name} was done, and this is still left: {what}.", left.steps)
    return observed


def _await_address(session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> Observed:
    config = observed_config(observed, plan.node, plan.vmid)
    running = observed.facts[live_fact(plan.node, plan.vmid)].running
    if not running or not config or config.network.address in ("", "manual"):
        return observed
    live = await_address(session.client, app, plan, config.network.rest.get("name", "eth0"))
    return observed.having({live_fact(plan.node, plan.vmid): live})


def _failure(session: Session, app: DesiredApp, plan: AppPlan, progress: Progress) -> StepFailed:
    """The failure of a step, after cleaning away what a first deployment leaves."""
    for step in progress.not_started:
        session.log.add("info", step.verb, f"Not started: {sentence(step, plan.node)}")
    cleaned = _clean_away(session, app, plan) if plan.first and app.on_failure == "cleanup" else ""
    return StepFailed(f"Cannot {progress.told(plan.node)}{cleaned}", progress.failed, progress.not_started)


def _clean_away(session: Session, app: DesiredApp, plan: AppPlan) -> str:
    """Destroy what this run has just begun to create, and nothing else; answers what became of it."""
    try:
        cleanup, _observed = session.look(partial(plan_cleanup, app, plan.node, plan.vmid))
        if cleanup.refusal or not cleanup.steps:
            return f" {cleanup.refusal}" if cleanup.refusal else ""
        progress = execute(session.client, app, cleanup, session.log)
    except ProximityError as error:
        return f" Cleaning up failed too: {error} Run again to finish."
    if progress.cause:
        return f" Cleaning up failed too: Cannot {progress.told(plan.node)} Run again to finish."
    return f" Guest {plan.vmid} was removed again (on_failure: cleanup)."
