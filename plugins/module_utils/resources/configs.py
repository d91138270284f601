# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A container's configuration: Proxmox's spelling <-> ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from ..model import GuestConfig, Network
from ..wire.notes import format_notes, parse_notes
from ..wire.properties import format_properties, parse_properties
from ..wire.sizes import parse_size_mb
from ..wire.tags import format_tags, parse_tags

NETWORK_KEYS = {
    "bridge": "bridge",
    "address": "ip",
    "gateway": "gw",
    "vlan": "tag",
    "mtu": "mtu",
    "firewall": "firewall",
    "link_down": "link_down",
}
CONFIG_KEYS = {
    "hostname": "hostname",
    "cores": "cores",
    "memory_mb": "memory",
    "swap_mb": "swap",
    "network": "net0",
    "nameservers": "nameserver",
    "search_domain": "searchdomain",
    "onboot": "onboot",
    "startup": "startup",
    "protection": "protection",
    "tags": "tags",
    "notes": "description",
}


def parse_config(vmid: int, data: Mapping[str, Any]) -> GuestConfig:
    root = parse_properties(str(data.get("rootfs", "")), "volume")
    return GuestConfig(
        vmid=vmid,
        digest=str(data.get("digest", "")),
        hostname=str(data.get("hostname", "")),
        cores=int(data.get("cores", 0)),
        memory_mb=int(data.get("memory", 512)),
        swap_mb=int(data.get("swap", 512)),
        disk_storage=root.get("volume", "").partition(":")[0],
        disk_mb=parse_size_mb(root.get("size", "0")),
        network=parse_network(str(data.get("net0", ""))),
        more_networks={key: parse_network(str(value)) for key, value in data.items() if re.fullmatch(r"net[1-9]\d*", key)},
        nameservers=tuple(str(data.get("nameserver", "")).split()),
        search_domain=str(data.get("searchdomain", "")),
        onboot=bool(int(data.get("onboot", 0))),
        startup=str(data.get("startup", "")),
        protection=bool(int(data.get("protection", 0))),
        tags=parse_tags(str(data.get("tags", ""))),
        notes=parse_notes(str(data.get("description", ""))),
        lock=str(data.get("lock", "")),
        parent=str(data.get("parent", "")),
        mounts={key: str(value) for key, value in data.items() if re.fullmatch(r"mp\d+", key)},
    )


def parse_pending(vmid: int, rows: Iterable[Mapping[str, Any]]) -> GuestConfig:
    """Read a configuration as it is after the next restart, from rows of `key` and `value`, with `pending` or `delete` where it differs."""
    rows = list(rows)
    after = {str(row["key"]): row.get("pending", row.get("value")) for row in rows if not row.get("delete")}
    waiting = {str(row["key"]) for row in rows if "pending" in row or row.get("delete")}
    return replace(parse_config(vmid, after), pending=tuple(ours for ours, wire in CONFIG_KEYS.items() if wire in waiting))


def parse_network(text: str) -> Network:
    properties = parse_properties(text)
    return Network(
        bridge=properties.get("bridge", ""),
        address=properties.get("ip", ""),
        gateway=properties.get("gw", ""),
        vlan=int(properties.get("tag", 0)),
        mtu=int(properties.get("mtu", 0)),
        firewall=properties.get("firewall", "0") == "1",
        link_down=properties.get("link_down", "0") == "1",
        rest={key: value for key, value in properties.items() if key not in NETWORK_KEYS.values()},
    )


def format_network(network: Network) -> str:
    values = {wire: getattr(network, ours) for ours, wire in NETWORK_KEYS.items()}
    given = {wire: str(int(value) if isinstance(value, bool) else value) for wire, value in values.items() if value}
    return format_properties({"name": "eth0", **network.rest, **given})


def format_config(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Spell out the keys of `changes` that stand in a configuration; what became empty is missing from the answer."""
    spelled = {wire: _format_value(ours, changes[ours]) for ours, wire in CONFIG_KEYS.items() if ours in changes}
    spelled |= {name: format_network(network) for name, network in changes.get("more_networks", {}).items()}
    return {wire: value for wire, value in spelled.items() if value != ""}


def format_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """The form that changes an existing configuration: what became empty is deleted."""
    form = format_config(changes)
    emptied = sorted(wire for ours, wire in CONFIG_KEYS.items() if ours in changes and wire not in form)
    return {**form, "delete": ",".join(emptied)} if emptied else form


def _format_value(key: str, value: Any) -> Any:
    if key == "network":
        return format_network(value)
    if key == "notes":
        return format_notes(value)
    if key == "tags":
        return format_tags(value)
    if key == "nameservers":
        return " ".join(value)
    if key == "cores":
        return value or ""
    return int(value) if isinstance(value, bool) else value
