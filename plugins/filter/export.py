# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The filter of playbook export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.exports import hosts_to_enter, inventory_of


def export_inventory(
    clusters: Mapping[str, Any], catalog_paths: Sequence[str] = (), plain: Sequence[str] = (), looks: Mapping[str, Any] | None = None
) -> Any:
    try:
        return wrap_var(inventory_of(clusters, looks or {}, catalog_paths, plain))  # its templates are for whoever reads the file
    except SpecError as error:
        raise AnsibleFilterError(str(error)) from error


class FilterModule:
    """Filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"export_inventory": export_inventory, "export_hosts": hosts_to_enter}
