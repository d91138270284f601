# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_adopt: reads the catalog on the controller, and hands the module what tells its entries apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import find_definition, list_entries

MODULE = "proximity.platform.proximity_adopt"


class ActionModule(ActionBase):
    """Everything but the catalog is the module's business, check mode included."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        arguments = dict(self._task.args)
        paths = _paths(arguments.pop("catalog_paths", None))
        try:
            if arguments.get("entries") is None:
                arguments["entries"] = _entries(arguments, paths)
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from error
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=wrap_async))
        return result


def _entries(arguments: Mapping[str, Any], paths: Sequence[str]) -> list[dict[str, Any]]:
    """All entries where a look is to be compared with them, else those that are named; none for what is to be forgotten."""
    if arguments.get("state") == "absent":
        return []
    guests = [guest for guest in arguments.get("guests") or () if isinstance(guest, Mapping)]
    named = {str(guest["catalog_id"]) for guest in guests if guest.get("catalog_id")}
    ids = named | set(list_entries(paths)) if arguments.get("looks") else named
    return [_signs(find_definition(each, paths)) for each in sorted(ids)]


def _signs(definition: Mapping[str, Any]) -> dict[str, Any]:
    web = definition.get("web")
    return {**{key: definition[key] for key in ("id", "name", "version")}, "images": definition["services"], "web": web}


def _paths(given: Any) -> list[str]:
    """Accept a list, or text with commas between, as Ansible does for lists."""
    rows = given.split(",") if isinstance(given, str) else given or []
    return [str(row).strip() for row in rows if str(row).strip()]
