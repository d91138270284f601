# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is wrong with the settings of a site or an app, as far as that shows without asking a cluster."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.proximity.platform.plugins.module_utils.arguments import defaults_argument
from ansible_collections.proximity.platform.plugins.module_utils.defaults import complete_network, parse_defaults, parse_resources
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.networks import parse_nameservers, parse_network

SITE: Mapping[str, Any] = {"proximity_default_resources": {}, "proximity_default_network": {}, "proximity_features": {}}
"""What holds for a whole site or cluster, with what it is where nobody says anything."""
FEATURES = ("stack", "remove", "adopt", "look")
SPECS: dict[str, dict[str, Any]] = {key: each["options"] for key, each in defaults_argument()["options"].items()}
APP_NETWORK = {"address": {"type": "str"}, **{key: each for key, each in SPECS["network"].items() if key != "subnet"}}


def problem_of(name: str, value: Any, given: Mapping[str, Any]) -> str:
    """The sentence for a setting that makes no sense, and nothing for any other. `given` holds the other settings by name."""
    try:
        if name in CHECKS and value:
            CHECKS[name](name, value, given)
    except SpecError as error:
        return re.sub(r"\bdefaults\.", "proximity_default_", str(error))
    return ""


def _typed(name: str, spec: Mapping[str, Any], value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise SpecError(f"{name} is '{value}': give a mapping of {', '.join(spec)}.")
    result = ArgumentSpecValidator(dict(spec)).validate(dict(value))
    if result.error_messages:
        raise SpecError(f"{name}: {'; '.join(result.error_messages)}")
    return {key: result.validated_parameters.get(key) for key in spec}


def _check_resources(name: str, value: Any, _given: Mapping[str, Any]) -> None:
    parse_resources(_typed(name, SPECS["resources"], value), name)


def _check_default_network(name: str, value: Any, _given: Mapping[str, Any]) -> None:
    parse_defaults({"network": _typed(name, SPECS["network"], value)})


def _check_network(name: str, value: Any, given: Mapping[str, Any]) -> None:
    """An app's network; the default one may be wrong itself, which is told in its own place."""
    site = given.get("proximity_default_network") or {}
    usable = {} if problem_of("proximity_default_network", site, given) else _typed("", SPECS["network"], site)
    network = complete_network(_typed(name, APP_NETWORK, value), parse_defaults({"network": usable}))
    try:
        parse_network(network)
        parse_nameservers(network.get("dns"))
    except SpecError as error:
        raise SpecError(str(error).replace("network.", f"{name}.")) from error


def _check_features(name: str, value: Any, _given: Mapping[str, Any]) -> None:
    _typed(name, {key: {"type": "bool"} for key in FEATURES}, value)


CHECKS: dict[str, Callable[[str, Any, Mapping[str, Any]], None]] = {
    "proximity_default_resources": _check_resources,
    "proximity_default_network": _check_default_network,
    "proximity_features": _check_features,
    "app_resources": _check_resources,
    "app_network": _check_network,
}
