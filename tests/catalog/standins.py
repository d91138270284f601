"""What the stand-in for each image of an entry has to do, read from its Compose file; and the entry with its images replaced."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import read_yaml

WELL_KNOWN = {"postgres": 5432, "mariadb": 3306, "mysql": 3306, "valkey": 6379, "redis": 6379, "mongo": 27017, "mosquitto": 1883}
"""Part of an image's name -> where such a service listens, which Compose files do not say."""
LOOPBACK_ADDRESS = re.compile(r"(https?)://(?:127\.0\.0\.1|localhost)(?::(\d+))?")
LOOPBACK_PORT = re.compile(r"(?:/dev/tcp/127\.0\.0\.1/|\bport: *)(\d+)")
STARTED = re.compile(r"(?<![\w=./-])(/[\w-]+\.(?:sh|py))\b")
"""A program at the root of an image that an entry's own entrypoint calls."""
SHELLS = ("sh", "/bin/sh")
DELAY_S = 1


@dataclass(frozen=True)
class StandIn:
    """`image` is where it is pushed. `checks` and `programs` are paths that the image must have: the health check, and what starts it."""

    image: str
    stands_for: str
    ports: tuple[int, ...] = ()
    tls: tuple[int, ...] = ()
    needs: tuple[str, ...] = ()
    delay_s: int = 0
    checks: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()

    def environment(self) -> dict[str, str]:
        return {
            "STANDIN_FOR": self.stands_for,
            "STANDIN_PORTS": " ".join(map(str, self.ports)),
            "STANDIN_TLS": " ".join(map(str, self.tls)),
            "STANDIN_NEEDS": " ".join(self.needs),
            "STANDIN_DELAY_S": str(self.delay_s),
        }


def stand_ins(entry: Entry) -> dict[str, StandIn]:
    """One per service."""
    services: dict[str, dict[str, Any]] = yaml.safe_load(entry.compose)["services"]
    tls = {name: _tls_ports(entry, name, service) for name, service in services.items()}
    ports = {name: _ports(name, services) - tls[name] for name in services}
    waited_for = {name for service in services.values() for name in _waits_for(service)}
    return {
        name: StandIn(
            image=f"catalog/{entry.id}-{name}:{image_parts(service['image'])[1] or 'latest'}",
            stands_for=service["image"],
            ports=tuple(sorted(ports[name])),
            tls=tuple(sorted(tls[name])),
            needs=tuple(f"{other}:{min(ports[other])}" for other in _waits_for(service) if ports[other]),
            delay_s=DELAY_S if name in waited_for else 0,
            checks=tuple(_check_programs(service)),
            programs=tuple(_start_programs(service)),
        )
        for name, service in services.items()
    }


def copy_entry(folder: Path, replaced: Mapping[str, StandIn], target: Path) -> None:
    """The same entry with other images; every other line stays as it is."""
    shutil.copytree(folder, target / folder.name)
    text = (folder / "compose.yml").read_text(encoding="utf-8")
    _data, lines = read_yaml(text, "compose.yml")
    rows = text.split("\n")
    for name, stand_in in replaced.items():
        number = lines["services", name, "image"] - 1
        rows[number] = re.sub(r"(\bimage:\s*)[^\s,}]+", rf"\g<1>{stand_in.image}", rows[number])
    (target / folder.name / "compose.yml").write_text("\n".join(rows), encoding="utf-8")


def _ports(name: str, services: Mapping[str, dict[str, Any]]) -> set[int]:
    """Where a service listens: what it publishes, what its kind is known for, what its own check and the other services ask."""
    service = services[name]
    found = {target for _published, target, protocol in published(service) if protocol == "tcp"}
    found |= {port for part, port in WELL_KNOWN.items() if part in service["image"].rpartition("/")[2]}
    check = " ".join(_check_words(service))
    found |= {int(port) if port else 80 for scheme, port in LOOPBACK_ADDRESS.findall(check) if scheme == "http"}
    found |= {int(port) for port in LOOPBACK_PORT.findall(check)}
    others = yaml.safe_dump([{**other, "image": ""} for key, other in services.items() if key != name])
    return found | {int(port) for port in re.findall(rf"(?<![\w.-]){re.escape(name)}:(\d+)\b", others)}


def _tls_ports(entry: Entry, name: str, service: Mapping[str, Any]) -> set[int]:
    """Ports that are spoken to over TLS, by the entry's own word."""
    secure = {entry.web.port} if entry.web and entry.web.scheme == "https" else set()
    secure |= {entry.health.port} if entry.health.scheme == "https" else set()
    found = {target for outside, target, _protocol in published(service) if outside in secure}
    check = " ".join(_check_words(service))
    return found | {int(port) if port else 443 for scheme, port in LOOPBACK_ADDRESS.findall(check) if scheme == "https"}


def published(service: Mapping[str, Any]) -> Iterator[tuple[int, int, str]]:
    """(port in the guest, port in the service, protocol), in the short and the long form."""
    for row in service.get("ports") or ():
        if isinstance(row, Mapping):
            yield int(row["published"]), int(row["target"]), row.get("protocol", "tcp")
            continue
        ports, _slash, protocol = str(row).partition("/")
        outside, _colon, inside = ports.rpartition(":")
        yield int(outside.rpartition(":")[2]), int(inside), protocol or "tcp"


def _waits_for(service: Mapping[str, Any]) -> list[str]:
    needed = service.get("depends_on") or {}
    return [name for name, row in needed.items() if row.get("condition") == "service_healthy"] if isinstance(needed, Mapping) else []


def _check_words(service: Mapping[str, Any]) -> list[str]:
    test = (service.get("healthcheck") or {}).get("test") or []
    return ["CMD-SHELL", test] if isinstance(test, str) else [str(word) for word in test]


def _check_programs(service: Mapping[str, Any]) -> Iterator[str]:
    """The paths of what a health check calls: shells are in the image, and a bare name is looked for on the PATH."""
    words = _check_words(service)
    if words[:1] in (["CMD"], ["CMD-SHELL"]):
        program = words[1].split()[0] if words[0] == "CMD-SHELL" else words[1]
        if program not in SHELLS:
            yield _path(program)


def _start_programs(service: Mapping[str, Any]) -> Iterator[str]:
    entrypoint, command = (_words(service.get(key)) for key in ("entrypoint", "command"))
    if entrypoint and entrypoint[0] not in SHELLS:
        yield _path(entrypoint[0])
    elif entrypoint:
        yield from dict.fromkeys(STARTED.findall(" ".join([*entrypoint, *command])))


def _words(value: str | Sequence[str] | None) -> list[str]:
    return value.split() if isinstance(value, str) else [str(word) for word in value or ()]


def _path(program: str) -> str:
    return f"/usr/local/bin/{program}" if "/" not in program else "/" + program.removeprefix("./").removeprefix("/")
