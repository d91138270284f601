# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions that keep a catalog up to date: compare with registries, write what is newer, lock digests."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import Catalog, catalogs, inspect_entry
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.shared import (
    Outcome,
    Params,
    chosen_places,
    read_definitions,
)
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.updates import compare as updates
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.registry import RegistryError, registries_of


def compare(params: Params) -> Outcome:
    found, broken = read_definitions(params)
    lock: updates.Images = {}
    for catalog in reversed(catalogs(params["catalog_paths"])):
        lock |= {image: digest for image, digest in updates.read_lock(catalog.folder).items() if digest}
    done = updates.compare(found, registries_of(params.get("registries") or ()), lock, params["majors"])
    return Outcome({"updates": [row.row() for row in done.updates], "failures": done.failures, "broken": broken}, failure=_unasked(done))


def update(params: Params) -> Outcome:
    """Write what is newer into the catalogs of `catalog_paths`, and their locks; into a patch instead, where one is named."""
    asked = updates.Cached(registries_of(params.get("registries") or ()))
    files: dict[Path, str] = {}
    rows: list[dict[str, Any]] = []
    failures: list[dict[str, str]] = []
    for catalog in _writable(params):
        places = {name: place for name, place in chosen_places(catalog, params).items() if place.is_dir()}
        every = {name: _read_entry(catalog, name, place) for name, place in chosen_places(catalog, {}).items() if place.is_dir()}
        done = updates.compare([every[name] for name in places], asked, updates.read_lock(catalog.folder), params["majors"])
        for name, place in places.items():
            changed = updates.proposed(place, every[name], [row for row in done.updates if row.id == name])
            must_hold(place, changed)
            files.update(changed)
        files[catalog.folder / updates.LOCK] = updates.lock_file(
            updates.locked(list(every.values()), updates.read_lock(catalog.folder), done.updates)
        )
        rows += [row.row() for row in done.updates]
        failures += done.failures
    return Outcome({"updates": rows, "failures": failures}, files, _unasked(updates.Comparison([], failures)))


def lock(params: Params) -> Outcome:
    """Write each catalog's lock as its entries say; a digest that nobody knows yet is asked for."""
    files: dict[Path, str] = {}
    failures: list[dict[str, str]] = []
    asked = updates.Cached(registries_of(params.get("registries") or ())) if params["ask_registry"] else None
    for catalog in _writable(params):
        every = [_read_entry(catalog, name, place) for name, place in chosen_places(catalog, {}).items()]
        images = updates.locked(every, updates.read_lock(catalog.folder))
        for image in [image for image, digest in images.items() if digest is None and asked]:
            name, tag, _digest = image_parts(image)
            try:
                images[image] = asked.digest(name, tag) if asked else None
            except RegistryError as error:
                failures.append({"id": "", "image": image, "error": str(error)})
        files[catalog.folder / updates.LOCK] = updates.lock_file(images)
    return Outcome({"failures": failures}, files, _unasked(updates.Comparison([], failures)))


def _read_entry(catalog: Catalog, name: str, place: Path) -> dict[str, Any]:
    """An entry of one catalog, whoever hides it; raises SpecError with its mistakes."""
    definition, mistakes = inspect_entry(place, catalog.source)
    if mistakes:
        raise SpecError("\n".join(mistakes))
    return definition


def _writable(params: Params) -> list[Catalog]:
    """The catalogs that a user named. The collection's own is written to only where its folder is named too."""
    if not params["catalog_paths"]:
        raise SpecError("Say in catalog_paths which catalog to write to; the one within the collection is not changed unless it is named.")
    return catalogs(params["catalog_paths"])[: len(params["catalog_paths"])]


def must_hold(folder: Path, changed: Mapping[Path, str]) -> None:
    """Refuse a change after which the entry would not be right any more."""
    if not changed:
        return
    with tempfile.TemporaryDirectory() as aside:
        copy = Path(aside) / folder.name
        for path in folder.rglob("*"):
            if path.is_file():
                (copy / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
                (copy / path.relative_to(folder)).write_text(changed.get(path) or path.read_text(encoding="utf-8"), encoding="utf-8")
        mistakes = inspect_entry(copy)[1]
    if mistakes:
        raise SpecError("\n".join(line.replace(str(copy), str(folder)) for line in mistakes))


def _unasked(done: updates.Comparison) -> str:
    lines = dict.fromkeys(f"{row['image']}: {row['error']}" for row in done.failures)
    return f"Images that could not be asked for ({len(lines)}):\n" + "\n".join(lines) if lines else ""
