# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters that show facts in a terminal."""

from __future__ import annotations

from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible_collections.proximity.platform.plugins.plugin_utils.tables import connection_lines, status_lines, table_lines


def _shown(lines: list[str]) -> str | list[str]:
    """One text where results are printed as YAML, which keeps its lines; in JSON it is a list that does."""
    try:
        form = constants.config.get_config_value("result_format", plugin_type="callback", plugin_name="default")
    except AnsibleError:
        form = "json"
    return "\n".join(lines) if form == "yaml" else lines


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {
            "table": lambda rows, columns: _shown(table_lines(rows, columns)),
            "status": lambda seen: _shown(status_lines(seen)),
            "connection_report": lambda cluster: _shown(connection_lines(cluster)),
        }
