# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that turn a definition into what a guest needs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, stack_of
from ansible_collections.proximity.platform.plugins.module_utils.entries.dotenv import dotenv
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import complete_definition
from ansible_collections.proximity.platform.plugins.plugin_utils.changes import changed_images, changed_variables, secret_variables


def _stack(definition: Mapping[str, Any], app: Mapping[str, Any], options: Any = None, environment: Any = None) -> dict[str, Any]:
    try:
        complete = definition if "services" in definition else complete_definition(definition)
        return stack_of(parse_entry(complete), options or {}, environment or {}, app)
    except SpecError as error:
        raise AnsibleFilterError(str(error)) from error


def _dotenv(values: Mapping[str, Any]) -> str:
    try:
        return dotenv(values)
    except SpecError as error:
        raise AnsibleFilterError(str(error)) from error


def _changes(stack: Mapping[str, Any], compose: str, env: str, definition: Mapping[str, Any], environment: Any = None) -> list[str]:
    secret = secret_variables(definition, environment or {})
    return [*changed_images(compose, stack["compose"]), *changed_variables(env, _dotenv(stack["env"]), secret)]


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"stack": _stack, "stack_changes": _changes, "dotenv": _dotenv}
