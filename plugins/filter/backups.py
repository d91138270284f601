# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Filters for backups."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.proximity.platform.plugins.module_utils.backup_results import missing
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry
from ansible_collections.proximity.platform.plugins.module_utils.entries.hooks import hooks_of
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import complete_definition


def backup_hooks(definition: Mapping[str, Any], name: str, root: str = "/opt/proximity", limit_s: int = 900) -> dict[str, Any]:
    try:
        complete = definition if "services" in definition else complete_definition(definition)
        return hooks_of(parse_entry(complete), name, root, limit_s)
    except SpecError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"backup_hooks": backup_hooks, "backup_missing": missing}
