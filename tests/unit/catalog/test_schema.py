# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The schema for people and editors, and the parser for modules, accept the same."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible_collections.proximity.platform.plugins.module_utils.entries.schema import SCHEMA
from ansible_collections.proximity.platform.plugins.module_utils.entries.validate import problems
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
VALUES: list[Any] = [
    None,
    True,
    False,
    0,
    1,
    -1,
    70000,
    8080,
    "",
    "x",
    "8080",
    "UPPER",
    "https://example.com",
    "/",
    "alnum",
    [],
    ["x"],
    [1],
    {},
    {"x": 1},
    1.5,
]


def test_the_file_is_the_rendering_of_the_python_mapping() -> None:
    assert json.loads((ROOT / "catalog/schema/entry-1.json").read_text()) == SCHEMA


def test_the_schema_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_every_field_is_described() -> None:
    assert list(_undescribed(SCHEMA, "entry")) == []


def test_the_documentation_names_every_field() -> None:
    text = (ROOT / "docs/catalog/schema.md").read_text()
    assert [name for name in SCHEMA["properties"] if f"`{name}`" not in text] == []


def _undescribed(schema: dict[str, Any], place: str) -> Any:
    for name, value in schema.get("properties", {}).items():
        if not value.get("description"):
            yield f"{place}.{name}"
        yield from _undescribed(value, f"{place}.{name}")
    for key in ("items", "additionalProperties"):
        if isinstance(schema.get(key), dict):
            yield from _undescribed(schema[key], place)


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copied = copy.copy(value)
    copied[path[0]] = _changed(value[path[0]], path[1:], new)
    return copied


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data())
def test_parser_and_schema_agree_on_changed_entries(definition: dict[str, Any], data: st.DataObject) -> None:
    written = {key: value for key, value in definition.items() if key not in ("compose", "services")}
    written["files"] = [{"source": "files/app.conf", "target": "app.conf"}]
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.sampled_from(_places(written)))
        action = data.draw(st.sampled_from(["replace", "add", "remove"]))
        target = written
        for key in place[:-1]:
            target = target[key]
        if action == "remove" and place and isinstance(target, dict):
            written = _changed(written, place[:-1], {key: value for key, value in target.items() if key != place[-1]})
        elif action == "add" and place and isinstance(target, dict):
            written = _changed(
                written,
                place[:-1],
                {**target, data.draw(st.sampled_from(["path", "env", "x", "NAME"])): data.draw(st.sampled_from(VALUES))},
            )
        else:
            written = _changed(written, place, data.draw(st.sampled_from(VALUES)))
        if not isinstance(written, dict):
            break
    assert (not list(problems(written, SCHEMA))) == jsonschema.Draft202012Validator(SCHEMA).is_valid(written)


@pytest.mark.parametrize("value", [1.0, float("nan")])
def test_a_float_is_no_whole_number(definition: dict[str, Any], value: float) -> None:
    definition["web"]["port"] = value
    assert "web.port: expected a whole number" in str(next(problems(definition, {"properties": {"web": SCHEMA["properties"]["web"]}})))
