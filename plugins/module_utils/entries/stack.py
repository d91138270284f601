# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""All that a guest needs to run an entry, except the secrets, which it makes itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from ..errors import SpecError
from .model import Entry
from .options import resolve_environment, resolve_options
from .variables import fill

PORTS = {"http": 80, "https": 443}


def stack_of(entry: Entry, options: Mapping[str, Any], environment: Mapping[str, Any] | None, app: Mapping[str, Any]) -> dict[str, Any]:
    """Put together what role `stack` writes and waits for.

    `app` is the module's result of that name: `name`, `url` (null for an app without web pages) and `address` are read,
    and `timezone` where it is given. Keys of the answer: compose (text), env (for .env), secrets (name -> kind, length,
    immutable), files (path below the app's folder, mode, content), health, images, services, volumes (name -> kind, backup).
    """
    env = {**resolve_options(entry, options), **platform_values(entry, app), **resolve_environment(entry, environment)}
    # Not asdict: it makes values anew by their type, which the types of Ansible's own values refuse.
    health = {**vars(entry.health), "expect": list(entry.health.expect)}
    health["headers"] = {name: fill(text, env) for name, text in entry.health.headers.items()}
    return {
        "compose": entry.compose,
        "env": env,
        "secrets": {
            name: {"kind": secret.kind, "length": secret.length, "immutable": secret.immutable} for name, secret in entry.secrets.items()
        },
        "files": [{"path": f"files/{file.target}", "mode": file.mode, "content": file.content} for file in entry.files],
        "health": health,
        "images": sorted(set(entry.services.values())),
        "services": sorted(entry.services),
        "volumes": {name: {"kind": volume.kind, "backup": volume.backup} for name, volume in entry.volumes.items()},
    }


def platform_values(entry: Entry, app: Mapping[str, Any]) -> dict[str, str]:
    """Spell out where and how the app is reached; see `variables.PLATFORM` for what each means."""
    if not app.get("name"):
        raise SpecError(f"Entry {entry.id}: the stack needs app.name, and app.url or app.address.")
    address = str(app.get("address") or "")
    url = str(app.get("url") or _direct_url(entry, address)).rstrip("/")
    parts = urlsplit(url)
    port = parts.port or PORTS.get(parts.scheme) or (entry.ports[0].port if entry.ports else "")
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname or address
    secure = parts.scheme == "https"
    return {
        "APP_NAME": str(app["name"]),
        "APP_URL": url,
        "APP_SCHEME": parts.scheme,
        "APP_HOST": host,
        "APP_PORT": str(port),
        "APP_AUTHORITY": host if port in ("", PORTS.get(parts.scheme)) else f"{host}:{port}",
        "APP_SECURE": "true" if secure else "false",
        "APP_INSECURE": "false" if secure else "true",
        "APP_ADDRESS": address,
        "TZ": str(app.get("timezone") or "Etc/UTC"),
    }


def _direct_url(entry: Entry, address: str) -> str:
    if not entry.web or not address:
        return ""
    host = f"[{address}]" if ":" in address else address
    default = PORTS[entry.web.scheme] == entry.web.port
    return f"{entry.web.scheme}://{host}" if default else f"{entry.web.scheme}://{host}:{entry.web.port}"
