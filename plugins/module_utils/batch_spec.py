# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a user's parameters to wishes for the backups of many apps. What makes no sense for all raises SpecError; for one, it is noted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, time, tzinfo
from typing import Any

from .backup_arguments import complete_member
from .backup_spec import desired_backup
from .backups import DesiredBackups, Member, Window
from .errors import SpecError
from .fleet_spec import threads_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def desired_backups(params: Mapping[str, Any]) -> DesiredBackups:
    """Read the parameters of module `proximity_backups`, whose documentation explains them."""
    zone = datetime.now().astimezone().tzinfo
    members: dict[str, Member] = {}
    refused: dict[str, Exception] = {host: SpecError(str(reason)) for host, reason in (params.get("unresolved") or {}).items()}
    firsts: dict[str, str] = {}
    for given in params["apps"]:
        host = _host(given)
        if host in members or host in refused:
            raise SpecError(f"{host} stands in apps twice.")
        try:
            first = firsts.setdefault(str(given["name"]), host)
            if first != host:
                raise SpecError(f"App {given['name']} is declared by host {first} too, and is backed up there.")
            members[host] = _member(host, {**(params.get("common") or {}), **given}, zone)
        except SpecError as error:
            refused[host] = error
    return DesiredBackups(tuple(members.values()), refused, threads_of(params))


def _host(given: Any) -> str:
    if not isinstance(given, Mapping) or not given.get("name"):
        raise SpecError("An app in apps has no name: each is a mapping with a name and what else its backups are to be like.")
    return str(given.get("host") or given["name"])


def _member(host: str, given: Mapping[str, Any], zone: tzinfo | None) -> Member:
    params = complete_member(given)
    return Member(
        host=host,
        wish=desired_backup({"state": "present", "wait": True, **params}),
        window=parse_window(params.get("window") or "", params.get("days") or DAYS, zone),
        respects_jobs=params["jobs"] == "respect",
        hooked=params["hooks"],
        trouble=params.get("trouble") or "",
    )


def parse_window(window: str, days: Iterable[Any], zone: tzinfo | None = None) -> Window:
    """Read when a backup may begin: `01:00-05:30`, or all day without it, and the names of days."""
    named = [str(day).lower()[:3] for day in days]
    wrong = [day for day in named if day not in DAYS]
    if wrong:
        raise SpecError(f"days of a backup policy holds '{wrong[0]}': give days such as mon or sun.")
    all_day = Window(days=frozenset(map(DAYS.index, named)), zone=zone or UTC)
    if not window:
        return all_day
    try:
        first, last = (time.fromisoformat(part.strip().zfill(5)) for part in window.split("-"))
    except ValueError as error:
        raise SpecError(f"window of a backup policy is '{window}': give it as 01:00-05:30.") from error
    return replace(all_day, first=first, last=last)
