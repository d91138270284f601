# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What compose.yml says: the facts an entry is checked against, and the rules of the house."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.proximity.platform.plugins.module_utils.entries.model import Entry
from ansible_collections.proximity.platform.plugins.module_utils.entries.validate import Problem, nearest

LOOPBACK = ("127.0.0.1", "[::1]", "::1")
SOCKET = "/var/run/docker.sock"
PUBLISHED = re.compile(
    r"(?:(?P<host>\[[0-9a-f:]+\]|(?:[0-9]+\.){3}[0-9]+|\$\{[A-Z_]+\}):)?"
    r"(?P<published>[0-9]+):(?P<target>[0-9]+)(?:/(?P<protocol>tcp|udp))?"
)
IMAGE = re.compile(r"(?P<name>[^@\s]+?)(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?")
MOVING_TAGS = ("latest", "stable", "main", "master", "edge", "nightly", "release", "develop")
SECRET_NAME = re.compile(
    r"(PASSWORD|PASSWD|PASSPHRASE|PASS|SECRET|SECRET_KEY|SECRET_KEY_BASE|TOKEN|API_KEY|APP_KEY|ENCRYPTION_KEY|MASTER_KEY|PRIVATE_KEY|SALT)$",
    re.IGNORECASE,
)


class Mount(NamedTuple):
    """A mount of a service, by default; `chosen` when a user decides the source."""

    service: str
    source: str
    target: str
    chosen: bool


class Published(NamedTuple):
    """A port of a service as the guest offers it; `local` when only the guest itself reaches it."""

    service: str
    port: int
    protocol: str
    local: bool


def service_images(compose: Any) -> dict[str, str]:
    """Map each service to its image, as far as the file tells."""
    services = compose.get("services") if isinstance(compose, Mapping) else None
    named = services.items() if isinstance(services, Mapping) else ()
    return {str(name): str(row.get("image", "")) for name, row in named if isinstance(row, Mapping)}


def check_shape(compose: Any) -> list[Problem]:
    """List what keeps compose.yml from being read at all; paths begin with "compose", as in all that follows."""
    return list(_shape(compose))


def check_compose(entry: Entry, compose: Mapping[str, Any]) -> list[Problem]:
    """List what in compose.yml contradicts entry.yml; its shape has been checked."""
    return [*_ports(entry, compose), *_volumes(entry, compose), *_mounts(entry, compose), *_tags(entry, compose)]


def check_rules(entry: Entry, compose: Mapping[str, Any]) -> list[Problem]:
    """List what the catalog's own entries must not do; in a custom catalog it is advice."""
    found: list[Problem] = []
    for name, service in compose["services"].items():
        path = ("compose", "services", name)
        found += [*_image_rules(path, service), *_safety_rules(entry, path, service), *_care_rules(entry, path, service)]
    found += _folder_rules(entry, compose)
    if "version" in compose:
        found.append(Problem(("compose", "version"), "is obsolete; leave it out"))
    return found


def published_ports(compose: Mapping[str, Any]) -> list[Published]:
    """List the ports that Compose publishes; what cannot be read is left out."""
    return [port for port in (_published(name, row) for name, row in _port_rows(compose)) if port]


def _shape(compose: Any) -> Iterator[Problem]:
    if not isinstance(compose, Mapping) or not isinstance(compose.get("services"), Mapping) or not compose["services"]:
        yield Problem(("compose", "services"), "expected a mapping of services")
        return
    for name, service in compose["services"].items():
        yield from _service_shape(("compose", "services", str(name)), service)


def _service_shape(path: tuple[str, ...], service: Any) -> Iterator[Problem]:
    if not isinstance(service, Mapping):
        yield Problem(path, "expected a mapping")
        return
    if not isinstance(service.get("image"), str):
        yield Problem(path, "'image' is missing; a service runs a published image")
    if "build" in service:
        yield Problem((*path, "build"), "a service runs a published image, and is not built in the guest")
    for key, kind, word in (("ports", list, "a list"), ("volumes", list, "a list"), ("logging", dict, "a mapping")):
        if not isinstance(service.get(key) or kind(), kind):
            yield Problem((*path, key), f"expected {word}")
    ports = service.get("ports")
    for row in ports if isinstance(ports, list) else ():
        if _published("", row) is None:
            yield Problem((*path, "ports"), f"'{row}' is not of the form port:port, with /udp or an address before it")


