# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules are about. A file each, so that a module brings along only what it needs: all of it is sent, and compiled, at each run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..api import Client
from ..arguments import connection_of, typed_connection
from ..controller import identify
from ..errors import ProximityError, SpecError
from ..log import Log
from ..model import Observed
from ..module import begin
from ..planner.effects import apply_plans
from ..plans import AppPlan, Plan
from ..results import diff_of, failure_data, step_data, told_failures
from ..session import Session


@dataclass(frozen=True)
class Noun:
    """What a module is about: how a wish is looked at, brought about, and told."""

    name: str
    look: Callable[[Session, Any], tuple[Any, Observed]]
    converge: Callable[[Session, Any, Any, Observed], tuple[Any, Observed]]
    describe: Callable[[Any, Any, Observed], dict[str, Any]]
    is_idle: Callable[[Any], bool] = lambda plan: not plan.steps


def run(arguments: Mapping[str, Any], desired: Callable[[Mapping[str, Any]], Any], noun: Noun, **rules: Any) -> None:
    """Parameters -> desired -> observe -> plan -> execute. In check mode it ends with the plan."""
    module, params = begin(arguments, **rules)
    told, failure = answer(params, desired, noun, module.check_mode)
    for warning in told.pop("warnings", ()):
        module.warn(warning)
    if failure:
        module.fail_json(msg=failure, **told)
    module.exit_json(**told)


def run_on_clusters(arguments: Mapping[str, Any], desired: Callable[[Mapping[str, Any]], Any], noun: Noun) -> None:
    """The same for several clusters, side by side: `answers` has what `run` would tell of each. One that fails stops no other."""
    module, params = begin(arguments)

    def ask(cluster: Mapping[str, Any]) -> dict[str, Any]:
        try:
            given = {**params, **typed_connection(cluster["connection"]), "apps": cluster["apps"]}
        except SpecError as error:
            return {"changed": False, "failed": True, "msg": str(error)}
        told, failure = answer(given, desired, noun, module.check_mode)
        return {**told, **({"failed": True, "msg": failure} if failure else {})}

    with ThreadPoolExecutor(len(params["clusters"]) or 1) as pool:
        answers = list(pool.map(ask, params["clusters"]))
    module.exit_json(changed=any(answer["changed"] for answer in answers), answers=answers)


def answer(
    params: Mapping[str, Any], desired: Callable[[Mapping[str, Any]], Any], noun: Noun, read_only: bool
) -> tuple[dict[str, Any], str]:
    """The result, and why it is a failure; empty if it is none."""
    plan: AppPlan | Plan = Plan()
    log, client = Log(), None
    try:
        wish = desired(params)
        client = Client(connection_of(params), read_only=read_only)
        session = Session(client, identify(), log)
        plan, observed = noun.look(session, wish)
        if read_only or noun.is_idle(plan):
            observed = apply_plans(plan, observed)
        else:
            plan, observed = noun.converge(session, wish, plan, observed)
    except ProximityError as error:
        return _told(noun, plan, log, client) | failure_data(error), str(error)
    told = {**_told(noun, plan, log, client), "warnings": list(plan.warnings), **noun.describe(wish, plan, observed)}
    return told, told_failures(plan.apps)


def _told(noun: Noun, plan: AppPlan | Plan, log: Log, client: Client | None) -> dict[str, Any]:
    """`changed`, `plan` and `diff` come from the same steps."""
    diffs = [diff_of(f"{noun.name} {each.name}", each.steps) for each in plan.apps if each.steps or len(plan.apps) == 1]
    return {
        "changed": bool(plan.steps),
        "plan": [step_data(step) for step in plan.steps],
        "diff": diffs[0] if len(diffs) == 1 else diffs,
        "log": log.lines,
        "calls": dict(client.calls) if client else {},
    }
