# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_outcome: tells for a host what a task for many has done for it."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.lines import failure_text

ARGUMENTS = {
    "what": {"type": "str", "required": True},
    "outcome": {"type": "dict", "required": True},
}
SHOWN = ("plan", "log", "backup", "warnings")


class ActionModule(ActionBase):
    """Nothing is done here: changed, failed and log are the other task's."""

    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, given = self.validate_argument_spec(argument_spec=ARGUMENTS)
        outcome = given["outcome"]
        result |= {key: outcome[key] for key in SHOWN if outcome.get(key)}
        result["changed"] = bool(outcome.get("plan"))
        if outcome.get("failed"):
            result |= {"failed": True, "msg": f"{given['what']} failed: {failure_text(outcome)}"}
        return result
