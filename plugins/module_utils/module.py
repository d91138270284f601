# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module: the one place that knows AnsibleModule, check mode, results and exits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .api import MISSING, Client
from .arguments import connection_arguments, connection_of, typed_connection
from .backing import look_at_backups, settle_backups
from .backup_results import describe_backup
from .batch_results import describe_batch
from .batches import is_idle, look_at_batch, settle_batch
from .claim_results import describe_adoption, describe_port
from .claiming import look_at_claims, settle_claims
from .controller import identify
from .convergence import Session, converge, look_at
from .errors import ProximityError, SpecError
from .executor import Log
from .fleet_results import describe_fleet, describe_job, describe_reconciliation, describe_tidiness, told_failures
from .model import Observed
from .planner.adoption import plan_adoptions
from .planner.effects import apply_plans
from .planner.janitor import plan_tidiness
from .planner.jobs import plan_job
from .planner.ports import plan_port
from .planner.reconciliation import plan_reconciliation
from .plans import AppPlan, Plan
from .results import describe_app, diff_of, failure_data, step_data
from .settling import look_at_fleet, look_at_many, settle_fleet, settle_reconciliation, settle_tidiness

MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
MANY = ("apps", "clusters", "common", "definitions")
"""Parameters that hold options and environments of many apps."""


@dataclass(frozen=True)
class Noun:
    """What a module is about: how a wish is looked at, brought about, and told."""

    name: str
    look: Callable[[Session, Any], tuple[Any, Observed]]
    converge: Callable[[Session, Any, Any, Observed], tuple[Any, Observed]]
    describe: Callable[[Any, Any, Observed], dict[str, Any]]
    is_idle: Callable[[Any], bool] = lambda plan: not plan.steps


APP = Noun("app", look_at, converge, lambda app, plan, observed: {"app": describe_app(app, plan, observed)})
RECONCILIATION = Noun("app", partial(look_at_many, plan_reconciliation), settle_reconciliation, describe_reconciliation)
TIDINESS = Noun("guest", partial(look_at_many, plan_tidiness), settle_tidiness, describe_tidiness)
JOB = Noun("job", partial(look_at_claims, plan_job), partial(settle_claims, plan_job), describe_job)
FLEET = Noun("app", look_at_fleet, settle_fleet, describe_fleet)
PORT = Noun("port", partial(look_at_claims, plan_port), partial(settle_claims, plan_port), describe_port)

BACKUP = Noun("backup", look_at_backups, settle_backups, describe_backup)
BATCH = Noun("backup", look_at_batch, settle_batch, describe_batch, is_idle)
ADOPTION = Noun("guest", partial(look_at_claims, plan_adoptions), partial(settle_claims, plan_adoptions), describe_adoption)


def run(arguments: Mapping[str, Any], desired: Callable[[Mapping[str, Any]], Any], noun: Noun = APP, **rules: Any) -> None:
    """Parameters -> desired -> observe -> plan -> execute. In check mode it ends with the plan."""
    module, params = _begin(arguments, **rules)
    told, failure = answer(params, desired, noun, module.check_mode)
    for warning in told.pop("warnings", ()):
        module.warn(warning)
    if failure:
        module.fail_json(msg=failure, **told)
    module.exit_json(**told)


def run_on_clusters(arguments: Mapping[str, Any], desired: Callable[[Mapping[str, Any]], Any], noun: Noun) -> None:
    """The same for several clusters, side by side: `answers` has what `run` would tell of each. One that fails stops no other."""
    module, params = _begin(arguments)

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


def _begin(arguments: Mapping[str, Any], **rules: Any) -> tuple[AnsibleModule, dict[str, Any]]:
    module = AnsibleModule(argument_spec={**connection_arguments(), **arguments}, supports_check_mode=True, **rules)
    params = _take_params(module)
    if MISSING:
        module.fail_json(msg=missing_required_lib("proxmoxer, with requests"), exception=MISSING)
    return module, params


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


def tell(arguments: Mapping[str, Any], noun: str, ask: Callable[[Mapping[str, Any]], Any], reply: Callable[[Client, Any], Any]) -> None:
    """Parameters -> question -> answer: for modules that only look. They never write, so that a check is no different."""
    module, params = _begin(arguments)
    try:
        question = ask(params)
        client = Client(connection_of(params), read_only=True)
        found = reply(client, question)
    except ProximityError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, calls=dict(client.calls), **{noun: found})


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


def _take_params(module: AnsibleModule) -> dict[str, Any]:
    """Take the parameters, and leave none of the user's secrets in what Ansible puts into the result.

    Ansible itself would black out every text and number that holds a value of `environment`: with DEBUG=1 in it, guest
    8123 would lose its number. No result holds such a value, so that only the connection's secrets are left to it.
    """
    params = dict(module.params)
    connections = [params, *(cluster["connection"] for cluster in params.get("clusters") or ())]
    module.no_log_values = {str(each[key]) for each in connections for key in ("api_token_secret", "api_password") if each.get(key)}
    for key in ("environment", "options"):
        if params.get(key):
            module.params[key] = dict.fromkeys(params[key], MASK)
    for key in MANY:
        if params.get(key):
            module.params[key] = f"{len(params[key])} of them, {MASK}"
    return params
