# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apps as an inventory declares them: from the variables of hosts to the parameters of proximity_app, and their entries read once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible_collections.proximity.platform.plugins.module_utils.app_arguments import app_arguments
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import complete_definition, find_definition

OTHERWISE = {
    "name": ("app_name", "inventory_hostname"),
    "catalog_paths": ("app_catalog_paths", "proximity_catalog_paths"),
    "verify": ("proximity_verify",),
}
"""Parameters that have another variable than `app_` and their name; the first that a host has counts."""
TOGETHER = {"defaults": {"resources": "proximity_default_resources", "network": "proximity_default_network"}}
"""Parameters that are put together from several variables."""
NOT_DECLARED = frozenset({"report", "hold"})
MEANT_WHEN_EMPTY = frozenset({"startup"})
"""Texts that mean something when they are empty; any other that is empty is as if it were not there."""
CONNECTION = {name: f"proximity_{name if name.startswith('api_') else 'api_' + name}" for name in connection_arguments()}
"""Parameter of the connection -> the variable that role app takes for it."""

Row = dict[str, Any]


def declared_app(host: str, variables: Mapping[str, Any]) -> Row:
    """One app, from what the variables of its host say as role app reads them."""
    app: Row = {}
    for key in app_arguments():
        if key in NOT_DECLARED:
            continue
        names = OTHERWISE.get(key, (f"app_{key}",))
        found = next((variables[name] for name in names if name in variables), None)
        if key in TOGETHER:
            parts = {part: variables[name] for part, name in TOGETHER[key].items() if name in variables}
            found = parts or None
        if found is not None and not _is_left_out(key, found):
            app[key] = found
    _refuse_switched_off(app, variables)
    return {**app, "host": host}


def _refuse_switched_off(app: Row, variables: Mapping[str, Any]) -> None:
    """As role app does: where removing is switched off, nothing is removed."""
    features = variables.get("proximity_features") or {}
    if app.get("state") == "absent" and not boolean(features.get("remove", True)):
        raise SpecError(f"App {app.get('name')} is not removed, since proximity_features has remove switched off here.")


def _is_left_out(key: str, value: Any) -> bool:
    return (value == "" and key not in MEANT_WHEN_EMPTY) or (key == "definition" and not value)


def connection_of_host(variables: Mapping[str, Any]) -> Row:
    return {name: variables[variable] for name, variable in CONNECTION.items() if variable in variables}


def is_on_cluster(variables: Mapping[str, Any], cluster: str, connection: Mapping[str, Any]) -> bool:
    """Whether an app's host belongs to a cluster: it says so, or else it is reached at the same address."""
    named = variables.get("proximity_cluster")
    if named:
        return str(named) == cluster
    own = connection_of_host(variables)
    return all(str(own.get(key)) == str(connection.get(key)) for key in ("api_host", "api_port"))


def read_hosts(hosts: Iterable[str], every: Mapping[str, Any]) -> tuple[dict[str, tuple[Row, Row]], dict[str, str]]:
    """The app and the connection of each host, by its name; and why a host could not be read."""
    found: dict[str, tuple[Row, Row]] = {}
    unread: dict[str, str] = {}
    for host in hosts:
        try:
            found[host] = declared_app(host, every[host]), connection_of_host(every[host])
        except (AnsibleError, KeyError) as error:
            unread[host] = f"The variables of host {host} cannot be read: {error}"
        except SpecError as error:
            unread[host] = str(error)
    return found, unread


def by_cluster(declared: Mapping[str, tuple[Row, Row]]) -> list[tuple[Row, list[Row]]]:
    """Apps that share a connection, together with it."""
    groups: dict[str, tuple[Row, list[Row]]] = {}
    for app, connection in declared.values():
        key = repr(sorted((name, str(value)) for name, value in connection.items()))
        groups.setdefault(key, (connection, []))[1].append(app)
    return list(groups.values())


def resolve_entries(apps: Sequence[Mapping[str, Any]], common: Mapping[str, Any]) -> tuple[list[Row], dict[str, Row], dict[str, str]]:
    """The apps without their folders of entries, the entries that they name, each read once, and by app what could not be read."""
    read: dict[tuple[str, tuple[str, ...]], Row | str] = {}
    definitions: dict[str, Row] = {}
    resolved: list[Row] = []
    unresolved: dict[str, str] = {}
    for given in apps:
        app = dict(given)
        resolved.append(app)
        try:
            _resolve(app, common, read, definitions)
        except SpecError as error:
            unresolved[str(app.get("name"))] = str(error)
    return resolved, definitions, unresolved


def _resolve(app: Row, common: Mapping[str, Any], read: dict[tuple[str, tuple[str, ...]], Row | str], definitions: dict[str, Row]) -> None:
    """Where apps look for one id in different folders, each but the first gets a copy of its own."""
    paths = tuple(folders(app.pop("catalog_paths", common.get("catalog_paths"))))
    catalog_id, inline = app.get("catalog_id", common.get("catalog_id")), app.get("definition")
    if isinstance(inline, dict) and inline:
        app["definition"] = complete_definition(inline)
    elif catalog_id:
        key = (str(catalog_id), paths)
        found = read.setdefault(key, read[key] if key in read else _read(*key))
        if not isinstance(found, str):
            if definitions.setdefault(str(catalog_id), found) is not found:
                app["definition"] = found
        elif app.get("state", common.get("state")) != "absent":  # an app outlives its entry: the id is enough to find it
            raise SpecError(found)


def _read(catalog_id: str, paths: Sequence[str]) -> Row | str:
    try:
        return find_definition(catalog_id, paths)
    except SpecError as error:
        return str(error)


def folders(given: Any) -> list[str]:
    """Accept a list, or text with commas between, as Ansible does for lists."""
    if given is None:
        return []
    rows = given.split(",") if isinstance(given, str) else given
    if not isinstance(rows, (list, tuple)):
        raise SpecError("catalog_paths is not a list of folders.")
    return [str(row).strip() for row in rows if str(row).strip()]
