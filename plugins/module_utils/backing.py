# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a plan of backups to the state it wishes: it is done when another look finds nothing left to do.

What cannot be unpacked in the place of an app makes the app go back to what it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from .archives import Archive
from .backups import DesiredBackup, Restoring
from .controller import run_is_left_over
from .desired import DesiredApp
from .errors import LeaseHeld, NotConverged, OutcomeUnknown, ProximityError, StateMoved, StepFailed, TaskError
from .executor import Progress, an_address_comes, await_address, execute, sentence
from .model import Fact, Observed
from .observer import nothing_observed, observe
from .planner.backups import plan_backup, without_force
from .planner.collection import collect
from .planner.facts import live_fact, observed_config
from .planner.restore import plan_return
from .planner.safety_backups import find_safety
from .planner.shelves import UnderWay
from .plans import AppPlan, Step
from .session import Session

ROUNDS = 6
AFTERWARDS = frozenset({("start", "guest"), ("delete", "rescue")})
"""What is done with an app that is back: where it fails, nothing goes back to what was before."""
LEFT_OVER_S = 120
Seen = tuple[AppPlan, Observed]


def look_at_backups(session: Session, wish: DesiredBackup) -> Seen:
    """Observe and plan; a backup of the same guest that is being made is waited for, and is the one that was wished for.

    With `wait` off there is nothing to do meanwhile. Raises the plan's refusal.
    """
    plan, observed, _wish = _look(session, wish)
    return plan, observed


def _look(session: Session, wish: DesiredBackup) -> tuple[AppPlan, Observed, DesiredBackup]:
    deadline = session.client.clock.now() + wish.timeouts.backup_s
    for _poll in session.client.pauses(wish.timeouts.backup_s):
        plan, observed = _observe(session, wish)
        refusal = plan.refusal
        if isinstance(refusal, UnderWay):
            wish = without_force(wish, every_archive(observed))
            if not wish.wait:
                guest = refusal.guest
                return AppPlan(plan.name, guest.vmid, guest.node), observed, wish
            _await(session, refusal, deadline)
        elif not (isinstance(refusal, LeaseHeld) and run_is_left_over(refusal.run)):
            break
    if plan.refusal:
        raise plan.refusal
    return plan, observed, wish


def _confirm(session: Session, wish: DesiredBackup, observed: Observed) -> tuple[AppPlan, Observed, DesiredBackup]:
    """Look at the storages once more, which is where a backup shows; its guest and the cluster were looked at right before it.

    Should anything be left to do, all is looked at once more.
    """
    kept = {fact: found for fact, found in observed.facts.items() if fact.kind not in ("archives", "works")}
    plan, observed = _observe(session, wish, kept)
    return _look(session, wish) if plan.steps or plan.refusal else (plan, observed, wish)


def _observe(session: Session, wish: DesiredBackup, known: Mapping[Fact, Any] | None = None) -> Seen:
    for attempt in range(1, ROUNDS + 1):
        try:
            plan, observed = observe(session.client, partial(plan_backup, wish), nothing_observed(session.controller).having(known or {}))
        except StateMoved:
            if attempt == ROUNDS:
                raise
            session.pause()
            continue
        break
    return plan.apps[0], observed


def _await(session: Session, work: UnderWay, deadline: float) -> None:
    """Wait until a task, or whoever holds the guest's lock, is done; how it ended the next look will show."""
    session.log.add("info", "wait", f"{work} Waiting for it.")
    if work.upid:
        try:
            session.client.wait(work.upid, max(1.0, deadline - session.client.clock.now()))
        except TaskError as error:
            session.log.add("warning", "wait", f"That one failed: {error.exitstatus}.")


def _knowing(wish: DesiredBackup, observed: Observed) -> DesiredBackup:
    """The wish with what was there when it was planned: a backup that is there beside it was made by somebody else meanwhile."""
    return wish if wish.force and wish.seen is not None else replace(wish, seen=frozenset(each.volume for each in every_archive(observed)))


def every_archive(observed: Observed) -> Iterator[Archive]:
    return (archive for fact, found in observed.facts.items() if fact.kind == "archives" for archive in found)


def settle_backups(session: Session, wish: DesiredBackup, plan: AppPlan, observed: Observed) -> Seen:
    """Execute and look again until nothing is left to do; the answer's plan holds every step that was done, and so does an error."""
    done: list[Step] = []
    try:
        return _settle(session, wish, (plan, observed), done)
    except ProximityError as error:
        error.done = tuple(done)
        raise


