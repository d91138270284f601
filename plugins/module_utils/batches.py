# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups of many apps: one of each node at a time, the nodes side by side. One that fails does not keep the next from its turn."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from .backing import every_archive, look_at_backups, settle_backups
from .backups import DesiredBackup, DesiredBackups, Member
from .errors import StateMoved
from .model import Fact, Observed
from .observer import nothing_observed, observe
from .planner.backups import without_force
from .planner.facts import CLUSTER
from .planner.policies import MADE_BY_OTHERS, RUNNING, UNCOVERED, DuePlan, newest_of, oldest_first, plan_backups
from .plans import AppPlan, Plan
from .session import Session
from .settling import Settled, look_patiently, settle_alone

CLUSTER_FRESH_S = 30
"""How long the cluster's list is believed to tell what room there is, and which nodes are there. An app's configuration is always read."""


def look_at_batch(session: Session, wish: DesiredBackups) -> tuple[Plan, Observed]:
    return look_patiently(plan_backups, session, wish)


def is_idle(plan: Plan) -> bool:
    """Whether there is nothing to do, and nothing to wait for."""
    return not any(_has_a_turn(each) for each in plan.apps)


def _has_a_turn(plan: AppPlan) -> bool:
    return isinstance(plan, DuePlan) and not plan.refusal and bool(plan.steps or plan.waits)


def settle_batch(session: Session, wish: DesiredBackups, plan: Plan, observed: Observed) -> tuple[Plan, Observed]:
    members = {member.host: replace(member, wish=_remembering(member, observed)) for member in wish.members}
    queues: dict[str, list[DuePlan]] = {}
    for each in oldest_first([each for each in plan.apps if isinstance(each, DuePlan) and _has_a_turn(each)]):
        queues.setdefault(each.node, []).append(each)
    settled: dict[str, Settled] = {}
    with ThreadPoolExecutor(min(wish.threads, len(queues)) or 1) as pool:
        for done in pool.map(lambda queue: _work_off(session, members, queue, observed), queues.values()):
            settled |= done
    return Plan(tuple(settled.get(each.host, each) if isinstance(each, DuePlan) else each for each in plan.apps)), observed


def _remembering(member: Member, observed: Observed) -> DesiredBackup:
    """When one must be made now, any that was not there at the beginning will do."""
    return without_force(member.wish, every_archive(observed))


@dataclass
class Turns:
    """What the turns of a node know from those before: the cluster's list, and the storages as they were after the last backup.

    `found` is what the look of this turn found.
    """

    session: Session
    cluster: Mapping[Fact, Any]
    seen_s: float
    shelves: Mapping[Fact, Any] = field(default_factory=dict)
    found: DuePlan | None = None

    def known(self) -> Mapping[Fact, Any]:
        """Works of others are not asked for: who makes a backup looks for them right after it has begun."""
        fresh = self.session.client.clock.now() - self.seen_s < CLUSTER_FRESH_S
        return {**(self.cluster if fresh else {}), **self.shelves, RUNNING: ()}

    def remember(self, observed: Observed) -> None:
        self.shelves = {fact: found for fact, found in observed.facts.items() if fact.kind == "archives"}
        if observed.facts[CLUSTER] is not self.cluster[CLUSTER]:
            self.cluster, self.seen_s = shared_facts(observed), self.session.client.clock.now()


def shared_facts(observed: Observed) -> dict[Fact, Any]:
    return {fact: found for fact, found in observed.facts.items() if fact in (CLUSTER, UNCOVERED)}


def _work_off(session: Session, members: Mapping[str, Member], queue: list[DuePlan], observed: Observed) -> dict[str, Settled]:
    turns, settled = Turns(session, shared_facts(observed), session.client.clock.now()), {}
    for plan in queue:
        turns.found = None
        outcome, _facts = settle_alone(session, plan, observed, partial(_take_turn, members[plan.host], turns))
        settled[plan.host] = replace(outcome, planned=turns.found or plan)
    return settled


def _take_turn(member: Member, turns: Turns, session: Session, plan: AppPlan, _observed: Observed) -> tuple[AppPlan, Observed]:
    """Look at the app again, since its turn may come hours after the first look, and back it up if that is still due."""
    found, observed = _look_again(session, member, turns, plan)
    turns.shelves, turns.found = {}, found
    if not found.steps:
        session.log.add("info", "look", f"No backup of app {found.name} is made any more: {found.why}.")
        return found, observed
    done, observed = settle_backups(session, member.wish, found, observed)
    turns.remember(observed)
    turns.found = replace(found, newest=newest_of(found, observed))
    return replace(found, steps=done.steps, warnings=done.warnings), observed


def _look_again(session: Session, member: Member, turns: Turns, plan: AppPlan) -> tuple[DuePlan, Observed]:
    """Where the app has moved, or somebody else is at it, all is looked at anew, and waited for; raises what still refuses a backup."""
    base = nothing_observed(session.controller).having(turns.known())
    if isinstance(plan, DuePlan) and not plan.waits:
        try:
            seen, observed = observe(session.client, partial(plan_backups, DesiredBackups((member,))), base)
        except StateMoved as moved:
            session.log.add("warning", "observe", f"{moved}. Looking again.")
        else:
            (found,) = (each for each in seen.apps if isinstance(each, DuePlan))
            if not found.refusal and not found.waits:
                return found, observed
    left, observed = look_at_backups(session, member.wish)
    why = plan.why if left.steps and isinstance(plan, DuePlan) else MADE_BY_OTHERS
    found = DuePlan(left.name, left.vmid, left.node, steps=left.steps, host=member.host, due=bool(left.steps), why=why)
    return replace(found, newest=newest_of(found, observed)), observed
