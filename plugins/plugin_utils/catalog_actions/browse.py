# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Look through entries: what a person asks of a catalog, answered from definitions."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.entries import OWN_CATALOG
from ansible_collections.proximity.platform.plugins.module_utils.entries.validate import nearest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

Definition = Mapping[str, Any]
WEIGHTS = {"id": 8, "name": 8, "tags": 4, "category": 3, "description": 2, "services": 1}
"""How much a word counts that is found there."""
SIZES = ("cores", "memory_mb", "swap_mb", "disk_gb")


def summary(definition: Definition) -> dict[str, Any]:
    """What a list shows of an entry."""
    web = definition.get("web") or {}
    return {
        **{key: definition[key] for key in ("id", "name", "version", "description", "category")},
        "tags": list(definition.get("tags") or ()),
        "icon": definition.get("icon") or definition["id"],
        "site": definition["links"]["site"],
        "architectures": list(definition["architectures"]),
        "web_port": web.get("port"),
        "services": sorted(definition["services"]),
        "resources": dict(definition["resources"]["recommended"]),
        "requirements": needs(definition),
        "unproven": list(definition.get("unproven") or ()),
        "source": definition["source"],
        "custom": is_custom(definition),
    }


def is_custom(definition: Definition) -> bool:
    """Whether it comes from another catalog than the collection's."""
    return bool(definition["source"] != OWN_CATALOG)


def needs(definition: Definition) -> list[str]:
    """What it requires beyond an unprivileged container with nesting."""
    return sorted(key for key, level in (definition.get("requirements") or {}).items() if level == "required")


def chosen(definitions: Iterable[Definition], wanted: Mapping[str, Any]) -> list[Definition]:
    """Those that fit every key of the filter: category, tags, architecture, memory_mb, without, custom."""
    return [definition for definition in definitions if _fits(definition, wanted)]


def _fits(definition: Definition, wanted: Mapping[str, Any]) -> bool:
    memory, without = wanted.get("memory_mb"), set(wanted.get("without") or ())
    least = definition["resources"].get("minimum", {}).get("memory_mb") or definition["resources"]["recommended"]["memory_mb"]
    return (
        wanted.get("category") in (None, definition["category"])
        and set(wanted.get("tags") or ()) <= set(definition.get("tags") or ())
        and (wanted.get("architecture") is None or wanted["architecture"] in definition["architectures"])
        and (memory is None or least <= memory)
        and not without & set(needs(definition))
        and wanted.get("custom") in (None, is_custom(definition))
    )


def search(definitions: Iterable[Definition], query: str) -> list[tuple[int, Definition]]:
    """Those in which every word of the query is found, the best first: (score, definition)."""
    words = query.lower().split()
    if not words:
        raise SpecError("The query has no word to look for.")
    scored = [(_score(definition, words), definition) for definition in definitions]
    return sorted(((score, definition) for score, definition in scored if score), key=lambda row: (-row[0], row[1]["id"]))


def _score(definition: Definition, words: Sequence[str]) -> int:
    total = 0
    for word in words:
        found = sum(weight * _match(_text(definition.get(field)), word) for field, weight in WEIGHTS.items())
        if not found:
            return 0
        total += found
    return total


def _match(text: str, word: str) -> int:
    """0 for nothing, 1 within a word, 2 at the beginning of one, 4 for a whole one."""
    at = re.search(rf"\b{re.escape(word)}(\b)?", text)
    return (4 if at[1] is not None else 2) if at else int(word in text)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value.lower()
    return " ".join(str(item) for item in value or ()).lower()


def categories(definitions: Iterable[Definition]) -> dict[str, list[str]]:
    """Category -> ids."""
    found: dict[str, list[str]] = {}
    for definition in definitions:
        found.setdefault(definition["category"], []).append(definition["id"])
    return {name: sorted(found[name]) for name in sorted(found)}


def check_filter(definitions: Sequence[Definition], wanted: Mapping[str, Any]) -> None:
    """Refuse a category or tag that no entry has: an empty answer would hide the misspelling."""
    for key, known in (
        ("category", {row["category"] for row in definitions}),
        ("tags", {tag for row in definitions for tag in row.get("tags") or ()}),
    ):
        given = wanted.get(key)
        for word in [given] if isinstance(given, str) else given or ():
            if word not in known:
                raise SpecError(f"No entry has {key} {word}; {nearest(word, sorted(known))}.")


def statistics(definitions: Sequence[Definition]) -> dict[str, Any]:
    """Figures over entries."""
    images = Counter(image for row in definitions for image in row["services"].values())
    return {
        "entries": len(definitions),
        "custom": sum(map(is_custom, definitions)),
        "services": sum(len(row["services"]) for row in definitions),
        "images": len(images),
        "images_with_digest": sum("@sha256:" in image for image in images),
        "by_category": {name: len(ids) for name, ids in categories(definitions).items()},
        "by_source": dict(sorted(Counter(row["source"] for row in definitions).items())),
        "by_architecture": dict(sorted(Counter(name for row in definitions for name in row["architectures"]).items())),
        "by_requirement": dict(sorted(Counter(name for row in definitions for name in needs(row)).items())),
        "with_volumes": sum(bool(row.get("volumes")) for row in definitions),
        "with_secrets": sum(bool(row.get("secrets")) for row in definitions),
        "unproven_fields": sum(len(row.get("unproven") or ()) for row in definitions),
        "recommended": {key: sum(row["resources"]["recommended"][key] for row in definitions) for key in SIZES},
    }
