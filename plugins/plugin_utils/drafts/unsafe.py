# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Find what is unsafe in a Compose file of somebody else, and mend what can be mended without changing what the app does."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from ansible_collections.proximity.platform.plugins.module_utils.entries.validate import Path, dotted
from ansible_collections.proximity.platform.plugins.module_utils.entries.variables import PLATFORM, is_taken
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import MOVING_TAGS, SECRET_NAME, SOCKET, image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.guess import (
    Compose,
    environment_of,
    is_volume,
    mount_source,
    mount_target,
    text_of,
)

STARTING = {"start_period": "120s", "start_interval": "5s"}
LOGGING = {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}
CLOCK_FILES = ("/etc/localtime", "/etc/timezone")
OBSOLETE = {"container_name": "collides with a second app of this kind", "links": "services find each other by name already"}
NOT_SECRET = re.compile(r"(?i)true|false|yes|no|on|off|none|null|[0-9]{0,4}")
SHORT_SECRET = 8
"""A value shorter than this may stand in a command or an address for something else."""


class Finding(NamedTuple):
    """One thing that is unsafe: of which kind, where in the Compose file, in one sentence, and whether it has been mended."""

    kind: str
    place: Path
    text: str
    mended: bool = False

    def __str__(self) -> str:
        return f"{dotted(self.place)}: {self.text}"


def mend(
    compose: Compose, ports: tuple[int, ...] = (), environment: Mapping[str, Any] | None = None
) -> tuple[list[Finding], dict[str, Any]]:
    """Mend `compose` in place; returns what was found, and the options and secrets that took the place of literal values.

    `ports` is what the app is known to listen on, `environment` what its user was meant to change.
    """
    found: list[Finding] = []
    if compose.pop("version", None) is not None:
        found.append(Finding("obsolete", ("version",), "Compose does not read it any more; left out", True))
    for name, service in compose["services"].items():
        place = ("services", name)
        found += [*_care(place, service), *_host_network(place, service, ports), *_folders(name, service, compose)]
    secrets: dict[str, Any] = {}
    found += _secrets(compose, secrets)
    options: dict[str, Any] = {}
    found += _environment(compose, environment or {}, options, set(secrets))
    return found, {"options": options, "secrets": secrets}


def unsafe(compose: Compose) -> list[Finding]:
    """What is unsafe, and stays as it is until a person decides."""
    return [finding for name, service in compose["services"].items() for finding in _unsafe(("services", name), service)]


def _unsafe(place: Path, service: Mapping[str, Any]) -> Iterator[Finding]:
    image = str(service.get("image") or "")
    _name, tag, digest = image_parts(image)
    if (not tag or tag in MOVING_TAGS) and not digest:
        yield Finding("latest", (*place, "image"), f"{image} moves: what runs tomorrow is not what was tried today; pin a version")
    if service.get("privileged"):
        yield Finding(
            "privileged", (*place, "privileged"), "the service is root of the guest; leave it out, or give the capability it needs"
        )
    if service.get("network_mode") == "host":
        yield Finding(
            "host_network", (*place, "network_mode"), "the service opens every port of the guest; publish the ports that it needs"
        )
    for key in ("pid", "ipc", "userns_mode", "cgroup_parent", "security_opt", "cap_add"):
        if service.get(key):
            yield Finding(
                "walls", (*place, key), f"{text_of(service[key]).replace(chr(10), ', ')} weakens the walls of the service; is it needed?"
            )
    for row in service.get("volumes") or ():
        source = mount_source(row)
        if source == SOCKET:
            yield Finding("docker_socket", (*place, "volumes"), "Docker's socket is as good as root in the guest")
        elif source.startswith(("/", "~", "$")):
            yield Finding("guest_folder", (*place, "volumes"), f"{source} is a place of the guest, which backups and moves do not know of")
    for row in service.get("devices") or ():
        yield Finding("device", (*place, "devices"), f"{text_of(row)} has to be passed through to the container")
    if "build" in service:
        yield Finding("build", (*place, "build"), "a service runs a published image, and is not built in the guest")
    for name, value in environment_of(service).items():
        if re.search(r"(?i)://(localhost|127\.0\.0\.1)[:/]", str(value)):
            yield Finding(
                "address", (*place, "environment", name), f"{value} is true on one machine only; ${{APP_URL}} is the app's address"
            )


def _care(place: Path, service: dict[str, Any]) -> Iterator[Finding]:
    for key, why in OBSOLETE.items():
        if service.pop(key, None) is not None:
            yield Finding("obsolete", (*place, key), f"{why}; left out", True)
    if service.get("restart") != "unless-stopped":
        service["restart"] = "unless-stopped"
        yield Finding("restart", (*place, "restart"), "set to unless-stopped", True)
    options = (service.get("logging") or {}).get("options") or {}
    if not {"max-size", "max-file"} <= set(options):
        service["logging"] = LOGGING
        yield Finding("logs", (*place, "logging"), "had no limit, and fills the disk; limited to 3 files of 10 MB", True)
    check = service.get("healthcheck")
    if isinstance(check, dict) and check.get("test") and not set(STARTING) <= set(check):
        service["healthcheck"] = {**check, **{key: value for key, value in STARTING.items() if key not in check}}
        yield Finding("health_check", (*place, "healthcheck"), "is asked often while the service starts, and waited for", True)