def _port_rows(compose: Mapping[str, Any]) -> list[tuple[str, Any]]:
    return [(name, row) for name, service in compose["services"].items() for row in service.get("ports") or ()]


def _published(service: str, row: Any) -> Published | None:
    if isinstance(row, Mapping):
        port, protocol, host = str(row.get("published", "")), str(row.get("protocol", "tcp")), str(row.get("host_ip", ""))
        return Published(service, int(port), protocol, host in LOOPBACK) if port.isdecimal() else None
    match = PUBLISHED.fullmatch(str(row))
    return Published(service, int(match["published"]), match["protocol"] or "tcp", match["host"] in LOOPBACK) if match else None


def _ports(entry: Entry, compose: Mapping[str, Any]) -> Iterator[Problem]:
    if any(service.get("network_mode") == "host" for service in compose["services"].values()):
        return  # what it opens is not in the file
    ports, web, probed = published_ports(compose), entry.web, entry.health.port
    offered = {(port.port, port.protocol): port.service for port in ports if not port.local}
    declared = {(port.port, port.protocol) for port in entry.ports}
    if web:
        declared.add((web.port, "tcp"))
        if web.service in compose["services"] and Published(web.service, web.port, "tcp", False) not in ports:
            yield Problem(("web", "port"), f"compose.yml does not publish {web.port} from service {web.service}")
    for number, port in enumerate(entry.ports):
        if (port.port, port.protocol) not in offered:
            yield Problem(("ports", number), f"compose.yml does not publish {port.port}/{port.protocol}")
    for key in sorted(set(offered) - declared):
        path = ("compose", "services", offered[key], "ports")
        yield Problem(path, f"{key[0]}/{key[1]} is published, but is neither web.port nor in ports of entry.yml")
    if (probed, "tcp") not in {(port.port, port.protocol) for port in ports}:
        yield Problem(("health", "port"), f"compose.yml does not publish {probed}; 127.0.0.1:{probed}:{probed} is enough")


def _volumes(entry: Entry, compose: Mapping[str, Any]) -> Iterator[Problem]:
    declared = set(compose.get("volumes") or ())
    used = {mount.source for mount in _mounted(entry, compose) if not mount.source.startswith((".", "/", "$"))}
    for name in sorted(used - declared):
        yield Problem(("compose", "volumes"), f"{name} is used by a service, but not declared at the end of the file")
    for name in sorted(declared - used):
        yield Problem(("compose", "volumes", name), "is declared, but no service uses it")
    for name in sorted(declared - set(entry.volumes)):
        yield Problem(("compose", "volumes", name), "is not described in volumes of entry.yml; say its kind and whether a backup needs it")
    for name in sorted(set(entry.volumes) - declared):
        yield Problem(("volumes", name), f"compose.yml declares no such volume; {nearest(name, sorted(declared))}")


def _mounts(entry: Entry, compose: Mapping[str, Any]) -> Iterator[Problem]:
    """A mount has a name or a place of its own, is a file of the entry, or the socket where that is declared."""
    targets = [file.target for file in entry.files]
    for name, source, target, _chosen in _mounted(entry, compose):
        path = ("compose", "services", name, "volumes")
        if not target:
            yield Problem(path, f"'{source}' has no name; a volume without a name is lost with its container")
        elif source == SOCKET:
            if "docker_socket" not in entry.requirements:
                yield Problem(path, "mounts Docker's socket; say so in requirements.docker_socket of entry.yml")
        elif source.startswith("./files"):
            inside = source.removeprefix("./files").strip("/")
            if not any(file == inside or not inside or file.startswith(inside + "/") for file in targets):
                yield Problem(path, f"{source} is not among files of entry.yml")


def _mounted(entry: Entry, compose: Mapping[str, Any]) -> Iterator[Mount]:
    """Yield every mount; a variable stands for its default."""
    defaults = {option.env: str(option.default or "") for option in entry.options.values()}
    for name, service in compose["services"].items():
        for row in service.get("volumes") or ():
            if isinstance(row, Mapping):
                if row.get("type") != "tmpfs":
                    source = str(row.get("source", ""))
                    yield Mount(name, _default(source, defaults), str(row.get("target", "")), source.startswith("${"))
                continue
            source, _colon, rest = _default(str(row), defaults).partition(":")
            yield Mount(name, source, rest.partition(":")[0], str(row).startswith("${"))


