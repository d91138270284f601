# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a definition to an Entry: shape first, then what only the fields together can tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..errors import SpecError
from .checks import check_entry
from .model import Dump, Entry, File, Health, Option, Port, Resources, Secret, Sizes, Volume, Web
from .schema import SCHEMA
from .validate import Problem, problems

# What a definition holds beyond entry.yml.
ADDED: dict[str, Any] = {
    "compose": {"type": "string", "minLength": 1, "description": "the text of compose.yml"},
    "services": {"type": "object", "additionalProperties": {"type": "string"}},
    "source": {"type": "string"},
}


def check_definition(definition: Mapping[str, Any]) -> list[Problem]:
    """List every mistake of a definition; empty when `parse_entry` accepts it."""
    return inspect_definition(definition)[1]


def inspect_definition(definition: Mapping[str, Any]) -> tuple[Entry | None, list[Problem]]:
    """The entry as far as its shape lets it be made, contradictions and all, and every mistake of it."""
    found = list(problems(definition, {"type": "object"}))
    found = found or [*problems(_as_written(definition), SCHEMA), *_added_problems(definition)]
    if found:
        return None, found
    entry = _build(definition)
    return entry, list(check_entry(entry))


def parse_entry(definition: Mapping[str, Any]) -> Entry:
    """Read a definition: entry.yml as a mapping, with `compose` (text) and `files[].content` (text).

    Raises SpecError with one line per mistake.
    """
    entry, found = inspect_definition(definition)
    if entry is None or found:
        name = definition.get("id", "without an id") if isinstance(definition, Mapping) else "without an id"
        raise SpecError("\n".join(f"Entry {name}: {problem}" for problem in found))
    return entry


def _as_written(definition: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a definition that stands in entry.yml."""
    written = {key: value for key, value in definition.items() if key not in ADDED}
    if isinstance(files := written.get("files"), (list, tuple)):
        written["files"] = [_without_content(row) for row in files]
    return written


def _without_content(row: Any) -> Any:
    return {key: value for key, value in row.items() if key != "content"} if isinstance(row, Mapping) else row


def _added_problems(definition: Mapping[str, Any]) -> list[Problem]:
    shape = {"required": ["compose"], "properties": ADDED}
    found = list(problems(definition, shape))
    files = definition.get("files")
    for number, row in enumerate(files if isinstance(files, (list, tuple)) else ()):
        if isinstance(row, Mapping) and not isinstance(row.get("content"), str):
            found.append(Problem(("files", number, "content"), "expected the text of the file"))
    return found


def _build(definition: Mapping[str, Any]) -> Entry:
    """Make the dataclasses; the shape has been checked."""
    given = dict(definition)
    given.pop("schema")
    lists = ("architectures", "tags", "pause", "upgrade", "notes", "unproven")
    built: dict[str, Any] = {key: tuple(given[key]) for key in lists if key in given}
    tables = {"volumes": Volume, "secrets": Secret}
    built |= {key: {name: kind(**row) for name, row in given[key].items()} for key, kind in tables.items() if key in given}
    rows = {"ports": Port, "files": File, "dumps": Dump}
    built |= {key: tuple(kind(**row) for row in given[key]) for key, kind in rows.items() if key in given}
    built["options"] = {name: Option(**{**row, "choices": tuple(row.get("choices", ()))}) for name, row in given.get("options", {}).items()}
    health = given["health"]
    built["health"] = Health(**{**health, "expect": tuple(health.get("expect", (200,)))})
    built["resources"] = Resources(**{name: Sizes(**row) for name, row in given["resources"].items()})
    built["web"] = Web(**given["web"]) if given.get("web") else None
    built["icon"] = given.get("icon") or given["id"]
    return Entry(**{**given, **built})
