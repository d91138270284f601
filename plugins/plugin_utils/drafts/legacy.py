# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Read apps in the predecessor's format: one JSON file each, with the Compose file as an object in it.

Keys: id, name, version, description, icon, category, docker_compose, ports, volumes, environment, min_memory, min_cpu, tags, author,
website; some files have min_disk. An `index.json` beside them only lists the files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.guess import About, Compose, entry_of, normalised
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.layout import compose_text
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.unsafe import Finding, mend, unsafe

COMPOSE_KEY = "docker_compose"
NEEDED = ("id", COMPOSE_KEY)


def legacy_files(folder: Path) -> dict[str, Path]:
    """Map the id of each app to its file; a file that cannot be read counts by its name, so that whoever reads it is told."""
    found: dict[str, Path] = {}
    for file in sorted(folder.glob("*.json")):
        try:
            app = read_app(file)
        except SpecError:
            found.setdefault(id_of(file.stem), file)
            continue
        if app:
            found.setdefault(id_of(str(app["id"])), file)
    return found


def read_app(file: Path) -> dict[str, Any]:
    """The file's mapping; empty for JSON that is no app. Raises SpecError with file and line."""
    try:
        app = json.loads(file.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise SpecError(f"{file}:{error.lineno}: is not JSON: {error.msg}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{file}: cannot be read as UTF-8 text: {error}") from error
    if not isinstance(app, dict) or COMPOSE_KEY not in app:
        return {}
    services = app[COMPOSE_KEY].get("services") if isinstance(app[COMPOSE_KEY], dict) else None
    if not isinstance(app.get("id"), str) or not id_of(app["id"]):
        raise SpecError(f"{file}:1: id: expected text, the app's short name")
    if not isinstance(services, dict) or not services or not all(isinstance(row, dict) for row in services.values()):
        raise SpecError(f"{file}:1: {COMPOSE_KEY}: expected a Compose file with a mapping of services")
    return app


def as_definition(app: Mapping[str, Any]) -> dict[str, Any]:
    """The app as it is, unsafe parts and all, as entry.yml's mapping with the text of a Compose file."""
    compose = normalised(app[COMPOSE_KEY])
    return {**entry_of(_about(app), compose), "compose": compose_text(compose)}


def converted(app: Mapping[str, Any]) -> tuple[dict[str, Any], Compose, list[Finding]]:
    """The app as an entry of today: the mapping of entry.yml, the Compose file, and what was found unsafe."""
    about, compose = _about(app), normalised(app[COMPOSE_KEY])
    found, known = mend(compose, about.ports, _environment(app))
    return entry_of(about, compose, known), compose, [*found, *unsafe(compose)]


def id_of(text: str) -> str:
    """An id that an entry may have: changedetection.io becomes changedetection-io."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:39].rstrip("-")


def _about(app: Mapping[str, Any]) -> About:
    tags = app.get("tags") or ()
    category = re.sub(r"[^a-z]+", "-", str(app.get("category") or "").lower()).strip("-")[:31]
    site = str(app.get("website") or "")
    author = str(app.get("author") or "")
    version = str(app.get("version") or "")
    return About(
        id=id_of(str(app["id"])),
        name=str(app.get("name") or ""),
        version=version if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", version) and version != "latest" else "",
        description=str(app.get("description") or ""),
        category=category if len(category) > 1 else "",
        tags=tuple(dict.fromkeys(tag for tag in (id_of(str(tag)) for tag in (tags if isinstance(tags, list) else ())) if tag)),
        site=re.sub(r"^http://", "https://", site) if site.startswith(("http://", "https://")) else "",
        cores=_number(app.get("min_cpu")),
        memory_mb=_number(app.get("min_memory")),
        disk_gb=_number(app.get("min_disk")),
        ports=tuple(port for port in (_number(port) for port in app.get("ports") or ()) if port),
        notes=(f"By {author}.",) if author else (),
    )


def _environment(app: Mapping[str, Any]) -> Mapping[str, Any]:
    given = app.get("environment")
    return given if isinstance(given, Mapping) else {}


def _number(value: Any) -> int | None:
    return int(value) if isinstance(value, (int, float, str)) and re.fullmatch(r"[0-9]+(\.0*)?", str(value)) and int(float(value)) else None
