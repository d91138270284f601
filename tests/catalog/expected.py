"""What must be seen in the guest once an entry runs: by dockerd's own names, worked out from entry and Compose file alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry
from ansible_collections.proximity.platform.plugins.module_utils.entries.variables import fill
from catalog.standins import published


def expected(entry: Entry, env: Mapping[str, str]) -> dict[str, Any]:
    """`env` holds what the options become."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(entry.compose)["services"]
    return {
        "services": {name: _service(entry, service, dict(env)) for name, service in services.items()},
        "secrets": {name: {"kind": secret.kind, "length": secret.length} for name, secret in entry.secrets.items()},
        "volumes": sorted(
            source for service in services.values() for source, _target, _rw in _mounts(service, dict(env)) if _is_volume(source)
        ),
    }


def _service(entry: Entry, service: Mapping[str, Any], env: dict[str, str]) -> dict[str, Any]:
    mounts = {target: [source, writable] for source, target, writable in _mounts(service, env)}
    return {
        "image": service["image"],
        "checked": bool(service.get("healthcheck")),
        "ports": [f"{outside}:{inside}/{protocol}" for outside, inside, protocol in published(service)],
        "mounts": mounts,
        "files": dict(_files(entry, mounts)),
        "configs": [row["target"] if isinstance(row, Mapping) else f"/{row}" for row in service.get("configs") or ()],
    }


def _mounts(service: Mapping[str, Any], env: dict[str, str]) -> Iterator[tuple[str, str, bool]]:
    """(source, target, writable) of each mount; a folder that a user may choose is what the option says."""
    for row in service.get("volumes") or ():
        if isinstance(row, Mapping):
            if row.get("type") != "tmpfs":
                yield fill(str(row["source"]), env), str(row["target"]), not row.get("read_only")
            continue
        source, target, *mode = fill(str(row), env).split(":")
        yield source, target, mode != ["ro"]


def _is_volume(source: str) -> bool:
    return not source.startswith((".", "/"))


def _files(entry: Entry, mounts: Mapping[str, list[Any]]) -> Iterator[tuple[str, str]]:
    """(path in the service, digest) of each file of the entry that the service sees."""
    for target, (source, _writable) in mounts.items():
        inside = source.removeprefix("./files").strip("/") if source.startswith("./files") else None
        for file in entry.files if inside is not None else ():
            digest = hashlib.sha256(file.content.encode()).hexdigest()
            if file.target == inside:
                yield target, digest
            elif not inside or file.target.startswith(f"{inside}/"):
                yield f"{target.rstrip('/')}/{file.target.removeprefix(str(inside)).lstrip('/')}", digest
