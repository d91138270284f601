"""Named formats of parameters, with Proxmox's words for what does not fit (pve-common, JSONSchema.pm, and the wire)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

CONTENT = {"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "none", "import"}
AREAS = "Africa|America|Antarctica|Arctic|Asia|Atlantic|Australia|Europe|Indian|Pacific"
UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}
DNS_PART = r"[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?"
REALM = r"[A-Za-z][A-Za-z0-9.\-_]+"
USER = rf"[^\s:/]+@{REALM}"
EMAIL = r"[\w+\-~]+(\.[\w+\-~]+)*@[a-zA-Z0-9.-]+"


class FormatError(Exception):
    """The value does not fit; the text has no line end."""


def split_list(text: str) -> list[str]:
    """The items of a list parameter: split at commas, semicolons, blanks and NUL."""
    return [item for item in re.split(r"[,;\0\s]+", text) if item]


def parse_size(text: str) -> int | None:
    """Bytes of `2G`, `512M`, `0.5G`; None when it is none."""
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    return int(float(parts[1]) * UNITS[parts[2]]) if parts else None


def print_size(size: int) -> str:
    """The size with the largest unit that leaves no remainder: 1G, 1124M, 512."""
    for unit in ("", "K", "M", "G", "T"):
        if size % 1024 or unit == "T" or not size:
            return f"{size}{unit}"
        size //= 1024
    raise AssertionError("unreachable")


def _matches(pattern: str, text: str) -> Callable[[str], None]:
    """A check by pattern; `{}` in the text stands for the value."""

    def check(value: str) -> None:
        if not re.fullmatch(pattern, value):
            raise FormatError(text.format(value))

    return check


def _address(versions: str, text: str) -> Callable[[str], None]:
    def check(value: str) -> None:
        if not _is_address(value, versions):
            raise FormatError(text)

    return check


def _is_address(value: str, versions: str = "46") -> bool:
    try:
        return "%" not in value and str(ipaddress.ip_address(value).version) in versions
    except ValueError:
        return False


def _is_network(value: str, version: int) -> bool:
    address, slash, length = value.partition("/")
    return bool(slash) and length.isdigit() and 7 < int(length) <= (32 if version == 4 else 128) and _is_address(address, str(version))


def _check_ipv4_config(value: str) -> None:
    if value not in {"dhcp", "manual"} and not _is_network(value, 4):
        raise FormatError("value does not look like a valid ipv4 network configuration")


def _check_ipv6_config(value: str) -> None:
    if value not in {"auto", "dhcp", "manual"} and not _is_network(value, 6):
        raise FormatError("value does not look like a valid ipv6 network configuration")


def _check_nameserver(value: str) -> None:
    if value != "host" and not _is_address(value.partition("%")[0]):
        raise FormatError("value does not look like a valid IP address")


def _check_startup(value: str) -> None:
    parts = [part for part in value.split(",") if part.strip()]
    if value in {"", "0"} or not all(re.fullmatch(r"(order=)?\d+|(up|down)=\d+", part) for part in parts):
        raise FormatError("unable to parse startup options")


def _check_size(value: str) -> None:
    if parse_size(value) is None:
        raise FormatError(f"value does not look like a valid disk size: {value}")


def _check_content(value: str) -> None:
    if value not in CONTENT:
        raise FormatError(f"invalid content type '{value}'")


def _check_mount(value: str) -> None:
    if re.search(r"/\.\.?(/|$)|^\.\.?/", value):
        raise FormatError(f"{value} contains illegal character sequences")


def _check_email_opt(value: str) -> None:
    if value and not re.fullmatch(EMAIL, value):
        raise FormatError("value does not look like a valid email address")


def _check_pool(value: str) -> None:
    if value.count("/") > 2:
        raise FormatError(f"pool name '{value}' nested too deeply (max levels = 3)")
    if not re.fullmatch(r"[A-Za-z0-9.\-_]+(/[A-Za-z0-9.\-_]+)*", value):
        raise FormatError(f"pool name '{value}' contains invalid characters")


def _check_storage_pair(value: str) -> None:
    for part in value.split(":", 1):
        if value != "1":
            CHECKS["pve-storage-id"](part)


CHECKS: dict[str, Callable[[str], None]] = {
    "pve-vmid": _matches(r"[1-9][0-9]{2,8}", "value does not look like a valid VM ID"),
    "pve-node": _matches(DNS_PART, "value does not look like a valid node name"),
    "pve-configid": _matches(r"(?i:[a-z][a-z0-9_-]+)", "invalid configuration ID '{}'"),
    "pve-storage-id": _matches(r"(?i:[a-z][a-z0-9\-_.]*[a-z0-9])", "storage ID '{}' contains illegal characters"),
    "pve-volume-id": _matches(r"(?i:[a-z][a-z0-9\-_.]*[a-z0-9]):.+", "unable to parse volume ID '{}'"),
    "pve-storage-content": _check_content,
    "pve-storage-path": _matches(
        r"/[^;,=()]*", "Value does not look like a valid absolute path. These symbols are currently not allowed in path: ;,=()"
    ),
    "pve-iface": _matches(r"(?i:[a-z][a-z0-9_]{1,20}([:.]\d+)?)", "invalid network interface name '{}'"),
    "pve-tag": _matches(r"(?i:[a-z0-9_][a-z0-9_\-+.]*)", "invalid characters in tag"),
    "pve-task-status-type": _matches(r"(?i:ok|error|warning|unknown)", "invalid status '{}'"),
    "pve-startup-order": _check_startup,
    "pve-ct-timezone": _matches(rf"host|UTC|({AREAS})/[A-Za-z_/+-]+", "invalid time zone '{}'"),
    "pve-lxc-mp-string": _check_mount,
    "pve-lxc-dev-string": _matches(r"/dev/.+", "{} is not a device path"),
    "pve-poolid": _check_pool,
    "pve-groupid": _matches(r"[A-Za-z0-9.\-_]+", "group name '{}' contains invalid characters"),
    "pve-roleid": _matches(r"[A-Za-z0-9.\-_]+", "role name '{}' contains invalid characters"),
    "pve-priv": _matches(r"[A-Z]\w+(\.\w+)+", "invalid privilege '{}'"),
    "pve-userid": _matches(USER, "value '{}' does not look like a valid user name"),
    "pve-tokenid": _matches(rf"{USER}!{REALM}", "value '{}' does not look like a valid token ID"),
    "pve-realm": _matches(REALM, "value does not look like a valid realm"),
    "email-opt": _check_email_opt,
    "email-or-username": _matches(rf"{EMAIL}|{USER}", "value does not look like a valid email address or user name"),
    "dns-name": _matches(rf"({DNS_PART}\.)*{DNS_PART}", "value does not look like a valid DNS name"),
    "lxc-ip-with-ll-iface": _check_nameserver,
    "ipv4": _address("4", "value does not look like a valid IPv4 address"),
    "ipv6": _address("6", "value does not look like a valid IPv6 address"),
    "mac-addr": _matches(r"(?i:[a-f0-9][02468ace](:[a-f0-9]{2}){5})", "value does not look like a valid unicast MAC address"),
    "pve-ipv4-config": _check_ipv4_config,
    "pve-ipv6-config": _check_ipv6_config,
    "disk-size": _check_size,
    "storage-pair": _check_storage_pair,
}
"""By name; a name with `-list` checks every item."""


def check_format(name: str, value: str) -> None:
    """Raise FormatError unless the value fits this format, which is none of property strings."""
    if name in CHECKS:
        CHECKS[name](value)
    else:
        for item in split_list(value):
            CHECKS[name.removesuffix("-list")](item)
