# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lines of a step log: made, found in results, chosen. A line is a mapping of time, level, step and message."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.wire.times import format_time, parse_time

Line = dict[str, str]

KEYS = ("time", "level", "step", "message")
LEVELS = ("debug", "info", "warning", "error")
LONGEST = 1000
HIDDEN = "What it said is hidden, since the task has no_log."
MASK = "********"
UNITS_S = {"s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}
SECRETS = (
    re.compile(r"(?<=://)[^\s/@:]*:(?!\d+/)[^\s@]+(?=@)"),
    re.compile(r"(?<=PVEAPIToken=)\S+"),
    re.compile(r"(?i)(?<=bearer )\S+|(?<=basic )[\w+/=-]{8,}"),
    re.compile(
        r"""(?ix) (?<= [\w-]) (?: (?<=password) | (?<=passwd) | (?<=passphrase) | (?<=secret) | (?<=token) | (?<=_key) | (?<=apikey) )
        ["']? \s? [:=] \s? (?: "[^"]+" | '[^']+' | [^\s"',;&]+ )"""
    ),
)
"""What gives itself away as a secret in text that somebody else wrote: logins in addresses, tokens, and `NAME=value`."""


def make_line(level: str, step: str, message: str, moment: datetime | None = None) -> Line:
    return {"time": format_time(moment or datetime.now(UTC)), "level": level, "step": step, "message": scrubbed(message)}


def scrubbed(text: str, hidden: Iterable[str] = ()) -> str:
    """One line of bounded length, without what is known to be secret or looks so."""
    for secret in hidden:
        text = text.replace(secret, MASK)
    for pattern in SECRETS[:-1]:
        text = pattern.sub(MASK, text)
    text = SECRETS[-1].sub(f"={MASK}", text)
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def lines_of(result: Mapping[str, Any]) -> list[Line]:
    """The lines that a module of ours told in its result, or in those of a loop's items; none of what no_log hides."""
    items = result.get("results")
    parts = [result, *(item for item in (items if isinstance(items, list) else ()) if isinstance(item, Mapping))]
    return [line for part in parts if not is_hidden(part) for line in clean_lines(part.get("log"))]


def clean_lines(found: Any) -> list[Line]:
    """Those of `found` that are lines, with their four keys only."""
    if not isinstance(found, (list, tuple)):
        return []
    kept = (row for row in found if isinstance(row, Mapping) and all(isinstance(row.get(key), str) for key in KEYS))
    return [{**{key: row[key] for key in KEYS}, "message": scrubbed(row["message"])} for row in kept]


def is_hidden(result: Mapping[str, Any]) -> bool:
    return bool(result.get("_ansible_no_log")) or "censored" in result


def failure_text(result: Mapping[str, Any]) -> str:
    """Why a task failed, in its own words; of a loop, why its first item that failed did. Arguments are never told."""
    items = result.get("results")
    failed = [item for item in (items if isinstance(items, list) else ()) if isinstance(item, Mapping) and item.get("failed")]
    part = failed[0] if failed else result
    if is_hidden(result) or is_hidden(part):
        return HIDDEN
    message = str(part.get("msg") or "")
    if "non-zero return code" in message or not message:
        message = str(part.get("stderr") or message or part.get("stdout") or "It did not say why.")
    return scrubbed(re.sub(r"^(?:Task failed: |Action failed: )+", "", message))


def read_lines(text: str) -> Iterator[Line]:
    """Read JSON lines; what is not one, such as the half of a line that a full disk left, is shown as it is."""
    for row in filter(None, text.splitlines()):
        try:
            line = clean_lines([json.loads(row)])
        except ValueError:
            line = []
        yield from line or [{"time": "", "level": "warning", "step": "log", "message": scrubbed(f"Not a line of a log: {row}")}]


def write_lines(lines: Iterable[Mapping[str, Any]]) -> str:
    return "".join(f"{json.dumps(line, ensure_ascii=False, separators=(', ', ': '))}\n" for line in lines)


def choose_lines(lines: Iterable[Line], choice: Mapping[str, Any], now: datetime) -> list[Line]:
    """The last lines that fit. `choice`: last, level (this one and above), step, since, contains; empty ones do not choose.

    Raises SpecError for a choice that nothing can fit.
    """
    last, level = _count(choice.get("last") or 0), str(choice.get("level") or LEVELS[0])
    if level not in LEVELS:
        raise SpecError(f"level is '{level}', and none of {', '.join(LEVELS)}.")
    steps, text = _texts(choice.get("step")), str(choice.get("contains") or "").casefold()
    since = _moment(str(choice.get("since") or ""), now)
    fits = [
        line
        for line in lines
        if (LEVELS.index(line["level"]) if line["level"] in LEVELS else 1) >= LEVELS.index(level)
        and (not steps or line["step"] in steps)
        and (not since or line["time"] >= since)
        and text in line["message"].casefold()
    ]
    return fits[-last:] if last else fits


def _count(value: Any) -> int:
    if not re.fullmatch(r"[0-9]{1,6}", str(value)):
        raise SpecError(f"last is '{value}', and no number of lines.")
    return int(value)


def _texts(value: Any) -> set[str]:
    rows = value.split(",") if isinstance(value, str) else value or ()
    return {str(row).strip() for row in rows if str(row).strip()}


def _moment(text: str, now: datetime) -> str:
    """A moment (ISO 8601), or so long ago (90s, 15min, 2h, 7d), as lines have it."""
    if not text:
        return ""
    if ago := re.fullmatch(r"([0-9]{1,6}) ?(s|min|m|h|d)", text):
        return format_time(now - timedelta(seconds=int(ago[1]) * UNITS_S[ago[2]]))
    try:
        return format_time(parse_time(text))
    except ValueError as error:
        raise SpecError(f"since is '{text}'. Say 90s, 15min, 2h or 7d, or a moment with its zone: 2026-03-01T04:00:00Z.") from error
