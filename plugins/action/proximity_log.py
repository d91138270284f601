# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_log: holds the lines of a deployment on the controller, and hands them to the guest in one go."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.commands import KEPT_LINES, keep_command
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.lines import LEVELS, Line, clean_lines, make_line, write_lines

ARGUMENTS = {
    "step": {"type": "str", "required": True},
    "message": {"type": "str", "required": True},
    "level": {"type": "str", "choices": list(LEVELS), "default": "info"},
    "before": {"type": "list", "elements": "dict", "default": []},
    "begin": {"type": "bool", "default": False},
    "path": {"type": "path"},
}
FACT = "app_log"


class ActionModule(ActionBase):
    """A log never makes a deployment fail: what cannot be kept is told in a warning."""

    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        line = make_line(given["level"], given["step"], given["message"])
        if self._task.check_mode:
            return result | {"changed": False, "skipped": True, "msg": "In check mode nothing happens that could be logged."}
        held = [] if given["begin"] else clean_lines((task_vars or {}).get("ansible_facts", {}).get(FACT))
        told = [*clean_lines(given["before"]), line]
        happened = [*held, *told[:-1]]
        # A deployment that found all as it should be ends here, so that looking every hour does not wash out what happened.
        kept = bool(given["path"]) and (line["level"] == "error" or any(each["level"] != "debug" for each in happened))
        held = [*held, *told][-KEPT_LINES:]
        if kept:
            kept = self._keep(held, given["path"])
        return result | {"changed": False, "log": [line], "kept": kept, "ansible_facts": {FACT: held}}

    def _keep(self, lines: list[Line], path: str) -> bool:
        """Append lines to the guest's file: one command, which needs a shell only."""
        try:
            done = self._low_level_execute_command(keep_command(path), in_data=write_lines(lines).encode())
        except AnsibleError as error:
            self._display.warning(f"The log was not kept in the container: {error}")
            return False
        if done["rc"]:
            self._display.warning(f"The log was not kept in the container: {done['stderr'].strip()}")
        return not done["rc"]
