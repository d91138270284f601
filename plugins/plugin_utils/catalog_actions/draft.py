# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Actions that write new entries: of apps in the older format, and from an image or a Compose file."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import COMPOSE, ENTRY, inspect_entry
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.shared import Outcome, Params
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts import legacy
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.layout import compose_text, entry_text
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.report import conversion_report
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.scaffold import REMARKS, from_compose, from_image
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.unsafe import Finding
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.registry import RegistryError, registries_of


def convert(params: Params) -> Outcome:
    """Apps in the older format become folders; one that cannot be is told, and does not keep the others."""
    rows, files, failures = [], {}, []
    for catalog_id, file in _legacy_apps(params).items():
        try:
            entry, compose, findings = legacy.converted(legacy.read_app(file))
            written = _written(Path(params["target"]), entry, compose, params)
        except SpecError as error:
            failures.append(str(error))
            continue
        files.update(written)
        rows.append({"id": catalog_id, "file": str(file), "findings": [_finding(row) for row in findings], "unproven": entry["unproven"]})
    report = conversion_report(rows, failures)
    if params.get("report"):
        files[Path(params["report"])] = report
    failure = "These apps were not converted:\n" + "\n".join(failures) if failures else ""
    return Outcome({"converted": rows, "report": report}, files, failure)


def scaffold(params: Params) -> Outcome:
    """A new entry from an image or a Compose file."""
    given = {key: value for key, value in (params.get("entry") or {}).items() if value is not None}
    if params.get("compose_file"):
        file = Path(params["compose_file"])
        begun = from_compose(_read(file), str(file), given)
    else:
        seen = _seen(params) if params["ask_registry"] else None
        begun = from_image(params["image"], given, seen)
    files = _written(Path(params["target"]), begun.entry, begun.compose, params, REMARKS)
    folder = Path(params["target"]) / begun.entry["id"]
    findings = [_finding(row) for row in begun.findings]
    return Outcome({"id": begun.entry["id"], "folder": str(folder), "todo": begun.todo, "findings": findings}, files)


def _legacy_apps(params: Params) -> dict[str, Path]:
    source, ids = Path(params["source"]), params.get("ids") or ()
    if source.is_dir():
        found = legacy.legacy_files(source)
    elif source.is_file():
        app = legacy.read_app(source)
        found = {legacy.id_of(str(app["id"])): source} if app else {}
    else:
        raise SpecError(f"{source} is neither a file nor a folder; source names apps in the older format.")
    chosen = {name: file for name, file in found.items() if not ids or name in ids}
    if not chosen:
        raise SpecError(
            f"{source} holds no app in the older format{' of these ids' if ids else ''}: JSON files with a docker_compose in each."
        )
    return chosen


def _written(
    target: Path, entry: Mapping[str, Any], compose: Mapping[str, Any], params: Params, remarks: tuple[str, ...] = ()
) -> dict[Path, str]:  # fmt: skip
    """The two files of a new entry, once they have been found to hold together. What a person has changed is not replaced unasked."""
    texts = {ENTRY: entry_text(entry, remarks), COMPOSE: compose_text(compose)}
    with tempfile.TemporaryDirectory() as aside:
        folder = Path(aside) / entry["id"]
        folder.mkdir()
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        mistakes = [line.replace(f"{aside}/", "") for line in inspect_entry(folder)[1]]
    if mistakes:
        raise SpecError("\n".join(mistakes))
    files = {target / entry["id"] / name: text for name, text in texts.items()}
    differing = [str(path) for path, text in files.items() if path.exists() and _read(path) != text]
    if differing and not params["overwrite"]:
        raise SpecError(f"{differing[0]} is there already, and is another; set overwrite to replace it.")
    return files


def _seen(params: Params) -> Mapping[str, Any]:
    name, tag, digest = image_parts(params["image"])
    try:
        return registries_of(params.get("registries") or ()).image(name, digest or tag or "latest")
    except RegistryError as error:
        raise SpecError(f"{error}. Without its word, set ask_registry to false and give entry.port.") from error


def _finding(row: Finding) -> dict[str, Any]:
    return {"kind": row.kind, "place": ".".join(map(str, row.place)), "text": row.text, "mended": row.mended}


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read as UTF-8 text: {error}") from error
