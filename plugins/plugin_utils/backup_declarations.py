# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Policies of backups as an inventory declares them: from the variables of hosts to the parameters of proximity_backups."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.proximity.platform.plugins.module_utils.backup_arguments import policy_arguments
from ansible_collections.proximity.platform.plugins.module_utils.batch_spec import DAYS, parse_window
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry
from ansible_collections.proximity.platform.plugins.module_utils.entries.hooks import hooks_of
from ansible_collections.proximity.platform.plugins.module_utils.entries.model import Entry
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.planner.policies import is_open
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import complete_definition, find_definition
from ansible_collections.proximity.platform.plugins.plugin_utils.declarations import connection_of_host, folders

DEFAULTS: dict[str, Any] = {"max_age": "1d", "mode": "snapshot", "compress": "zstd", "hooks": True}
"""What `backup_defaults` of role backup says unless it is set."""
ROOT = "/opt/proximity"
PLAIN = {
    "force": ("backup_force",),
    "notes": ("backup_notes",),
    "take_over_lease": ("backup_take_over_lease",),
    "port_range": ("app_port_range",),
    "timeouts": ("backup_timeouts",),
}
"""Parameter -> variables of role backup; the first that a host has counts."""

Row = dict[str, Any]


class Entries:
    """Entries of the catalog, each read once, however many apps have it."""

    def __init__(self) -> None:
        self._read: dict[tuple[str, tuple[str, ...]], Entry | str] = {}

    def of(self, variables: Mapping[str, Any]) -> Entry | None:
        """The entry of an app; None for one without. Raises SpecError where it cannot be read."""
        inline = variables.get("app_definition")
        if inline:
            return parse_entry(complete_definition(inline))
        if not variables.get("app_catalog_id"):
            return None
        paths = next((variables[key] for key in ("app_catalog_paths", "proximity_catalog_paths") if key in variables), None)
        key = str(variables["app_catalog_id"]), tuple(folders(paths))
        if key not in self._read:
            self._read[key] = _read(*key)
        found = self._read[key]
        if isinstance(found, str):
            raise SpecError(found)
        return found


def _read(catalog_id: str, paths: tuple[str, ...]) -> Entry | str:
    try:
        return parse_entry(find_definition(catalog_id, paths))
    except SpecError as error:
        return str(error)


def policy_of(host: str, variables: Mapping[str, Any]) -> Row:
    """The defaults, then the owner's policy, then the app's own: later ones win, key by key."""
    owners = variables.get("backup_owner_policies") or {}
    own = owners.get(variables.get("app_owner") or "") or {}
    policy = {**variables.get("backup_defaults", DEFAULTS), **own, **(variables.get("backup_policy") or {})}
    unknown = sorted(set(policy) - set(policy_arguments()))
    if unknown:
        raise SpecError(f"The backup policy of {host} has {', '.join(unknown)}; it may have {', '.join(sorted(policy_arguments()))}.")
    return policy


def declared_backup(host: str, variables: Mapping[str, Any], entries: Entries) -> Row:
    """One app for proximity_backups, from what the variables of its host say as role backup reads them."""
    policy = policy_of(host, variables)
    app: Row = {"host": host, "name": name_of(variables), **policy, "hooks": False}
    for key, names in PLAIN.items():
        found = next((variables[name] for name in names if name in variables), None)
        if found not in (None, ""):
            app[key] = found
    try:
        app["hooks"] = bool(hooks_for(variables, policy, entries))
    except SpecError as error:
        app["trouble"] = f"its entry says what is to be done before, and cannot be read: {error}"
    return app


def is_its_time(app: Mapping[str, Any]) -> bool:
    """Whether a backup of a declared app may begin right now."""
    now = datetime.now().astimezone()
    window = parse_window(str(app.get("window") or ""), app.get("days") or DAYS, now.tzinfo)
    return boolean(app.get("force", False)) or is_open(window, now)


def name_of(variables: Mapping[str, Any]) -> str:
    return str(next(variables[key] for key in ("backup_name", "app_name", "inventory_hostname") if key in variables))


def hooks_for(variables: Mapping[str, Any], policy: Mapping[str, Any], entries: Entries) -> Row:
    """What is to be done in the container, as `hooks_of` tells it; nothing where nobody enters it, or where it is shut down anyway."""
    enters = boolean(variables.get("app_stack", True))
    if not enters or not boolean(policy.get("hooks", True)) or policy.get("mode") == "stop":
        return {}
    entry = entries.of(variables)
    if entry is None or not (entry.dumps or entry.pause):
        return {}
    root = next((variables[key] for key in ("backup_root", "stack_root") if key in variables), ROOT)
    return hooks_of(entry, name_of(variables), str(root))


def read_backups(hosts: Iterable[str], every: Mapping[str, Any]) -> tuple[dict[str, tuple[Row, Row]], dict[str, str]]:
    """The app and the connection of each host, by its name; and why a host could not be read."""
    found: dict[str, tuple[Row, Row]] = {}
    unread: dict[str, str] = {}
    entries = Entries()
    for host in hosts:
        try:
            found[host] = declared_backup(host, every[host], entries), connection_of_host(every[host])
        except (AnsibleError, KeyError, TypeError, ValueError) as error:
            unread[host] = f"The variables of host {host} cannot be read: {error}"
        except SpecError as error:
            unread[host] = str(error)
    return found, unread