def _host_network(place: Path, service: dict[str, Any], ports: tuple[int, ...]) -> Iterator[Finding]:
    if service.get("network_mode") == "host" and ports:
        del service["network_mode"]
        service["ports"] = [f"{port}:{port}" for port in ports]
        told = ", ".join(map(str, ports))
        text = (
            f"the guest's own network was replaced by the ports {told}; an app that looks for devices around it may need network_mode: host"
        )
        yield Finding("host_network", (*place, "network_mode"), text, True)


def _folders(name: str, service: dict[str, Any], compose: Compose) -> Iterator[Finding]:
    """The clock's files become TZ, folders beside the Compose file become volumes."""
    rows = []
    for row in service.get("volumes") or ():
        source, target = mount_source(row), mount_target(row)
        if source in CLOCK_FILES:
            service["environment"] = {**environment_of(service), "TZ": "${TZ}"}
            yield Finding("guest_folder", ("services", name, "volumes"), f"{source} was replaced by the variable TZ", True)
            continue
        if source.startswith("./") and source.strip("./") and isinstance(row, str):
            volume = re.sub(r"[^a-z0-9_-]+", "-", source.strip("./").lower()).strip("-") or f"{name}-data"
            compose["volumes"] = {**(compose.get("volumes") or {}), volume: {}}
            row = ":".join([volume, target, *str(row).split(":")[2:]])
            yield Finding("guest_folder", ("services", name, "volumes"), f"{source} was replaced by the volume {volume}", True)
        rows.append(row)
    if rows or service.get("volumes"):
        service["volumes"] = rows
        if not rows:
            del service["volumes"]
    if compose.get("volumes"):
        used = {mount_source(row) for each in compose["services"].values() for row in each.get("volumes") or ()}
        compose["volumes"] = {volume: row for volume, row in compose["volumes"].items() if volume in used and is_volume(volume)}


def _is_literal_secret(name: str, value: Any) -> bool:
    text = "" if value is None else str(value)
    return bool(SECRET_NAME.search(name)) and "$" not in text and not NOT_SECRET.fullmatch(text)


def _secrets(compose: Compose, secrets: dict[str, Any]) -> Iterator[Finding]:
    """Each literal secret becomes a variable of its own; where services share the value, they share the variable."""
    names: dict[str, str] = {}
    for service_name, service in compose["services"].items():
        environment = environment_of(service)
        for name, value in environment.items():
            if _is_literal_secret(name, value):
                variable = names.setdefault(str(value), _variable(name, set(names.values())))
                secrets[variable] = _secret(str(value))
                environment[name] = f"${{{variable}}}"
                text = f"a secret in plain text was replaced by ${{{variable}}}, which is generated in the guest"
                yield Finding("secret", ("services", service_name, "environment", name), text, True)
        if environment:
            service["environment"] = environment
    for service_name, service in compose["services"].items():
        for key in ("environment", "command", "healthcheck"):
            changed = _filled(service.get(key), names)
            if changed != service.get(key):
                service[key] = changed
                yield Finding("secret", ("services", service_name, key), "a copy of the secret was replaced too", True)


def _filled(value: Any, names: Mapping[str, str]) -> Any:
    """Put variables in the place of secrets within addresses and commands."""
    if isinstance(value, Mapping):
        return {key: _filled(item, names) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, names) for item in value]
    if not isinstance(value, str):
        return value
    for secret, variable in names.items():
        value = re.sub(rf"(://[^:/@\s]*:){re.escape(secret)}@", rf"\g<1>${{{variable}}}@", value)
        if len(secret) >= SHORT_SECRET:
            value = re.sub(rf"(?<![\w-]){re.escape(secret)}(?![\w-])", f"${{{variable}}}", value)
    return value


def _variable(name: str, taken: set[str]) -> str:
    upper = re.sub(r"[^A-Z0-9_]", "_", name.upper()).lstrip("_0123456789") or "SECRET"
    upper = f"APP_{upper}" if is_taken(upper) or upper in PLATFORM else upper
    return next(word for word in (upper, *(f"{upper}_{number}" for number in range(2, 100))) if word not in taken)


def _secret(value: str) -> dict[str, Any]:
    if value.startswith("base64:"):
        return {"kind": "laravel_key", "length": 32}
    if re.fullmatch(r"[0-9a-f]{32,256}", value):
        return {"kind": "hex", "length": len(value)}
    return {"kind": "alnum", "length": 32}


def _environment(compose: Compose, wanted: Mapping[str, Any], options: dict[str, Any], secrets: set[str]) -> Iterator[Finding]:
    """What a user was meant to change becomes an option; the time zone comes from the platform."""
    for service_name, service in compose["services"].items():
        environment = environment_of(service)
        for name, value in environment.items():
            if name == "TZ" and value != "${TZ}":
                environment[name] = "${TZ}"
                yield Finding("time_zone", ("services", service_name, "environment", name), f"{value} was replaced by ${{TZ}}", True)
            elif name in wanted and _may_be_option(name, value, secrets):
                options[name.lower()] = {
                    "env": name,
                    "type": "string",
                    "default": str(value),
                    "help": f"Variable {name} of the service {service_name}.",
                }
                environment[name] = f"${{{name}}}"
        if environment:
            service["environment"] = environment


def _may_be_option(name: str, value: Any, secrets: set[str]) -> bool:
    text = "" if value is None else str(value)
    plain = re.fullmatch(r"[A-Z][A-Z0-9_]{0,37}", name) and not re.search(r"[\x00-\x1f$]", text)
    return bool(plain) and not is_taken(name) and name not in PLATFORM and name not in secrets
