# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Guess an entry from a Compose file: what it says is taken, what it does not say is guessed and stands in `unproven`."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.entries.variables import PLATFORM, used_variables
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import (
    SECRET_NAME,
    SOCKET,
    Published,
    image_parts,
    published_ports,
)

Compose = dict[str, Any]
NOT_WEB = {
    21: "ftp", 22: "ssh", 25: "smtp", 53: "dns", 110: "pop3", 123: "ntp", 143: "imap", 389: "ldap", 465: "smtps", 587: "submission",
    636: "ldaps", 853: "dns-tls", 993: "imaps", 1883: "mqtt", 2222: "ssh", 3306: "mysql", 5432: "postgresql", 5672: "amqp",
    6379: "redis", 8883: "mqtts", 11211: "memcached", 25565: "minecraft", 27017: "mongodb", 51820: "wireguard",
}  # fmt: skip
"""Ports where nobody expects pages, and what to call them."""
TLS_PORTS = (443, 8443, 9443)
KINDS = {
    "db": r"postgres|pgdata|mysql|mariadb|mongo|clickhouse|/data/db$|(^|[-_])(db|database)([-_]|$)",
    "cache": r"cache|redis|valkey|memcached",
    "logs": r"(^|[/_-])logs?([/_-]|$)",
    "models": r"models?|ollama",
    "media": r"media|movies|music|photos|videos|books|downloads|library",
    "config": r"conf(ig)?|/etc/|settings",
}
SOFTWARE_MB, SWAP_MB, DISK_GB = 512, 512, 8
"""What Docker and small services take, for whoever says nothing of it."""
PORT_ROW = re.compile(
    r"(?:(?P<host>\[[0-9a-f:]+\]|(?:[0-9]+\.){3}[0-9]+):)?(?:(?P<out>[0-9]+)(?:-[0-9]+)?:)?"
    r"(?P<into>[0-9]+)(?:-(?P<into_end>[0-9]+))?(?:/(?P<protocol>tcp|udp))?"
)
PORT_DEFAULT = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*:?-([0-9]+)\}")


@dataclass(frozen=True)
class About:
    """What is known of an app besides its Compose file; what is empty is guessed."""

    id: str
    name: str = ""
    version: str = ""
    description: str = ""
    category: str = ""
    tags: tuple[str, ...] = ()
    site: str = ""
    architectures: tuple[str, ...] = ()
    cores: int | None = None
    memory_mb: int | None = None
    disk_gb: int | None = None
    ports: tuple[int, ...] = ()
    notes: tuple[str, ...] = ()


def normalised(compose: Mapping[str, Any]) -> Compose:
    """The same services in the forms that an entry takes: ports as port:port, every volume named and declared."""
    tidy: Compose = copy.deepcopy(dict(compose))
    declared: dict[str, Any] = dict(tidy.get("volumes") or {})
    used: list[str] = []
    for name, service in (tidy.get("services") or {}).items():
        if not isinstance(service, dict):
            continue
        if isinstance(service.get("ports"), list):
            service["ports"] = [port for row in service["ports"] for port in _plain_ports(row)]
        if isinstance(service.get("volumes"), list):
            service["volumes"] = [_named_mount(str(name), row) for row in service["volumes"]]
            used += [source for source in map(mount_source, service["volumes"]) if is_volume(source)]
    if used or "volumes" in tidy:
        tidy["volumes"] = {volume: declared.get(volume) or {} for volume in dict.fromkeys(used)}
    return tidy


