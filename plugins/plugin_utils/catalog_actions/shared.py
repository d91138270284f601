# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the actions share: their parameters, their outcome, and the entries that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import Catalog, find_definition, inspect_entry, list_entries

Params = Mapping[str, Any]


@dataclass
class Outcome:
    """`files` are whole texts by path; `failure` says what went wrong although the rest was done."""

    answer: dict[str, Any]
    files: dict[Path, str] = field(default_factory=dict)
    failure: str = ""


def read_definitions(params: Params) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Every entry that wins, or those of `ids`; and the broken ones, which must not hide the others."""
    found, broken = [], []
    known = list_entries(params["catalog_paths"])
    for catalog_id in params.get("ids") or sorted(known):
        if catalog_id not in known:
            find_definition(catalog_id, params["catalog_paths"])  # says which ids are near
        source, place = known[catalog_id]
        definition, mistakes = inspect_entry(place, source)
        if mistakes:
            broken.append({"id": catalog_id, "source": source, "mistakes": mistakes})
        else:
            found.append(definition)
    return found, broken


def chosen_places(catalog: Catalog, params: Params) -> dict[str, Path]:
    """The entries of one catalog, hidden ones too, or those of `ids`."""
    ids = params.get("ids") or ()
    return {name: place for name, place in catalog.places().items() if not ids or name in ids}
