# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that read logs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.commands import service_logs_command
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.lines import Line, choose_lines, read_lines


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    """Hand what is wrong with the input to Ansible."""

    @wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        try:
            return function(*args, **options)
        except SpecError as error:
            raise AnsibleFilterError(str(error)) from error

    return call


def log_lines(text: str, last: Any = 0, level: str = "", step: Any = "", since: str = "", contains: str = "") -> list[Line]:
    choice = {"last": last, "level": level, "step": step, "since": since, "contains": contains}
    return choose_lines(read_lines(text), choice, datetime.now(UTC))


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"log_lines": _told(log_lines), "service_logs": _told(service_logs_command)}
