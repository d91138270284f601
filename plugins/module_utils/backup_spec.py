# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a user's parameters to what is wished of an app's backups. What makes no sense raises SpecError with one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .archives import Keep
from .backups import BackupTimeouts, DesiredBackup, Restoring
from .errors import SpecError
from .networks import parse_network
from .ranges import parse_port_range
from .spec import parse_name

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
VOLUME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]*:backup/\S+")
TEXT_LIMIT = 400
PLAIN = ("state", "verdict", "force", "wait", "mode", "compress", "storage", "node", "owner", "protected", "take_over_lease")


def desired_backup(params: Mapping[str, Any]) -> DesiredBackup:
    """Read the parameters of module `proximity_backup`, whose documentation explains them."""
    state, volume = params["state"], params.get("backup") or ""
    _refuse_unclear(params, state, volume)
    given = {key: params[key] for key in PLAIN if params.get(key) is not None}
    return DesiredBackup(
        name=parse_name(params["name"]) if params.get("name") else "",
        volume=volume,
        max_age=parse_span("max_age", params.get("max_age") or "1d"),
        text=_text(params.get("notes") or ""),
        keep=_keep(params.get("keep") or {}),
        restoring=_restoring(params),
        port_range=parse_port_range(params.get("port_range") or {}),
        timeouts=_timeouts(params.get("timeouts") or {}),
        **given,
    )


def _refuse_unclear(params: Mapping[str, Any], state: str, volume: str) -> None:
    if state in ("present", "restored") and not params.get("name"):
        raise SpecError(f"State {state} needs name: the app that the backup is of.")
    if volume and volume != "latest" and not VOLUME.fullmatch(volume):
        raise SpecError(f"backup is '{volume}': give a volume such as local:backup/vzdump-lxc-8123-2026_03_01-04_00_00.tar.zst.")
    if state == "restored" and not volume:
        raise SpecError("State restored needs backup: a volume, or latest.")
    if state == "present" and volume:
        raise SpecError("State present makes a backup if there is none that is new enough: leave backup out.")
    if volume == "latest" and state in ("absent", "proven"):
        raise SpecError(f"State {state} is about a backup by its volume, not the latest one.")
    if state == "proven" and not (volume and params.get("verdict")):
        raise SpecError("State proven needs backup (the one that was tried) and verdict (how that went).")
    if state == "absent" and bool(volume) == bool(params.get("keep")):
        raise SpecError("State absent needs either backup (the one to remove) or keep (all beyond it are removed).")
    if state == "absent" and not volume and not params.get("name"):
        raise SpecError("State absent with keep needs name: the app whose backups are meant.")
    if state != "present" and not params.get("wait", True):
        raise SpecError(f"wait: false is for a backup that is begun, not for state {state}: leave it out.")
    if params.get("keep") and not params.get("wait", True):
        raise SpecError("keep removes backups once the new one is there, and wait: false does not see that: leave one of them out.")


def parse_span(key: str, text: str) -> timedelta:
    """A span of time such as 90m, 24h, 7d or 2w; a number alone is seconds."""
    match = re.fullmatch(r"(\d{1,9})([smhdw]?)", text.strip())
    if not match:
        raise SpecError(f"{key} is '{text}': give a span such as 90m, 24h, 7d or 2w.")
    return timedelta(**{UNITS[match[2] or "s"]: int(match[1])})


def _text(text: str) -> str:
    if len(text) > TEXT_LIMIT:
        raise SpecError(f"notes has {len(text)} characters, and a backup's notes have room for {TEXT_LIMIT} of yours.")
    return text.strip()


def _keep(params: Mapping[str, int | None]) -> Keep:
    for key, value in params.items():
        if value is not None and value < 0:
            raise SpecError(f"keep.{key} is {value}: give how many to keep, 0 or more.")
    keep = Keep(**{key: value for key, value in params.items() if value})
    if params and not keep:
        raise SpecError("keep would keep nothing at all: give one of its numbers, 1 or more.")
    return keep


def _restoring(params: Mapping[str, Any]) -> Restoring:
    name = params.get("restore_as")
    return Restoring(
        name=parse_name(name) if name else "",
        confirm=bool(params.get("confirm")),
        safety=params.get("safety_backup") is not False,
        start=params.get("start") is not False,
        disk_storage=params.get("disk_storage"),
        network=parse_network(params.get("network") or {}),
        storage_map=dict(params.get("storage_map") or {}),
        bridge_map=dict(params.get("bridge_map") or {}),
    )


def _timeouts(params: Mapping[str, Any]) -> BackupTimeouts:
    given = {key: value for key, value in params.items() if value is not None}
    for key, value in given.items():
        if value < 1:
            raise SpecError(f"timeouts.{key} is {value}: give seconds, 1 or more.")
    return BackupTimeouts(**given)