def entry_of(about: About, compose: Compose, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The mapping of entry.yml. `known` holds the options and secrets that somebody has worked out already."""
    known = known or {}
    ports = published_ports(compose) + list(_host_ports(about, compose))
    web = _web_port(about, ports)
    options, secrets = _variables(compose, known.get("options") or {}, known.get("secrets") or {})
    entry: dict[str, Any] = {
        "schema": 1,
        "id": about.id,
        "name": about.name or about.id,
        "version": about.version or _version(compose),
        "description": _description(about),
        "category": about.category or "other",
        "tags": list(about.tags),
        "links": {"site": about.site or _image_page(compose)},
        "architectures": list(about.architectures) or ["amd64"],
        "web": _web(web) if web else None,
        "ports": list(_further_ports(web, ports)),
        "volumes": {name: _volume(name, compose) for name in compose.get("volumes") or ()},
        "secrets": secrets,
        "options": options,
        "health": _health(web, ports),
        "resources": _resources(about),
        "requirements": _requirements(compose),
        "notes": list(about.notes),
        "unproven": _unproven(about, compose),
    }
    return {key: value for key, value in entry.items() if value or key == "tags"}


def environment_of(service: Mapping[str, Any]) -> dict[str, Any]:
    """A service's variables, however they are written; one without a value is empty."""
    rows = service.get("environment") or {}
    if isinstance(rows, Mapping):
        return dict(rows)
    return {name: value for name, _equals, value in (str(row).partition("=") for row in rows)}


def mount_source(row: Any) -> str:
    """Where a mount comes from: a volume's name, a path, or nothing for tmpfs."""
    if isinstance(row, Mapping):
        return "" if row.get("type") == "tmpfs" else str(row.get("source") or "")
    return str(row).partition(":")[0]


def mount_target(row: Any) -> str:
    return str(row.get("target") or "") if isinstance(row, Mapping) else str(row).partition(":")[2].partition(":")[0]


def is_volume(source: str) -> bool:
    return bool(source) and not source.startswith((".", "/", "~", "$"))


def text_of(value: Any) -> str:
    """Every word of a structure, for a look at which variables it reads."""
    if isinstance(value, Mapping):
        return "\n".join(text_of(item) for item in value.values())
    if isinstance(value, (list, tuple)):
        return "\n".join(text_of(item) for item in value)
    return "" if value is None else str(value)


def _plain_ports(row: Any) -> Iterator[Any]:
    """Spell out 8080, "8080" and ranges; what cannot be read stays, and is told by whoever checks."""
    if isinstance(row, Mapping):
        yield {**row, "published": row.get("published") or row.get("target")}
        return
    match = PORT_ROW.fullmatch(PORT_DEFAULT.sub(r"\1", str(row)))
    if not match:
        yield row
        return
    into = range(int(match["into"]), int(match["into_end"] or match["into"]) + 1)
    first = int(match["out"] or match["into"])
    before, after = f"{match['host']}:" if match["host"] else "", f"/{match['protocol']}" if match["protocol"] == "udp" else ""
    for offset, target in enumerate(into):
        yield f"{before}{first + offset}:{target}{after}"


def _named_mount(service: str, row: Any) -> Any:
    """A mount without a source is a volume that is lost with its container: it gets a name."""
    if not isinstance(row, str) or ":" in row or not row.startswith("/"):
        return row
    return f"{service}-{row.strip('/').replace('/', '-').lower()}:{row}"


def _host_ports(about: About, compose: Compose) -> Iterator[Published]:
    """On the guest's own network nothing is published; what somebody says of the ports is all there is."""
    for name, service in compose["services"].items():
        if service.get("network_mode") == "host":
            yield from (Published(name, port, "tcp", False) for port in about.ports)
            return


def _web_port(about: About, ports: Sequence[Published]) -> Published | None:
    open_ones = [port for port in ports if port.protocol == "tcp" and not port.local and port.port not in NOT_WEB]
    hinted = {number: place for place, number in enumerate(about.ports)}
    ranked = sorted(open_ones, key=lambda port: (port.port in TLS_PORTS, hinted.get(port.port, len(hinted))))
    return ranked[0] if ranked else None


def _web(port: Published) -> dict[str, Any]:
    return {"service": port.service, "port": port.port, **({"scheme": "https"} if port.port in TLS_PORTS else {})}


def _further_ports(web: Published | None, ports: Sequence[Published]) -> Iterator[dict[str, Any]]:
    seen: set[tuple[str, str]] = set()
    taken = {(web.port, "tcp")} if web else set()
    for port in ports:
        if port.local or (port.port, port.protocol) in taken:
            continue
        name = NOT_WEB.get(port.port, f"port-{port.port}")
        name = f"port-{port.port}" if (name, port.protocol) in seen else name
        seen.add((name, port.protocol))
        taken.add((port.port, port.protocol))
        yield {"name": name, "port": port.port, "protocol": port.protocol}


def _health(web: Published | None, ports: Sequence[Published]) -> dict[str, Any] | None:
    port = web or next((port for port in ports if port.protocol == "tcp"), None)
    return {"type": "tcp", "port": port.port, "start_period_s": 180} if port else None


def _volume(name: str, compose: Compose) -> dict[str, Any]:
    targets = [
        mount_target(row) for service in compose["services"].values() for row in service.get("volumes") or () if mount_source(row) == name
    ]
    words = " ".join([name, *targets]).lower()
    kind = next((kind for kind, pattern in KINDS.items() if any(re.search(pattern, word) for word in words.split())), "data")
    return {"kind": kind, "backup": kind not in ("cache", "logs")}


def _variables(compose: Compose, options: Mapping[str, Any], secrets: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Whoever writes ${NAME} without a default must be given it: a secret by its name, else an option."""
    options, secrets = dict(options), dict(secrets)
    taken = set(secrets) | {option["env"] for option in options.values()} | set(PLATFORM)
    for name, line in used_variables(text_of(compose)).items():
        if not line or name in taken:
            continue
        if SECRET_NAME.search(name):
            secrets[name] = {"kind": "alnum", "length": 32}
        else:
            options[name.lower()] = {"env": name, "type": "string", "help": f"Variable {name} of the Compose file."}
    return options, secrets


def _description(about: About) -> str:
    text = " ".join(about.description.split()) or f"{about.name or about.id}, as its image comes."
    text = text if len(text) >= 20 else f"{about.name or about.id}: {text}"
    text = text if len(text) >= 20 else f"{text}, as its image comes."
    return text if len(text) <= 300 else text[:297].rstrip() + "..."


def _version(compose: Compose) -> str:
    """The tag of the first service's image, without what is no version in it."""
    _name, tag, digest = image_parts(str(next(iter(compose["services"].values())).get("image") or ""))
    found = re.search(r"\d[A-Za-z0-9._+-]*", tag)
    return (found[0] if found else tag or digest[7:19] or "latest")[:63]


def _image_page(compose: Compose) -> str:
    """Where the first image is described: Docker Hub's page of it, or its registry's."""
    name = image_parts(str(next(iter(compose["services"].values())).get("image") or ""))[0] or "unknown"
    first, slash, _rest = name.partition("/")
    if slash and ("." in first or ":" in first):
        return f"https://{name}"
    return f"https://hub.docker.com/{'r/' + name if slash else '_/' + name}"


def _resources(about: About) -> dict[str, Any]:
    memory = max(about.memory_mb or 0, SOFTWARE_MB)
    recommended = {"cores": about.cores or 1, "memory_mb": memory, "swap_mb": SWAP_MB, "disk_gb": max(about.disk_gb or 0, 0) + DISK_GB}
    return {**({"minimum": {"memory_mb": max(about.memory_mb, 64)}} if about.memory_mb else {}), "recommended": recommended}


def _requirements(compose: Compose) -> dict[str, str]:
    found: dict[str, str] = {}
    for service in compose["services"].values():
        devices = text_of(service.get("devices"))
        found |= {"docker_socket": "required"} if any(mount_source(row) == SOCKET for row in service.get("volumes") or ()) else {}
        found |= {"host_network": "required"} if service.get("network_mode") == "host" else {}
        found |= {"tun": "required"} if "/dev/net/tun" in devices else {}
        found |= {"gpu": "optional"} if "/dev/dri" in devices or "nvidia" in text_of(service.get("deploy")) else {}
        if devices.replace("/dev/net/tun", "").replace("/dev/dri", "").strip(": \n"):
            found["devices"] = "required"
    return found


def _unproven(about: About, compose: Compose) -> list[str]:
    given = {"architectures": about.architectures, "category": about.category, "description": about.description, "links.site": about.site}
    guessed = [field for field, value in given.items() if not value] + ["health", "resources", "web"]
    guessed += ["volumes"] if compose.get("volumes") else []
    services = compose["services"].items()
    return sorted(guessed) + [f"compose.services.{name}.healthcheck" for name, service in services if not service.get("healthcheck")]
