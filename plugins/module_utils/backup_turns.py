# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Whose backup is due, and in which turn: one app of each node at a time, the nodes side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, time
from typing import Any

from .backup_spec import parse_span
from .errors import SpecError
from .wire.times import parse_time

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LAST = 1_000_000
"""Apps without a place in the order of start come after all others, as in Proxmox."""
POLICY = frozenset({"max_age", "mode", "compress", "storage", "keep", "protected", "hooks", "window", "days", "jobs"})


def turns(listing: Mapping[str, Any], wishes: Sequence[Mapping[str, Any]], now: datetime) -> dict[str, dict[str, Any]]:
    """By host: its `turn` (from 0; null where nothing is due) and `why`.

    `listing` is what the module lists of a cluster. A wish has `host`, `name`, `policy` and `force`. `now` has the zone of the policies'
    windows. Apps whose last backup is the oldest come first.
    """
    apps = {app["name"]: app for app in listing["apps"]}
    newest: dict[str, str] = {}
    for backup in listing["backups"]:
        if backup["kind"] == "backup" and backup["app"] and backup["made"]:
            newest[backup["app"]] = max(newest.get(backup["app"], ""), backup["made"])
    said = {wish["host"]: _why(wish, apps.get(wish["name"]), newest.get(wish["name"], ""), now) for wish in wishes}
    order = sorted(wishes, key=lambda wish: (newest.get(wish["name"], ""), wish["name"]))
    ahead: Counter[str] = Counter()
    answer: dict[str, dict[str, Any]] = {}
    for wish in order:
        due, why = said[wish["host"]]
        node = apps[wish["name"]]["node"] if wish["name"] in apps else ""
        answer[wish["host"]] = {"turn": ahead[node] if due else None, "why": why}
        ahead[node] += due
    return answer


def turns_of_clusters(
    wishes: Sequence[Mapping[str, Any]], looks: Mapping[str, Mapping[str, Any]], now: datetime
) -> dict[str, dict[str, Any]]:
    """The same for several clusters, side by side. `looks` are results of the module by the host that took the look for its cluster.

    A wish has its `cluster`, too. Where that could not be looked at, the answer has in `failed` what was said.
    """
    answer: dict[str, dict[str, Any]] = {}
    clusters = {wish["host"]: wish["cluster"] for wish in wishes}
    for looker, listing in looks.items():
        mates = [wish for wish in wishes if wish["cluster"] == clusters[looker]]
        if "backups" in listing:
            answer |= turns(listing, mates, now)
        else:
            said = f"The backups of its cluster could not be looked at. {listing.get('msg', '')}".strip()
            answer |= {wish["host"]: {"turn": None, "why": "its cluster could not be looked at", "failed": said} for wish in mates}
    return {host: {"host": host, "failed": "", **answer[host]} for host in sorted(answer)}


def missing(listing: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The newest backup of each app that has no container, in the order of start, then by number."""
    there = {app["name"] for app in listing["apps"]}
    newest: dict[str, dict[str, Any]] = {}
    for backup in listing["backups"]:
        name = backup["app"]
        if backup["kind"] == "backup" and name and name not in there and backup["made"] > newest.get(name, {"made": ""})["made"]:
            newest[name] = backup
    return sorted(newest.values(), key=lambda backup: (backup["order"] or LAST, backup["vmid"]))


def _why(wish: Mapping[str, Any], app: Mapping[str, Any] | None, newest: str, now: datetime) -> tuple[bool, str]:
    policy = wish["policy"]
    unknown = sorted(set(policy) - POLICY)
    if unknown:
        raise SpecError(f"The backup policy of {wish['host']} has {', '.join(unknown)}; it may have {', '.join(sorted(POLICY))}.")
    is_open, max_age = _is_open(policy, now), parse_span("max_age", str(policy["max_age"]))
    if wish.get("force"):
        return True, "asked for"
    if app and app["covered"] and policy.get("jobs", "respect") == "respect":
        return False, "a backup job of the cluster covers it"
    if newest and now - parse_time(newest) <= max_age:
        return False, f"its last backup is of {newest}"
    if not is_open:
        return False, "it is not the time for it"
    return True, f"its last backup is of {newest}" if newest else "it has no backup"


def _is_open(policy: Mapping[str, Any], now: datetime) -> bool:
    """Whether a backup may begin. A window over midnight belongs to the day that it begins on."""
    days = [str(day).lower()[:3] for day in policy.get("days") or DAYS]
    wrong = [day for day in days if day not in DAYS]
    if wrong:
        raise SpecError(f"days of a backup policy holds '{wrong[0]}': give days such as mon or sun.")
    if not policy.get("window"):
        return DAYS[now.weekday()] in days
    try:
        first, last = (time.fromisoformat(part.strip().zfill(5)) for part in str(policy["window"]).split("-"))
    except ValueError as error:
        raise SpecError(f"window of a backup policy is '{policy['window']}': give it as 01:00-05:30.") from error
    clock = now.time().replace(tzinfo=None)
    if first <= last:
        return first <= clock < last and DAYS[now.weekday()] in days
    day = now.weekday() if clock >= first else (now.weekday() - 1) % 7
    return (clock >= first or clock < last) and DAYS[day] in days
