# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans the backups of many apps against one look at the cluster: whose is due, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial

from ..archives import Archive
from ..backups import DesiredBackups, Member, Window
from ..errors import PlanError
from ..model import Fact, FactsNeeded, Guest, Observed
from ..plans import AppPlan, Plan
from . import facts
from .backups import plan_present
from .collection import collect
from .shelves import UnderWay, shelves

Shelf = tuple[str, str]
Index = Mapping[Shelf, Mapping[str, Sequence[Archive]]]
"""Backups by storage (as a fact names it) and by the name of their app."""
UNCOVERED, RUNNING = Fact("uncovered"), Fact("running works")
MADE_BY_OTHERS = "there is a backup of it that somebody else has made"
DAYS = 7


@dataclass(frozen=True)
class DuePlan(AppPlan):
    """The plan of one of many apps, as `host` declares it. `why` says why a backup is due, or why none is.

    One that is `hooked` has no steps: somebody makes its container ready before. One that `waits` is being backed up by somebody else.
    `newest` is its newest backup.
    """

    host: str = ""
    due: bool = False
    why: str = ""
    hooked: bool = False
    waits: bool = False
    newest: Archive | None = None


def plan_backups(wish: DesiredBackups, observed: Observed) -> Plan | FactsNeeded:
    """One that is refused does not keep the others from their plans."""
    refused = (DuePlan(host, host=host, refusal=refusal) for host, refusal in wish.refused.items())
    index = index_archives(observed)
    planned = collect((member.host, partial(plan_member, member, index, observed)) for member in wish.members)
    return planned if isinstance(planned, FactsNeeded) else Plan((*planned.apps, *refused))


def index_archives(observed: Observed) -> Index:
    """Made once, however many apps are looked for."""
    found: dict[Shelf, dict[str, list[Archive]]] = {}
    for fact, archives in observed.facts.items():
        if fact.kind == "archives":
            named = found.setdefault((fact.key[0], fact.key[1]), {})
            for archive in archives:
                if archive.label and archive.label.kind == "backup":
                    named.setdefault(archive.label.name, []).append(archive)
    return found


def plan_member(member: Member, index: Index, observed: Observed) -> DuePlan:
    wish = member.wish
    rows = facts.cluster(observed).containers.get(wish.name, [])
    guest = rows[0] if len(rows) == 1 else None
    newest = _newest(member, guest, index, observed)
    due, why = _verdict(member, guest, newest, observed)
    where = (guest.vmid, guest.node) if guest else (0, "")
    plan = DuePlan(wish.name, *where, host=member.host, due=due, why=why, hooked=due and member.hooked, newest=newest)
    if not due:
        return plan
    if member.trouble:
        return replace(plan, refusal=PlanError(f"Cannot back up app {wish.name}: {member.trouble}"))
    return plan if plan.hooked else _with_steps(plan, member, observed)


def _with_steps(plan: DuePlan, member: Member, observed: Observed) -> DuePlan:
    try:
        made = plan_present(member.wish, _presuming_works(plan, observed))
    except UnderWay as work:
        return replace(plan, vmid=work.guest.vmid, node=work.guest.node, waits=True, why=f"{plan.why}, and one is being made")
    except PlanError as refusal:
        return replace(plan, refusal=refusal)
    plan = replace(plan, vmid=made.vmid, node=made.node, steps=made.steps)
    if any(step.verb == "create" for step in made.steps):
        return plan
    return replace(plan, due=False, why=MADE_BY_OTHERS)


def _presuming_works(plan: DuePlan, observed: Observed) -> Observed:
    """What the cluster's list of tasks has under way for a guest, so that nobody asks its node; who makes a backup looks there himself."""
    if not plan.vmid:
        return observed
    running = tuple(work for work in facts.known(observed, RUNNING)[0] if work.vmid == plan.vmid)
    return observed.having({Fact("works", (plan.node, plan.vmid)): running})


def _newest(member: Member, guest: Guest | None, index: Index, observed: Observed) -> Archive | None:
    """The newest backup whose notes name the app, where its node sees it. Only a record would prove it, which is not worth a call."""
    places = shelves(facts.cluster(observed), guest.node if guest else None, member.wish.storage)
    facts.known(observed, *(Fact("archives", (each.node, each.name)) for each in places))
    named = (archive for each in places for archive in index.get((each.node, each.name), {}).get(member.wish.name, ()))
    return max((archive for archive in named if _may_be_of(archive, guest)), key=lambda each: (each.made, each.volume), default=None)


def _may_be_of(archive: Archive, guest: Guest | None) -> bool:
    label = archive.label
    return not guest or bool(label and label.vmid == guest.vmid and (not label.entry or label.entry in guest.tags))


def newest_of(plan: AppPlan, observed: Observed) -> Archive | None:
    """The newest backup of an app, wherever it was seen; one that is yet to be made comes before all others."""
    every = (archive for fact, found in observed.facts.items() if fact.kind == "archives" for archive in found)
    own = (each for each in every if each.label and (each.label.kind, each.label.name, each.vmid) == ("backup", plan.name, plan.vmid))
    return max(own, key=lambda each: (each.made, each.volume), default=None)


def _verdict(member: Member, guest: Guest | None, newest: Archive | None, observed: Observed) -> tuple[bool, str]:
    """Whether a backup is due, and why."""
    uncovered = facts.known(observed, UNCOVERED)[0] if member.respects_jobs else None
    told = f"its last backup is of {newest.made:%Y-%m-%dT%H:%M:%SZ}" if newest else "it has no backup"
    if member.wish.force:
        return True, "asked for"
    if guest and uncovered is not None and guest.vmid not in uncovered:
        return False, "a backup job of the cluster covers it"
    if newest and observed.now - newest.made <= member.wish.max_age:
        return False, told
    if not is_open(member.window, observed.now):
        return False, "it is not the time for it"
    return True, told


def is_open(window: Window, now: datetime) -> bool:
    """Whether a backup may begin. A window over midnight belongs to the day that it begins on."""
    moment = now.astimezone(window.zone)
    clock, day = moment.time(), moment.weekday()
    if window.first is None or window.last is None:
        return day in window.days
    if window.first <= window.last:
        return window.first <= clock < window.last and day in window.days
    begun = day if clock >= window.first else (day - 1) % DAYS
    return (clock >= window.first or clock < window.last) and begun in window.days


def oldest_first(plans: Sequence[DuePlan]) -> list[DuePlan]:
    """Those that wait longest for a backup come first, those without one before all others."""
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(plans, key=lambda plan: (plan.newest.made if plan.newest else never, plan.host))
