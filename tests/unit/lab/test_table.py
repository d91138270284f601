"""The table of calls against the API viewer's data, where that lies beside the checkout."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from lab.registry import routes
from lab.schema.rights import Both, Either, Need, Rights
from lab.schema.table import CallSpec, Param, load_table

SHARED = Path(__file__).parents[4] / "shared" / "pve"
FILES = {9: "api-9.2.json", 8: "api-8.4.json"}
NOT_THERE = {("GET", "/nodes/{node}/qemu")}
"""Calls of ours about which the data here, which is about containers, says nothing."""
COUNTS = {"net": 32, "mp": 256, "dev": 256, "unused": 256}


def ours(major: int) -> dict[tuple[str, str], CallSpec]:
    """The calls of the table that are to be held against that data."""
    return {key: spec for key, spec in load_table(major).calls.items() if key not in NOT_THERE}


def official(major: int) -> dict[tuple[str, str], dict[str, Any]]:
    file = SHARED / FILES[major]
    if not file.exists():
        pytest.skip(f"there is no {FILES[major]} beside this checkout to hold the table against")
    return {(call["method"], call["path"]): call for call in json.loads(file.read_text())}


@pytest.mark.parametrize("major", FILES)
def test_parameters_are_those_of_the_api(major: int) -> None:
    calls = official(major)
    assert set(ours(major)) <= set(calls)
    differ = {}
    for key, spec in ours(major).items():
        found, wanted = described(spec, major), {name: normal(name, param) for name, param in calls[key]["params"].items()}
        if found != wanted:
            differ[key] = {name: (found.get(name), wanted.get(name)) for name in {*found, *wanted} if found.get(name) != wanted.get(name)}
    assert not differ


@pytest.mark.parametrize("major", FILES)
def test_rights_are_those_of_the_api(major: int) -> None:
    calls = official(major)
    differ = {}
    for key, spec in ours(major).items():
        wanted = calls[key].get("permissions")
        expected = None if not wanted else wanted["user"] if "user" in wanted else wanted["check"]
        found = expression(spec.rights)
        if found != simple(expected):
            differ[key] = (found, simple(expected))
    assert not differ


@pytest.mark.parametrize("major", FILES)
def test_tokens_may_call_what_they_may(major: int) -> None:
    calls = official(major)
    refused = {key for key, spec in ours(major).items() if not spec.allow_token}
    assert refused == {key for key in ours(major) if calls[key].get("allowtoken", True) is False}


def test_every_route_stands_in_the_table() -> None:
    known = {*load_table(8).calls, *load_table(9).calls}
    assert {(route.method, route.path) for route in routes()} <= known


def described(spec: CallSpec, major: int) -> dict[str, Any]:
    params = {**spec.params, **{f"{name}[n]": param for name, param in spec.numbered.items()}}
    assert all(param.count == COUNTS[name] for name, param in spec.numbered.items())
    return {name: as_official(param, major) for name, param in params.items()}


def as_official(param: Param, major: int) -> dict[str, Any]:
    """A parameter of ours in the API viewer's spelling."""
    table = load_table(major)
    found: dict[str, Any] = {"type": param.type, "optional": param.optional}
    limits = {"minimum": param.low, "maximum": param.high, "minLength": param.shortest, "maxLength": param.longest}
    found |= {name: limit for name, limit in limits.items() if limit}
    found |= {"requires": param.requires} if param.requires else {}
    found |= {"enum": list(param.choices)} if param.choices else {}
    found |= {"pattern": param.pattern} if param.pattern else {}
    found |= {"default_key": True} if param.default_key else {}
    if param.format.startswith("ct-"):
        found["format"] = {name: as_official(each, major) for name, each in table.formats[param.format].items()}
    elif param.format and param.type != "array":
        found["format"] = param.format
    return found


def normal(name: str, param: dict[str, Any]) -> dict[str, Any]:
    """A parameter of the API viewer's, without what does not verify (texts, defaults), in one spelling."""
    found: dict[str, Any] = {"type": param.get("type", "string"), "optional": bool(param.get("optional"))}
    for key in ("minimum", "maximum", "minLength", "maxLength"):
        found |= {key: str(param[key])} if param.get(key) is not None else {}
    found |= {key: param[key] for key in ("requires", "enum") if param.get(key)}
    found |= {"pattern": re.sub(r"\(\?\^:", "(?:", param["pattern"])} if param.get("pattern") else {}
    found |= {"default_key": True} if param.get("default_key") else {}
    if isinstance(param.get("format"), dict):
        found["format"] = {key: normal(key, each) for key, each in param["format"].items()}
    elif param.get("format"):
        found["format"] = param["format"]
    return found


def expression(rights: Rights | None) -> Any:
    """Ours, as nested lists."""
    if rights is None or isinstance(rights, Need):
        return need(rights) if rights else None
    assert isinstance(rights, (Both, Either))
    return ["and" if isinstance(rights, Both) else "or", *map(expression, rights.parts)]


def need(found: Need) -> Any:
    if found.kind == "path":
        how = "all" if found.every else "any"
        return ["perm", found.path, sorted(found.privileges), how if len(found.privileges) > 1 else "all", found.given]
    arguments = [found.path] if found.path else [sorted(found.privileges)] if found.privileges else []
    return [found.kind, *arguments] if arguments else found.kind


def simple(check: Any) -> Any:
    """Theirs, likewise."""
    if not isinstance(check, list):
        return check
    kind, *rest = check
    if kind in {"and", "or"}:
        return [kind, *map(simple, rest)]
    if kind == "perm":
        options = dict(zip(rest[2::2], rest[3::2], strict=True))
        how = "any" if options.get("any") and len(rest[1]) > 1 else "all"
        return ["perm", rest[0], sorted(rest[1]), how, options.get("require_param", "")]
    names = {"perm-modify": "modify", "userid-param": "user-param", "userid-group": "user-group"}
    argument = rest[0]
    return [names[kind], sorted(argument) if isinstance(argument, list) else argument]
