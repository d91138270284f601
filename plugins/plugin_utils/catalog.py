# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find entries in catalogs, and read them with the place of every mistake.

A catalog is a folder with a folder per entry, or with apps in the predecessor's format, a JSON file each; both may be in one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.proximity.platform.plugins.module_utils.entries import OWN_CATALOG, Entry, Problem, inspect_definition
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.checkout import Checkout, checkout_of
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import check_compose, check_rules, check_shape, service_images
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.legacy import COMPOSE_KEY, as_definition, legacy_files, read_app
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import Lines, located, read_yaml

ENTRY, COMPOSE = "entry.yml", "compose.yml"
OWN = Path(__file__).resolve().parents[2] / "catalog"


class Catalog(NamedTuple):
    """A catalog: what an entry of it says as its source, its folder, and the git checkout that the folder is in."""

    source: str
    folder: Path
    checkout: Checkout | None = None

    @property
    def kind(self) -> str:
        return "own" if self.source == OWN_CATALOG else "git" if self.checkout else "folder"

    def places(self) -> dict[str, Path]:
        """Map the ids of its entries to folders, and to files in the older format."""
        return _places(self.folder)


def catalogs(paths: Sequence[str]) -> list[Catalog]:
    """List the catalogs in their order of precedence; the collection's own is the last, unless its folder is named too."""
    found = []
    for path in paths:
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise SpecError(f"Catalog {path} is no folder; check catalog_paths.")
        found.append(_catalog(path, folder))
    return found if any(catalog.kind == "own" for catalog in found) else [*found, Catalog(OWN_CATALOG, OWN)]


def _catalog(path: str, folder: Path) -> Catalog:
    """A checkout may have its entries in a folder of that name. Where they came from is said so that it holds on any controller."""
    if not _places(folder) and (folder / OWN_CATALOG).is_dir():
        folder = folder / OWN_CATALOG
    if folder.resolve() == OWN.resolve():
        return Catalog(OWN_CATALOG, folder)
    checkout = checkout_of(folder)
    if not checkout:
        return Catalog(path, folder)
    within = folder.resolve().relative_to(checkout.root).as_posix()
    source = "/".join(part for part in (checkout.remote, within) if part not in ("", ".")) if checkout.remote else path
    return Catalog(f"{source}@{checkout.commit[:10]}" if checkout.commit else source, folder, checkout)


def list_entries(paths: Sequence[str]) -> dict[str, tuple[str, Path]]:
    """Map each id to its catalog's source and its place; the first catalog that has an id wins."""
    found: dict[str, tuple[str, Path]] = {}
    for catalog in catalogs(paths):
        for catalog_id, place in catalog.places().items():
            found.setdefault(catalog_id, (catalog.source, place))
    return found


def shadowed(paths: Sequence[str]) -> dict[str, list[str]]:
    """Map each id that several catalogs have to their sources, the one that wins first."""
    found: dict[str, list[str]] = {}
    for catalog in catalogs(paths):
        for catalog_id in catalog.places():
            found.setdefault(catalog_id, []).append(catalog.source)
    return {catalog_id: sources for catalog_id, sources in sorted(found.items()) if len(sources) > 1}


def _places(folder: Path) -> dict[str, Path]:
    return {**legacy_files(folder), **{entry.parent.name: entry.parent for entry in sorted(folder.glob(f"*/{ENTRY}"))}}


def find_definition(catalog_id: str, paths: Sequence[str]) -> dict[str, Any]:
    """Read the entry of this id; raises SpecError that names near ids, or what is wrong with the entry."""
    known = list_entries(paths)
    if catalog_id not in known:
        close = difflib.get_close_matches(catalog_id, known, n=3, cutoff=0.7)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {len(known)} others."
        searched = ", ".join(catalog.source for catalog in catalogs(paths))
        raise SpecError(f"There is no entry '{catalog_id}' in the catalog ({searched}); {hint}")
    source, folder = known[catalog_id]
    return read_definition(folder, source)


def read_definition(place: Path, source: str) -> dict[str, Any]:
    """Read and check one entry; raises SpecError with one `file:line:` per mistake."""
    definition, problems = inspect_entry(place, source)
    if problems:
        raise SpecError("\n".join(problems))
    return definition


