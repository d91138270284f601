# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions that only look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import catalogs, find_definition, inspect_entry, shadowed
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import browse
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.shared import (
    Outcome,
    Params,
    chosen_places,
    read_definitions,
)


def show_list(params: Params) -> Outcome:
    found, broken = read_definitions(params)
    wanted = _filtered(params, found)
    return Outcome({"entries": [browse.summary(row) for row in wanted], "broken": broken})


def show_entries(params: Params) -> Outcome:
    return Outcome({"entries": [find_definition(catalog_id, params["catalog_paths"]) for catalog_id in params["ids"]]})


def show_search(params: Params) -> Outcome:
    found, broken = read_definitions(params)
    rows = browse.search(_filtered(params, found), params["query"])
    return Outcome({"entries": [{**browse.summary(row), "score": score} for score, row in rows], "broken": broken})


def show_categories(params: Params) -> Outcome:
    found, broken = read_definitions(params)
    return Outcome({"categories": browse.categories(_filtered(params, found)), "broken": broken})


def show_statistics(params: Params) -> Outcome:
    found, broken = read_definitions(params)
    return Outcome({"statistics": browse.statistics(_filtered(params, found)), "broken": broken})


def validate(params: Params) -> Outcome:
    """Every entry of every catalog, those too that another one hides. Rules of the house are advice for a custom catalog."""
    mistakes: list[dict[str, Any]] = []
    advice: list[dict[str, Any]] = []
    checked = 0
    for source, place in _every_place(params):
        checked += 1
        plain = inspect_entry(place, source)[1]
        ruled = inspect_entry(place, source, house_rules=True)[1]
        strict = params["rules"] or source == "catalog"
        mistakes += [_told(line) for line in (ruled if strict else plain)]
        advice += [] if strict else [_told(line) for line in ruled if line not in plain]
    lines = [f"{row['file']}:{row['line']}: {row['text']}" for row in mistakes]
    answer = {"checked": checked, "mistakes": mistakes, "advice": advice, "shadowed": shadowed(params["catalog_paths"])}
    failure = f"Mistakes ({len(lines)}; entries checked: {checked}):\n" + "\n".join(lines) if lines else ""
    return Outcome(answer, failure=failure)


def catalog_rows(paths: list[str]) -> list[dict[str, Any]]:
    """The catalogs that were looked at, in their order of precedence."""
    return [
        {
            "source": catalog.source,
            "kind": catalog.kind,
            "folder": str(catalog.folder),
            "commit": catalog.checkout.commit if catalog.checkout else None,
            "remote": (catalog.checkout.remote or None) if catalog.checkout else None,
        }
        for catalog in catalogs(paths)
    ]


def _filtered(params: Params, found: list[dict[str, Any]]) -> list[Mapping[str, Any]]:
    wanted = params.get("filter") or {}
    browse.check_filter(found, wanted)
    return browse.chosen(found, wanted)


def _every_place(params: Params) -> Iterable[tuple[str, Path]]:
    """(source, place) of every entry of every catalog, or of those of `ids`."""
    known: set[str] = set()
    for catalog in catalogs(params["catalog_paths"]):
        places = chosen_places(catalog, params)
        known |= set(places)
        yield from ((catalog.source, place) for place in places.values())
    for catalog_id in params.get("ids") or ():
        if catalog_id not in known:
            find_definition(catalog_id, params["catalog_paths"])


def _told(line: str) -> dict[str, Any]:
    """`file:line: text` in its parts; a file that is missing has no line."""
    file, _colon, rest = line.partition(": ")
    name, _colon, number = file.rpartition(":")
    return {"file": name, "line": int(number), "text": rest} if number.isdecimal() else {"file": file, "line": 1, "text": rest}
