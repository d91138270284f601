# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A guest's description: the user's text, and in it our summary for people and our record.

text of the user
<!-- proximity -->
**miniflux** is running: http://10.0.0.5:8080/
<!-- proximity {"app":...} -->
text of the user
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from ..model import SCHEMA, Lease, Notes, Record, SafetyPoint
from .times import format_time, parse_time

BEGIN = "<!-- proximity -->"
RECORD_LINE = re.compile(r"^<!-- proximity (\{.*\}) -->\r?$", re.MULTILINE)
BEGIN_LINE = re.compile(rf"^{re.escape(BEGIN)}\r?\n", re.MULTILINE)
LATER_KEYS = ("safety", "failed", "source", "restored", "catalog")
"""Keys that records have had from the second release on. Where they are empty they are left out, so that older records stay as they are."""


def parse_notes(text: str) -> Notes:
    """Take a description apart; the one line end that Proxmox adds at the end is no text of the user."""
    text = text.removesuffix("\n")
    line = RECORD_LINE.search(text)
    if not line:
        return Notes(head=text)
    begins = [begin for begin in BEGIN_LINE.finditer(text, 0, line.start()) if begin.end() <= line.start()]
    head_end, summary_start = (begins[-1].start(), begins[-1].end()) if begins else (line.start(), line.start())
    summary = tuple(text[summary_start : line.start()].splitlines())
    record, damage = _read_record(line[1])
    return Notes(text[:head_end], summary, record, text[line.end() + 1 :], damage)


def format_notes(notes: Notes) -> str:
    if notes.record is None:
        return notes.head + notes.tail
    head = notes.head if not notes.head or notes.head.endswith("\n") else notes.head + "\n"
    lines = [BEGIN, *notes.summary, f"<!-- proximity {format_record(notes.record)} -->"]
    return head + "\n".join(lines) + ("\n" + notes.tail if notes.tail else "")


def record_data(record: Record) -> dict[str, Any]:
    """A record as JSON data."""
    data = {**asdict(record), "schema": SCHEMA, "changed": format_time(record.changed), "environment": list(record.environment)}
    if record.lease:
        data["lease"] = {**asdict(record.lease), "until": format_time(record.lease.until)}
    data["safety"] = [_point_data(point) for point in record.safety]
    return {key: value for key, value in data.items() if value or key not in LATER_KEYS}


def _point_data(point: SafetyPoint) -> dict[str, Any]:
    data = {**asdict(point), "made": format_time(point.made)}
    return {key: value for key, value in data.items() if value}


def format_record(record: Record) -> str:
    text = json.dumps(record_data(record), sort_keys=True, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e")  # so that no value can end the comment


def _read_record(text: str) -> tuple[Record | None, str]:
    try:
        data = json.loads(text)
        if data.get("schema") != SCHEMA:
            return None, f"its schema is {data.get('schema')!r} and this collection reads {SCHEMA}"
        return _record(data), ""
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        return None, f"it cannot be read ({type(error).__name__}: {error})"


def _record(data: Mapping[str, Any]) -> Record:
    lease = data.get("lease")
    known = {field.name for field in fields(Record)}
    values = {key: value for key, value in data.items() if key in known}
    values["changed"] = parse_time(data["changed"])
    values["environment"] = tuple(data.get("environment") or ())
    values["ports"] = {str(key): int(value) for key, value in (data.get("ports") or {}).items()}
    values["lease"] = Lease(lease["holder"], lease["run"], parse_time(lease["until"]), int(lease["epoch"])) if lease else None
    values["safety"] = tuple(SafetyPoint(**{**point, "made": parse_time(point["made"])}) for point in data.get("safety") or ())
    return Record(**{**values, "vmid": int(data["vmid"])})
