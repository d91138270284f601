# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a user's parameters to wishes for many apps at once. What makes no sense for all of them raises SpecError; for one, it is noted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

from .app_arguments import complete_app
from .desired import DesiredApp
from .errors import SpecError
from .fleets import DesiredFleet, DesiredJob, DesiredReconciliation, DesiredTidiness
from .ranges import parse_port_range
from .spec import desired_app, parse_name

THREADS = range(1, 33)


def desired_fleet(params: Mapping[str, Any]) -> DesiredFleet:
    """Read the parameters of module `proximity_apps`, whose documentation explains them."""
    apps: list[DesiredApp] = []
    refused: dict[str, Exception] = dict(_unresolved(params))
    hosts: dict[str, str] = {}
    for given in params["apps"]:
        name = _name(given)
        hosts[name] = str(given.get("host") or "")
        if name in refused:
            continue
        try:
            apps.append(_app(given, params))
        except SpecError as error:
            refused[name] = error
    _refuse_twice([app.name for app in apps])
    return DesiredFleet(tuple(apps), refused, hosts, params["depth"], threads_of(params))


def desired_reconciliation(params: Mapping[str, Any]) -> DesiredReconciliation:
    """Read the parameters of module `proximity_reconcile`, whose documentation explains them."""
    removed = frozenset(parse_name(name) for name in params["remove"])
    fleet = desired_fleet(params)
    declared = sorted(removed & {app.name for app in fleet.apps if app.state != "absent"})
    if declared:
        raise SpecError(f"{', '.join(declared)} is both declared and in remove: say which holds.")
    return DesiredReconciliation(fleet, frozenset(params["repair"]), removed)


def desired_tidiness(params: Mapping[str, Any]) -> DesiredTidiness:
    """Read the parameters of module `proximity_janitor`, whose documentation explains them."""
    return DesiredTidiness(
        older_than=_span(params, "older_than_s"),
        first_deployments=params["first_deployments"],
        snapshots=params["snapshots"],
        clones=params["clones"],
        port_range=parse_port_range(params.get("port_range") or {}),
        threads=threads_of(params),
    )


def desired_job(params: Mapping[str, Any]) -> DesiredJob:
    """Read the parameters of module `proximity_job`, whose documentation explains them."""
    return DesiredJob(parse_name(params["name"]), params["state"], _span(params, "lasts_s"), params["mapping"])


def _span(params: Mapping[str, Any], key: str) -> timedelta:
    if params[key] < 1:
        raise SpecError(f"{key} is {params[key]}: give seconds, 1 or more.")
    return timedelta(seconds=params[key])


def threads_of(params: Mapping[str, Any]) -> int:
    if params["threads"] not in THREADS:
        raise SpecError(f"threads is {params['threads']}: give a number from {THREADS[0]} to {THREADS[-1]}.")
    return int(params["threads"])


def _name(given: Any) -> str:
    if not isinstance(given, Mapping) or not given.get("name"):
        raise SpecError("An app in apps has no name: each is a mapping with a name and the other options of proximity_app.")
    return parse_name(str(given["name"]))


def _unresolved(params: Mapping[str, Any]) -> Iterator[tuple[str, Exception]]:
    """Apps whose entry could not be read, or whose declaration could not be, with the reason."""
    for name, reason in (params.get("unresolved") or {}).items():
        yield name, SpecError(str(reason))


def _app(given: Mapping[str, Any], params: Mapping[str, Any]) -> DesiredApp:
    mine = {key: value for key, value in given.items() if key != "host"}
    complete = complete_app(_merged(params.get("common") or {}, mine))
    if complete.get("report") or complete.get("hold"):
        raise SpecError(f"App {given['name']} has a report or hold: proximity_app takes these, one app at a time.")
    definition = (params.get("definitions") or {}).get(complete.get("catalog_id"))
    return desired_app({**complete, "definition": definition} if definition and not complete.get("definition") else complete)


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """The app's own over what is common; of mappings such as `resources`, key by key."""
    both = {key for key in own if isinstance(own[key], Mapping) and isinstance(common.get(key), Mapping)}
    return {**common, **own, **{key: {**common[key], **own[key]} for key in both}}


def _refuse_twice(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise SpecError(f"Declared twice: {', '.join(twice)}. The name of an app is its own on its cluster.")
