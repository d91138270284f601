# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Runs a module: the one place that knows AnsibleModule, check mode, results and exits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .api import MISSING, Client
from .arguments import connection_arguments, connection_of
from .controller import identify
from .convergence import Session, converge, look_at
from .desired import DesiredApp
from .errors import ProximityError, StepFailed, TaskError
from .executor import Log
from .model import AppPlan, Observed
from .planner.effects import apply_plan
from .results import describe_app, diff_of, step_data

MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def run(arguments: Mapping[str, Any], desired: Callable[[Mapping[str, Any]], DesiredApp], **rules: Any) -> None:
    """Parameters -> desired -> observe -> plan -> execute. In check mode it ends with the plan."""
    module = AnsibleModule(argument_spec={**connection_arguments(), **arguments}, supports_check_mode=True, **rules)
    params = _take_params(module)
    if MISSING:
        module.fail_json(msg=missing_required_lib("proxmoxer, with requests"), exception=MISSING)
    plan, log, client = AppPlan(""), Log(), None
    try:
        app = desired(params)
        client = Client(connection_of(params), read_only=module.check_mode)
        session = Session(client, identify(), log)
        plan, observed = look_at(session, app)
        plan, observed = _carry_out(module, session, app, plan, observed)
    except ProximityError as error:
        module.fail_json(msg=str(error), **(_told(plan, log, client) | _failure_data(error)))
    for warning in plan.warnings:
        module.warn(warning)
    module.exit_json(**_told(plan, log, client), app=describe_app(app, plan, observed))


def _carry_out(module: AnsibleModule, session: Session, app: DesiredApp, plan: AppPlan, observed: Observed) -> tuple[AppPlan, Observed]:
    if module.check_mode or not plan.steps:
        return plan, apply_plan(plan, observed)
    return converge(session, app, plan, observed)


def _told(plan: AppPlan, log: Log, client: Client | None) -> dict[str, Any]:
    """`changed`, `plan` and `diff` come from the same steps."""
    return {
        "changed": bool(plan.steps),
        "plan": [step_data(step) for step in plan.steps],
        "diff": diff_of(plan.name, plan.steps),
        "log": log.lines,
        "calls": dict(client.calls) if client else {},
    }


def _failure_data(error: ProximityError) -> dict[str, Any]:
    data: dict[str, Any] = {"changed": bool(error.done)}
    if isinstance(error, StepFailed):
        steps = {"done": error.done, "failed": [error.failed], "not_started": error.not_started}
        data["steps"] = {key: [f"{step.verb} {step.kind} {step.id}" for step in each] for key, each in steps.items()}
    if isinstance(cause := error.__cause__, TaskError):
        data["task"] = {"upid": cause.upid, "exitstatus": cause.exitstatus, "log": list(cause.log)}
    return data


def _take_params(module: AnsibleModule) -> dict[str, Any]:
    """Take the parameters, and leave none of the user's secrets in what Ansible puts into the result.

    Ansible itself would black out every text and number that holds a value of `environment`: with DEBUG=1 in it, guest
    8123 would lose its number. No result holds such a value, so that only the connection's secrets are left to it.
    """
    params = dict(module.params)
    module.no_log_values = {params[key] for key in ("api_token_secret", "api_password") if params[key]}
    for key in ("environment", "options"):
        if params.get(key):
            module.params[key] = dict.fromkeys(params[key], MASK)
    return params
