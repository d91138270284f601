# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_app: reads the catalog on the controller, and hands the definition to the module of that name."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import complete_definition, find_definition
from ansible_collections.proximity.platform.plugins.plugin_utils.declarations import folders

MODULE = "proximity.platform.proximity_app"


class ActionModule(ActionBase):
    """Everything but the catalog is the module's business, check mode included."""

    _supports_check_mode = True
    _supports_async = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result = super().run(tmp, task_vars)
        try:
            arguments = _with_definition(dict(self._task.args))
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from error
        wrap_async = bool(self._task.async_val) and not self._connection.has_native_async
        result.update(self._execute_module(module_name=MODULE, module_args=arguments, task_vars=task_vars, wrap_async=wrap_async))
        return result


def _with_definition(arguments: dict[str, Any]) -> dict[str, Any]:
    """Replace catalog_id by the definition it stands for, and complete an inline definition."""
    paths = folders(arguments.pop("catalog_paths", None))
    catalog_id, definition = arguments.get("catalog_id"), arguments.get("definition")
    if isinstance(definition, dict) and definition:
        return {**arguments, "definition": complete_definition(definition)}
    if definition or not catalog_id:
        return arguments
    try:
        found = find_definition(str(catalog_id), paths)
    except SpecError:
        if arguments.get("state") == "absent":
            return arguments  # an app outlives its entry: the id is enough to find it
        raise
    del arguments["catalog_id"]
    return {**arguments, "definition": found}
