# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What all modules of the API have in common: the one place that knows AnsibleModule, its parameters and its secrets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule, missing_required_lib

from .api import MISSING, Client
from .arguments import connection_arguments, connection_of
from .errors import ProximityError

MASK = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"
MANY = ("apps", "clusters", "common", "definitions")
"""Parameters that hold options and environments of many apps."""


def begin(arguments: Mapping[str, Any], **rules: Any) -> tuple[AnsibleModule, dict[str, Any]]:
    """The module and its parameters, those of the connection among them."""
    module = AnsibleModule(argument_spec={**connection_arguments(), **arguments}, supports_check_mode=True, **rules)
    params = _take_params(module)
    if MISSING:
        module.fail_json(msg=missing_required_lib("proxmoxer, with requests"), exception=MISSING)
    return module, params


def tell(arguments: Mapping[str, Any], noun: str, ask: Callable[[Mapping[str, Any]], Any], reply: Callable[[Client, Any], Any]) -> None:
    """Parameters -> question -> answer: for modules that only look. They never write, so that a check is no different."""
    module, params = begin(arguments)
    try:
        question = ask(params)
        client = Client(connection_of(params), read_only=True)
        found = reply(client, question)
    except ProximityError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, calls=dict(client.calls), **{noun: found})


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
