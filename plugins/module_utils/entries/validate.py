# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Check a value against the subset of JSON Schema that `schema.py` uses.

A module on the controller has the standard library only, so this stands in for the package jsonschema; a test holds
the two against each other.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Path = tuple[Any, ...]  # keys and positions, outermost first

TYPES: dict[str, tuple[type, ...]] = {
    "object": (Mapping,),
    "array": (list, tuple),
    "string": (str,),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "nothing",
}


class Problem(NamedTuple):
    """One mistake: where it is, and one sentence of what is expected there."""

    path: Path
    text: str

    def __str__(self) -> str:
        return f"{dotted(self.path)}: {self.text}" if self.path else self.text


def dotted(path: Path) -> str:
    """Write a path as people do: web.port, files[0].mode."""
    out = ""
    for part in path:
        out += f"[{part}]" if isinstance(part, int) else f".{part}" if out else part
    return out


def nearest(word: str, known: Sequence[str]) -> str:
    """Name what the writer of `word` may have meant, and all that is known."""
    close = difflib.get_close_matches(word, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{hint}Known: {', '.join(sorted(known))}" if known else "none is known"


def problems(value: Any, schema: Mapping[str, Any], path: Path = ()) -> Iterator[Problem]:
    """Yield every mistake in `value`, outermost first."""
    if not _is_type(value, schema):
        kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        yield Problem(path, f"expected {' or '.join(WORDS[kind] for kind in kinds)}, got {_shown(value)}{_quote_hint(value, kinds)}")
        return
    if "const" in schema and not _same(value, schema["const"]):
        yield Problem(path, f"expected {schema['const']}, got {_shown(value)}")
    if "enum" in schema and not any(_same(value, choice) for choice in schema["enum"]):
        yield Problem(path, f"{_shown(value)} is none of {', '.join(str(choice) for choice in schema['enum'])}")
    if isinstance(value, str):
        yield from _text_problems(value, schema, path)
    elif isinstance(value, Mapping):
        yield from _mapping_problems(value, schema, path)
    elif isinstance(value, (list, tuple)):
        yield from _list_problems(value, schema, path)
    elif isinstance(value, int) and not isinstance(value, bool):
        yield from _number_problems(value, schema, path)


def _is_type(value: Any, schema: Mapping[str, Any]) -> bool:
    if "type" not in schema:
        return True
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(isinstance(value, TYPES[kind]) and (kind != "integer" or not isinstance(value, bool)) for kind in kinds)


def _same(value: Any, other: Any) -> bool:
    """Equality in which true is not 1."""
    return isinstance(value, bool) == isinstance(other, bool) and bool(value == other)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, (list, tuple)):
        return "a list"
    return "nothing" if value is None else f"'{value}'"


def _quote_hint(value: Any, kinds: Sequence[str]) -> str:
    plain = not isinstance(value, (Mapping, list, tuple, str)) and value is not None
    return "; put it in quotes" if "string" in kinds and plain else ""


def _text_problems(value: str, schema: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if len(value) < schema.get("minLength", 0):
        least = schema["minLength"]
        yield Problem(path, "must not be empty" if least == 1 else f"expected at least {least} characters, got {len(value)}")
    if "maxLength" in schema and len(value) > schema["maxLength"]:
        yield Problem(path, f"expected at most {schema['maxLength']} characters, got {len(value)}")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        yield Problem(path, f"{_shown(value)} does not match {schema['pattern']}")


def _number_problems(value: int, schema: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if "minimum" in schema and value < schema["minimum"]:
        yield Problem(path, f"expected at least {schema['minimum']}, got {value}")
    if "maximum" in schema and value > schema["maximum"]:
        yield Problem(path, f"expected at most {schema['maximum']}, got {value}")


def _list_problems(value: Sequence[Any], schema: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    if len(value) < schema.get("minItems", 0):
        yield Problem(path, "must not be empty")
    for number, item in enumerate(value):
        yield from problems(item, schema.get("items", {}), (*path, number))


def _mapping_problems(value: Mapping[Any, Any], schema: Mapping[str, Any], path: Path) -> Iterator[Problem]:
    known = schema.get("properties", {})
    for key in schema.get("required", []):
        if key not in value:
            yield Problem(path, f"'{key}' is missing: {known[key].get('description', 'required')}")
    for key, item in value.items():
        if not isinstance(key, str):
            yield Problem(path, f"the key {_shown(key)} is not text; put it in quotes")
            continue
        pattern = schema.get("propertyNames", {}).get("pattern")
        if pattern and not re.search(pattern, key):
            yield Problem((*path, key), f"the name does not match {pattern}")
        rest = schema.get("additionalProperties", {})
        if key in known:
            yield from problems(item, known[key], (*path, key))
        elif rest is False:
            yield Problem(path, f"unknown key '{key}'; {nearest(key, list(known))}")
        else:
            yield from problems(item, rest, (*path, key))