def inspect_entry(folder: Path, source: str = "", house_rules: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Read one entry and list its mistakes, each with file and line; with the rules of the house on request."""
    if folder.is_file():
        return _inspect_legacy(folder, source, house_rules)
    try:
        written, lines = read_yaml(_text(folder / ENTRY), str(folder / ENTRY))
        text = _text(folder / COMPOSE)
        compose, compose_lines = read_yaml(text, str(folder / COMPOSE))
        if not isinstance(written, Mapping):
            raise SpecError(f"{folder / ENTRY}:1: expected a mapping")
        definition = {**written, "compose": text, "services": service_images(compose), "source": source}
        if isinstance(written.get("files"), list):
            definition["files"] = [_with_content(folder, row) for row in written["files"]]
    except SpecError as error:
        return {}, [str(error)]
    problems = list(_problems(definition, compose, folder, house_rules))
    places = {ENTRY: lines, COMPOSE: compose_lines}
    return definition, [_told(problem, folder, places) for problem in problems]


def _inspect_legacy(file: Path, source: str, house_rules: bool) -> tuple[dict[str, Any], list[str]]:
    """An app in the older format, as it is. A mistake is told at its place in the JSON file, which YAML reads too."""
    try:
        written = as_definition(read_app(file))
        compose, _lines = read_yaml(written["compose"], str(file))
        _data, lines = read_yaml(_text(file), str(file))
    except SpecError as error:
        return {}, [str(error)]
    definition = {**written, "services": service_images(compose), "source": source}
    problems = _problems(definition, compose, None, house_rules)
    moved = [Problem((COMPOSE_KEY, *row.path[1:]), row.text) if row.path[:1] == ("compose",) else row for row in problems]
    return definition, [located(row, lines, str(file)) for row in moved]


def complete_definition(definition: Mapping[str, Any]) -> dict[str, Any]:
    """Add to an inline definition what only a reader of YAML can tell; raises SpecError as `read_definition` does."""
    text = definition.get("compose")
    if not isinstance(text, str):
        raise SpecError("The definition has no compose; it is the text of a Compose file.")
    compose, _lines = read_yaml(text, "compose")
    complete = {**definition, "services": service_images(compose), "source": ""}
    problems = list(_problems(complete, compose, None, False))
    if problems:
        raise SpecError("\n".join(f"Definition {definition.get('id', 'without an id')}: {problem}" for problem in problems))
    return complete


def _problems(definition: Mapping[str, Any], compose: Any, folder: Path | None, house_rules: bool) -> Iterator[Problem]:
    entry, found = inspect_definition(definition)
    misshapen = check_shape(compose)
    yield from (*found, *misshapen)
    if folder and definition.get("id") not in (None, folder.name):
        yield Problem(("id",), f"'{definition['id']}' differs from the folder's name {folder.name}")
    if entry is None or misshapen:
        return
    yield from check_compose(entry, compose)
    if house_rules:
        yield from check_rules(entry, compose)
        yield from _version_rule(entry)


def _version_rule(entry: Entry) -> Iterator[Problem]:
    if not any(entry.version in image or "latest@" in image for image in entry.services.values()):
        yield Problem(("version",), f"no image of compose.yml is pinned to {entry.version}")


def _told(problem: Problem, folder: Path, places: Mapping[str, Lines]) -> str:
    if problem.path[:1] == ("compose",):
        if len(problem.path) == 2 and isinstance(problem.path[1], int):
            return f"{folder / COMPOSE}:{problem.path[1]}: {problem.text}"
        return located(Problem(problem.path[1:], problem.text), places[COMPOSE], str(folder / COMPOSE))
    return located(problem, places[ENTRY], str(folder / ENTRY))


def _with_content(folder: Path, row: Any) -> Any:
    source = row.get("source") if isinstance(row, Mapping) else None
    if not isinstance(source, str) or ".." in source.split("/"):
        return row
    return {**row, "content": _text(folder / source)}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise SpecError(f"{path}: the file is missing") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read as UTF-8 text: {error}") from error
