# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Begin a new entry: from an image, or from a Compose file that somebody has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import MOVING_TAGS, image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.guess import (
    NOT_WEB,
    TLS_PORTS,
    About,
    Compose,
    entry_of,
    normalised,
    text_of,
)
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.legacy import id_of
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.unsafe import STARTING, Finding, mend, unsafe
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import read_yaml

PAGE = re.compile(r"(https?)://(?:127\.0\.0\.1|localhost)(?::(?:\$+\{[A-Z_]+:-)?([0-9]+)\}?)?(/[^\s'\"|;)]*)?")
LABEL = "org.opencontainers.image."
REMARKS = (
    "Begun by a scaffold. What stands under unproven is a guess: look at each, mend it, and take it out of the list.",
    "Then delete these two lines. The fields are explained in docs/catalog/schema.md.",
)


class Begun(NamedTuple):
    """A new entry, what is unsafe in it, and what a person has still to do."""

    entry: dict[str, Any]
    compose: Compose
    findings: list[Finding]
    todo: list[str]


def from_image(image: str, given: Mapping[str, Any], seen: Mapping[str, Any] | None) -> Begun:
    """Begin with one image. `seen` is what its registry says of it (`Registries.image`), None when nobody asked.

    `given` may hold id, name, category, description, site and port (inside the image).
    """
    name, tag, _digest = image_parts(image)
    config = dict((seen or {}).get("config") or {})
    ports = [int(given["port"])] if given.get("port") else _exposed(config)
    if not ports:
        hint = "its registry says of none" if seen else "nobody asked its registry"
        raise SpecError(f"On which port does {image} listen? Give port; {hint}.")
    service = re.sub(r"[^a-z0-9_-]+", "-", name.rpartition("/")[2].lower()).strip("-") or "app"
    web = _first_web(ports)
    compose: Compose = {
        "services": {service: {"image": image, "ports": [f"{port}:{port}" for port in [web, *(p for p in ports if p != web)]]}}
    }
    folders = sorted(config.get("Volumes") or {})
    if folders:
        compose["services"][service]["volumes"] = [f"{_volume_name(folder)}:{folder}" for folder in folders]
    return _begun(compose, {"id": id_of(service), **given}, seen, tag)


def from_compose(text: str, place: str, given: Mapping[str, Any]) -> Begun:
    """Begin with a Compose file; raises SpecError with `place:line:` for what is none."""
    data, _lines = read_yaml(text, place)
    services = data.get("services") if isinstance(data, dict) else None
    if not isinstance(services, dict) or not services or not all(isinstance(row, dict) for row in services.values()):
        raise SpecError(f"{place}:1: expected a Compose file with a mapping of services")
    first = next(iter(services))
    return _begun(dict(data), {"id": id_of(str(first)), **given}, None, "")


def _begun(compose: Compose, given: Mapping[str, Any], seen: Mapping[str, Any] | None, tag: str) -> Begun:
    about = _about(given, seen, tag)
    tidy = normalised(compose)
    found, known = mend(tidy, about.ports)
    entry = entry_of(about, tidy, known)
    main = entry.get("web", {}).get("service") or next(iter(tidy["services"]))
    pattern = _pattern(image_parts(tidy["services"][main]["image"])[1])
    checked = (seen or {}).get("config", {}).get("Healthcheck") or {}
    if checked.get("Test") and not tidy["services"][main].get("healthcheck"):
        entry["unproven"] = [field for field in entry["unproven"] if field != f"compose.services.{main}.healthcheck"]
        tidy["services"][main]["healthcheck"] = _healthcheck(checked)
    entry["health"] = _asked(tidy["services"][main], entry)
    unproven = entry.pop("unproven")
    entry |= ({"updates": {"tags": {main: pattern}}} if pattern else {}) | {"unproven": unproven}
    found += unsafe(tidy)
    return Begun(entry, tidy, found, _todo(entry, found))


def _asked(service: Mapping[str, Any], entry: Mapping[str, Any]) -> dict[str, Any]:
    """The probe from outside asks what the service's own check asks, where that is a page of the web port."""
    words = text_of((service.get("healthcheck") or {}).get("test"))
    inside = {row.rpartition(":")[2].partition("/")[0] for row in service.get("ports") or () if isinstance(row, str)}
    for scheme, port, path in PAGE.findall(words):
        if (port or ("443" if scheme == "https" else "80")) in inside and entry.get("web"):
            secure = {"scheme": "https"} if scheme == "https" else {}
            return {"type": "http", "port": entry["web"]["port"], **secure, "path": path or "/", "expect": [200], "start_period_s": 180}
    return dict(entry["health"])


def _about(given: Mapping[str, Any], seen: Mapping[str, Any] | None, tag: str) -> About:
    labels = {
        key.removeprefix(LABEL): str(text)
        for key, text in ((seen or {}).get("config", {}).get("Labels") or {}).items()
        if key.startswith(LABEL)
    }
    site = str(given.get("site") or labels.get("url") or labels.get("source") or "")
    version = tag if tag and tag not in MOVING_TAGS else labels.get("version", "")
    found = re.search(r"\d[A-Za-z0-9._+-]*", version)
    return About(
        id=str(given["id"]),
        name=str(given.get("name") or labels.get("title") or given["id"]),
        version=found[0][:63] if found else "",
        description=str(given.get("description") or labels.get("description") or ""),
        category=str(given.get("category") or ""),
        site=re.sub(r"^http://", "https://", site) if site.startswith(("http://", "https://")) else "",
        architectures=tuple(name for name in (seen or {}).get("architectures") or () if name in ("amd64", "arm64")),
        ports=(int(given["port"]),) if given.get("port") else (),
    )


def _exposed(config: Mapping[str, Any]) -> list[int]:
    return sorted(int(port.partition("/")[0]) for port in config.get("ExposedPorts") or () if not port.endswith("/udp"))


def _first_web(ports: list[int]) -> int:
    return sorted(ports, key=lambda port: (port in NOT_WEB, port in TLS_PORTS))[0]


def _volume_name(folder: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", folder.rstrip("/").rpartition("/")[2].lower()).strip("-") or "data"


def _pattern(tag: str) -> str:
    """Tags of the same form as this one; empty for one without numbers."""
    return f"^{re.sub(r'[0-9]+', lambda _match: r'[0-9]+', re.escape(tag).replace(chr(92) + '-', '-'))}$" if re.search(r"\d", tag) else ""


def _healthcheck(checked: Mapping[str, Any]) -> dict[str, Any]:
    """The image's own check, with the times of the house: an image says nothing of how long a first start takes."""
    times = {"interval": "30s", "timeout": "10s", "retries": 5}
    return {"test": [str(word).replace("$", "$$") for word in checked["Test"]], **times, **STARTING}


def _todo(entry: Mapping[str, Any], found: list[Finding]) -> list[str]:
    guesses = [field for field in entry["unproven"] if not field.startswith("compose.")]
    checks = [field.split(".")[2] for field in entry["unproven"] if field.startswith("compose.")]
    rows = [f"Look at what was guessed: {', '.join(guesses)}."] if guesses else []
    rows += [f"Give each service a health check that its image can run: {', '.join(checks)}."] if checks else []
    rows += [f"{finding}." for finding in found if not finding.mended]
    return rows + (["Say in health what a healthy answer is: type http, with a path."] if entry["health"]["type"] == "tcp" else [])
