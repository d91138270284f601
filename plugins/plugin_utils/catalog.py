# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find entries in catalog folders, and read them with the place of every mistake."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry, Problem, check_definition, parse_entry
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import check_compose, check_rules, check_shape, service_images
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import Lines, located, read_yaml

ENTRY, COMPOSE = "entry.yml", "compose.yml"
OWN = Path(__file__).resolve().parents[2] / "catalog"
OWN_NAME = "catalog"


def catalog_folders(paths: Sequence[str]) -> list[tuple[str, Path]]:
    """List the catalogs in their order of precedence, each with the name that a definition says as its source."""
    folders = []
    for path in paths:
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise SpecError(f"Catalog {path} is no folder; check catalog_paths.")
        folders.append((path, folder))
    return [*folders, (OWN_NAME, OWN)]


def list_entries(paths: Sequence[str]) -> dict[str, tuple[str, Path]]:
    """Map each id to its catalog's name and its folder; the first catalog that has an id wins."""
    found: dict[str, tuple[str, Path]] = {}
    for name, folder in catalog_folders(paths):
        for entry in sorted(folder.glob(f"*/{ENTRY}")):
            found.setdefault(entry.parent.name, (name, entry.parent))
    return found


def find_definition(catalog_id: str, paths: Sequence[str]) -> dict[str, Any]:
    """Read the entry of this id; raises SpecError that names near ids, or what is wrong with the entry."""
    known = list_entries(paths)
    if catalog_id not in known:
        close = difflib.get_close_matches(catalog_id, known, n=3, cutoff=0.7)
        hint = f"did you mean {' or '.join(close)}?" if close else f"it has {len(known)} others."
        searched = ", ".join(name for name, _folder in catalog_folders(paths))
        raise SpecError(f"There is no entry '{catalog_id}' in the catalog ({searched}); {hint}")
    source, folder = known[catalog_id]
    return read_definition(folder, source)


def read_definition(folder: Path, source: str) -> dict[str, Any]:
    """Read and check one entry's folder; raises SpecError with one `file:line:` per mistake."""
    definition, problems = inspect_entry(folder, source)
    if problems:
        raise SpecError("\n".join(problems))
    return definition


def inspect_entry(folder: Path, source: str = "", house_rules: bool = False) -> tuple[dict[str, Any], list[str]]:
    """Read one entry's folder and list its mistakes, each with file and line; with the rules of the house on request."""
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
    shape = [*check_definition(definition), *check_shape(compose)]
    yield from shape
    if folder and definition.get("id") not in (None, folder.name):
        yield Problem(("id",), f"'{definition['id']}' differs from the folder's name {folder.name}")
    if shape:
        return
    entry = parse_entry(definition)
    contradictions = check_compose(entry, compose)
    yield from contradictions
    if house_rules and not contradictions:
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