def _settle(session: Session, wish: DesiredBackup, seen: Seen, done: list[Step]) -> Seen:
    plan, observed = seen
    wish = without_force(wish, every_archive(observed))
    for _round in range(ROUNDS):
        progress = execute(session.client, _knowing(wish, observed), plan, session.log)
        done += progress.done
        cause = progress.cause
        if cause and not isinstance(cause, (StateMoved, OutcomeUnknown)):
            raise _failure(session, wish, plan, progress, done) from cause
        if cause:
            session.pause()
        again = wish if cause else replace(wish, force=wish.force and wish.state == "present")
        quick = not cause and again.state == "present" and again.wait
        left, observed, again = _confirm(session, again, observed) if quick else _look(session, again)
        if isinstance(cause, OutcomeUnknown) and progress.failed and progress.failed not in left.steps:
            done.append(progress.failed)  # its answer was lost, and it did happen
        if not left.steps:
            plan = replace(left, steps=tuple(done), warnings=plan.warnings)
            return plan, _await_address(session, wish, plan, observed)
        plan, wish = left, again
    left_over = ", ".join(sentence(step, plan.node) for step in plan.steps)
    raise NotConverged(f"The backups of app {wish.name} are still not as wished after {ROUNDS} rounds: {left_over}. Run again.", plan.steps)


def _await_address(session: Session, wish: DesiredBackup, plan: AppPlan, observed: Observed) -> Observed:
    """An app that was just started is told with its address."""
    started = any((step.verb, step.kind) == ("start", "guest") for step in plan.steps)
    config = observed_config(observed, plan.node, plan.vmid)
    if not started or not config or not an_address_comes(config):
        return observed
    app = DesiredApp(plan.name, timeouts=wish.timeouts)
    live = await_address(session.client, app, plan, config.network.rest.get("name", "eth0"))
    return observed.having({live_fact(plan.node, plan.vmid): live})


def _failure(session: Session, wish: DesiredBackup, plan: AppPlan, progress: Progress, done: list[Step]) -> StepFailed:
    """The failure of a step; of a restore in place, after the app's way back."""
    for step in progress.not_started:
        session.log.add("info", step.verb, f"Not started: {sentence(step, plan.node)}")
    story = f"Cannot {progress.told(plan.node)}"
    in_place = any((step.verb, step.kind) == ("restore", "guest") for step in plan.steps) and not wish.restoring.name
    if in_place and progress.failed and (progress.failed.verb, progress.failed.kind) not in AFTERWARDS:
        story += _go_back(session, wish, plan, story, done)
    return StepFailed(story, progress.failed, progress.not_started)


def _go_back(session: Session, wish: DesiredBackup, plan: AppPlan, story: str, done: list[Step]) -> str:
    """Bring the app back to what it was: as it is, if nothing was touched yet, else from its safety backup; answers what became of it."""
    try:
        back, _observed = session.look(
            lambda observed: collect([(wish.name, partial(plan_return, wish, _volume(plan), story[:300], observed))])
        )
        if back.vmid:
            return _do(session, wish, back, done) or " The app is as it was."
        _whole, observed = _observe(session, replace(wish, volume="", state="listed", node=None, storage=None))
        safety = find_safety(wish.name, _volume(plan), sorted(every_archive(observed), key=lambda each: each.made, reverse=True))
        if not safety:
            return f" Nothing is left of it but its backups: container {plan.vmid} is gone. Restore another one."
        returning = Restoring(confirm=True, safety=False, start=wish.restoring.start)
        plan, observed = look_at_backups(
            session, replace(wish, volume=safety.volume, storage=None, node=None, restoring=returning, force=False)
        )
        failed = _do(session, wish, plan, done)
    except ProximityError as error:
        return f" Going back failed too: {error} Run again to finish."
    return failed or f" What it held before is back, from its safety backup {safety.volume}."


def _do(session: Session, wish: DesiredBackup, plan: AppPlan, done: list[Step]) -> str:
    progress = execute(session.client, wish, plan, session.log)
    done += progress.done
    return f" Going back failed too: Cannot {progress.told(plan.node)} Run again to finish." if progress.cause else ""


def _volume(plan: AppPlan) -> str:
    return next(str((step.after or {})["archive"]) for step in plan.steps if (step.verb, step.kind) == ("restore", "guest"))
