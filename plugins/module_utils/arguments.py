# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The connection's arguments, once for all modules; `doc_fragments/proximity.py` documents them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import env_fallback
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .api import Connection
from .errors import SpecError


def _option(name: str, **spec: Any) -> dict[str, Any]:
    return {**spec, "fallback": (env_fallback, [f"PROXIMITY_{name.upper()}"])}


def connection_arguments() -> dict[str, dict[str, Any]]:
    return {
        "api_host": _option("api_host", type="str"),
        "api_port": _option("api_port", type="int", default=8006),
        "api_user": _option("api_user", type="str"),
        "api_token_id": _option("api_token_id", type="str"),
        "api_token_secret": _option("api_token_secret", type="str", no_log=True),
        "api_password": _option("api_password", type="str", no_log=True),
        "api_timeout_s": _option("api_timeout_s", type="int", default=30),
        "api_retry_s": _option("api_retry_s", type="int", default=30),
        "validate_certs": _option("api_validate_certs", type="bool", default=True),
        "ca_path": _option("api_ca_path", type="path"),
    }


def defaults_argument() -> dict[str, Any]:
    """What new apps get; section `defaults` of the same file documents it."""
    texts = {key: {"type": "str"} for key in ("bridge", "subnet", "gateway", "search_domain")}
    numbers = {key: {"type": "int"} for key in ("vlan", "mtu")}
    network = {**texts, **numbers, "firewall": {"type": "bool"}, "dns": {"type": "list", "elements": "str"}}
    resources = {key: {"type": "int"} for key in ("cores", "memory_mb", "swap_mb", "disk_gb")}
    return {
        "type": "dict",
        "options": {key: {"type": "dict", "options": each} for key, each in (("resources", resources), ("network", network))},
    }


def typed_connection(given: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the connection's parameters that are given, such as an inventory has them, in the types that they are to have."""
    checked = ArgumentSpecValidator(connection_arguments()).validate(dict(given))
    if checked.error_messages:
        raise SpecError(f"{'; '.join(checked.error_messages)}.")
    return {key: checked.validated_parameters[key] for key in given}


def connection_of(params: Mapping[str, Any]) -> Connection:
    """Read the connection's parameters. A token may be named in full, `user@realm!id`."""
    user, _sign, token_id = (params["api_token_id"] or "").rpartition("!")
    user = user or params["api_user"] or ""
    _require(params, user, token_id)
    if params["ca_path"] and not Path(params["ca_path"]).is_file():
        raise SpecError(f"ca_path is {params['ca_path']}, and there is no such file.")
    return Connection(
        host=params["api_host"],
        port=params["api_port"],
        user=user,
        token_id=token_id,
        token_secret=params["api_token_secret"] or "",
        password=params["api_password"] or "",
        validate_certs=params["validate_certs"],
        ca_path=params["ca_path"] or "",
        timeout_s=params["api_timeout_s"],
        retry_s=params["api_retry_s"],
    )


def _require(params: Mapping[str, Any], user: str, token_id: str) -> None:
    if not params["api_host"]:
        raise SpecError("api_host is missing: name a node of the cluster, or set PROXIMITY_API_HOST.")
    if "/" in params["api_host"]:
        raise SpecError(f"api_host is '{params['api_host']}': give a host's name or address alone; the port is api_port.")
    if "@" not in user:
        raise SpecError(f"api_user is '{user}': give a user with its realm, such as proximity@pve.")
    if token_id and not params["api_token_secret"]:
        raise SpecError(f"The secret of token {user}!{token_id} is missing: set api_token_secret or PROXIMITY_API_TOKEN_SECRET.")
    if not token_id and not params["api_password"]:
        raise SpecError(f"It is not said how {user} logs in: give api_token_id and api_token_secret, or api_password.")