def _default(text: str, defaults: Mapping[str, str]) -> str:
    return re.sub(r"\$\{([A-Z][A-Z0-9_]*)(?::?-([^}]*))?\}", lambda match: defaults.get(match[1]) or match[2] or match[0], text)


def _tags(entry: Entry, compose: Mapping[str, Any]) -> Iterator[Problem]:
    patterns = entry.updates.get("tags", {})
    for name, pattern in patterns.items() if isinstance(patterns, Mapping) else ():
        tag = image_parts(compose["services"].get(name, {}).get("image", ""))[1]
        try:
            fits = re.search(pattern, tag)
        except re.error as error:
            yield Problem(("updates", "tags", name), f"is no regular expression: {error}")
            continue
        if not fits:
            yield Problem(("updates", "tags", name), f"{pattern} does not match the pinned tag {tag}")


def image_parts(image: str) -> tuple[str, str, str]:
    """Split an image into name, tag and digest; what is not there is empty."""
    match = IMAGE.fullmatch(image)
    return (match["name"], match["tag"] or "", match["digest"] or "") if match else (image, "", "")


def _image_rules(path: tuple[str, ...], service: Mapping[str, Any]) -> Iterator[Problem]:
    _name, tag, digest = image_parts(service["image"])
    if "$" in service["image"]:
        yield Problem((*path, "image"), "holds a variable; the revision would not tell what runs")
    elif (not tag or tag in MOVING_TAGS) and not digest:
        yield Problem((*path, "image"), f"{service['image']} moves; pin a version, or a digest where there is none")


def _safety_rules(entry: Entry, path: tuple[str, ...], service: Mapping[str, Any]) -> Iterator[Problem]:
    for key in ("privileged", "cgroup_parent", "pid", "ipc", "userns_mode", "security_opt"):
        if service.get(key):
            yield Problem((*path, key), "takes the walls down between the app and its guest; leave it out")
    if service.get("network_mode") == "host" and entry.requirements.get("host_network") != "required":
        yield Problem((*path, "network_mode"), "host needs requirements.host_network: required in entry.yml")
    if service.get("ulimits"):
        yield Problem(
            (*path, "ulimits"), "an unprivileged container may be refused a higher limit, and the service does not start; leave it out"
        )
    if service.get("devices") and not {"devices", "gpu", "tun"} & set(entry.requirements):
        yield Problem((*path, "devices"), "say so in requirements of entry.yml")
    for row in service.get("devices") or ():
        outside, _colon, inside = str(row).partition(":")
        if inside and inside.partition(":")[0] != outside:
            yield Problem((*path, "devices"), f"{row}: in an unprivileged container a device keeps its path; write {outside}:{outside}")
    environment = service.get("environment") or {}
    rows = environment.items() if isinstance(environment, Mapping) else (str(row).partition("=")[::2] for row in environment)
    for name, value in rows:
        if SECRET_NAME.search(str(name)) and value not in (None, "") and "${" not in str(value):
            yield Problem((*path, "environment", str(name)), "looks like a secret in plain text; declare it in secrets of entry.yml")


def _folder_rules(entry: Entry, compose: Mapping[str, Any]) -> Iterator[Problem]:
    for name, source, _target, chosen in _mounted(entry, compose):
        if source.startswith(("/", ".")) and not source.startswith("./files") and source != SOCKET and not chosen:
            path = ("compose", "services", name, "volumes")
            yield Problem(path, f"{source} is a folder of the guest; use a named volume, ./files/..., or a variable that a user may set")


def _care_rules(entry: Entry, path: tuple[str, ...], service: Mapping[str, Any]) -> Iterator[Problem]:
    if service.get("restart") != "unless-stopped":
        yield Problem(path, "expected restart: unless-stopped")
    logging = service.get("logging") or {}
    if logging.get("driver") != "json-file" or not {"max-size", "max-file"} <= set(logging.get("options") or ()):
        yield Problem(path, "expected logging with driver json-file and options max-size and max-file, or the disk fills up")
    check = service.get("healthcheck")
    if not check and ".".join((*path, "healthcheck")) not in entry.unproven:
        yield Problem(path, f"expected a healthcheck, or {'.'.join((*path, 'healthcheck'))} in unproven of entry.yml")
    if isinstance(check, Mapping) and "interval" in check and not {"start_period", "start_interval"} <= set(check):
        yield Problem(
            (*path, "healthcheck"), "expected start_period and start_interval, or Docker asks for the first time after a whole interval"
        )
