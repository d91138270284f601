# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans a list of desired apps against one observation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

from ..desired import DesiredApp, Report
from ..errors import PlanError
from ..model import FactsNeeded, Observed
from ..plans import AppPlan, Plan
from .adjustment import plan_adjustment
from .cloning import plan_clone
from .collection import collect
from .creation import plan_creation
from .deletion import plan_deletion
from .reports import plan_clean_up, plan_hold, plan_own_failure, plan_report
from .rescue import end_rescues, plan_rescue
from .rollback import is_going_back
from .search import Search, find_app, told_half_made
from .slots import Claims


def plan_apps(desired: Sequence[DesiredApp], observed: Observed) -> Plan | FactsNeeded:
    """Plan all of them, or name the facts that are missing. One app's refusal does not keep the others from their plans."""
    claims = Claims()
    return collect((app.name, partial(plan_app, app, observed, claims)) for app in desired)


def plan_cleanup(app: DesiredApp, vmid: int, observed: Observed) -> Plan | FactsNeeded:
    """Plan to destroy what this run has just failed to create; nothing when it is not there, or not ours."""
    return collect([(app.name, partial(plan_clean_up, app, vmid, observed))])


def plan_failure(app: DesiredApp, report: Report, observed: Observed) -> Plan | FactsNeeded:
    """Plan to say in the record what this run has just failed to do."""
    return collect([(app.name, partial(plan_own_failure, app, report, observed))])


def plan_app(app: DesiredApp, observed: Observed, claims: Claims) -> AppPlan:
    if app.name in claims.names:
        raise PlanError(f"App {app.name} is declared twice. Give one of them another name.")
    claims.names.add(app.name)
    if app.report:
        return plan_report(app, app.report, observed)
    if app.hold:
        return plan_hold(app, app.hold, observed)
    search = find_app(app, observed)
    if app.state == "absent":
        plan = _without_rescues(app, plan_deletion(app, search, observed), observed)
    elif search.found:
        plan = plan_adjustment(app, search.found, observed)
        plan = plan if is_going_back(search.found.record) else _without_rescues(app, plan, observed)
    elif rescued := plan_rescue(app, observed):
        plan = rescued
    elif search.copies:
        copy = search.copies[0]
        raise PlanError(
            f"Guest {copy.guest.vmid} on node {copy.guest.node} carries a copy of the record of app {app.name} (guest {copy.record.vmid}), "
            "which is not there itself. Adopt the copy, rename it or remove it; it is neither trusted nor overlooked."
        )
    elif app.clone:
        plan = plan_clone(app, app.clone, observed, claims)
    else:
        plan = plan_creation(app, observed, claims)
    return replace(plan, warnings=plan.warnings + _warnings(app, search))


def _without_rescues(app: DesiredApp, plan: AppPlan, observed: Observed) -> AppPlan:
    """An app that is there, or not wanted, has nothing left to be brought back from."""
    ends = end_rescues(app.name, observed) if app.safety.prune else []
    return replace(plan, vmid=plan.vmid or ends[0].id, steps=(*plan.steps, *ends)) if ends else plan


def _warnings(app: DesiredApp, search: Search) -> tuple[str, ...]:
    copies = (
        f"Guest {each.guest.vmid} on node {each.guest.node} carries a copy of the record of app {app.name}: it is left alone."
        for each in search.copies
    )
    strangers = (
        f"Guest {each.vmid} on node {each.node} is named {app.name} and is no app of Proximity: it is left alone."
        for each in search.strangers
    )
    return (*copies, *strangers, *told_half_made(search), *_small_sizes(app))


def _small_sizes(app: DesiredApp) -> Iterator[str]:
    for key, least in vars(app.release.minimum).items() if app.release else ():
        wish = getattr(app.resources, key)
        if None not in (wish, least) and wish < least:
            yield f"App {app.name} is to have {key} {wish}, and its entry needs at least {least}."
