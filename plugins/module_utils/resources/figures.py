# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Guests, nodes and storages with their figures, as plain data.

Mappings, not dataclasses: of thousands of guests all goes into a result, and an object in between would cost as much as the call.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..api import Client
from ..wire.tags import parse_tags

MIB = 1024**2
Row = dict[str, Any]


@dataclass(frozen=True)
class Figures:
    """What one answer tells of a whole cluster. Guests are containers, machines are virtual.

    Names, status and figures may be ten seconds old.
    """

    guests: tuple[Row, ...] = ()
    machines: tuple[Row, ...] = ()
    nodes: tuple[Row, ...] = ()
    storages: tuple[Row, ...] = ()
    pools: frozenset[str] = frozenset()


def observe_figures(client: Client) -> Figures:
    rows = client.get("/cluster/resources")
    guests = [_guest(row) for row in rows if row["type"] == "lxc"]
    nodes = [_node(row) for row in rows if row["type"] == "node"]
    storages = [_storage(row) for row in rows if row["type"] == "storage"]
    return Figures(
        guests=tuple(sorted(guests, key=lambda row: row["vmid"])),
        machines=tuple(_guest(row) for row in rows if row["type"] == "qemu"),
        nodes=tuple(sorted(nodes, key=lambda row: row["name"])),
        storages=tuple(sorted(storages, key=lambda row: (row["name"], row["node"]))),
        pools=frozenset(str(row["pool"]) for row in rows if row["type"] == "pool"),
    )


def _guest(row: Mapping[str, Any]) -> Row:
    get = row.get
    return {
        "vmid": int(row["vmid"]),
        "name": get("name", ""),
        "node": row["node"],
        "status": get("status", "unknown"),
        "tags": _tags(row["tags"]) if "tags" in row else [],
        "lock": get("lock", ""),
        "pool": get("pool", ""),
        "template": bool(get("template", 0)),
        "uptime_s": get("uptime", 0),
        "usage": {
            "cpu_percent": round(get("cpu", 0) * 100, 1),
            "cores": get("maxcpu", 0),
            "memory_mb": get("mem", 0) // MIB,
            "memory_max_mb": get("maxmem", 0) // MIB,
            "disk_mb": get("disk", 0) // MIB,
            "disk_max_mb": get("maxdisk", 0) // MIB,
        },
    }


def _tags(text: str) -> list[str]:
    """As `parse_tags`, which most tags do not need: Proxmox itself writes them in small letters with `;` between them."""
    plain = text.islower() and "," not in text and " " not in text
    return sorted(text.split(";")) if plain else list(parse_tags(text))


def _node(row: Mapping[str, Any]) -> Row:
    """Figures are None where the token may not see them, or the node is offline."""
    seen = "maxmem" in row and "mem" in row
    return {
        "name": row["node"],
        "online": row.get("status") == "online",
        "cpu_percent": round(row.get("cpu", 0) * 100, 1) if seen else None,
        "cores": row.get("maxcpu") if seen else None,
        "memory_mb": row["mem"] // MIB if seen else None,
        "memory_max_mb": row["maxmem"] // MIB if seen else None,
        "disk_mb": row.get("disk", 0) // MIB if seen else None,
        "disk_max_mb": row.get("maxdisk", 0) // MIB if seen else None,
        "uptime_s": row.get("uptime", 0) if seen else None,
    }


def _storage(row: Mapping[str, Any]) -> Row:
    available = row.get("status") == "available"
    return {
        "name": row["storage"],
        "node": row["node"],
        "type": row.get("plugintype", ""),
        "content": sorted(part for part in str(row.get("content", "")).split(",") if part),
        "shared": bool(row.get("shared", 0)),
        "available": available,
        "used_mb": row.get("disk", 0) // MIB if available else None,
        "size_mb": row.get("maxdisk", 0) // MIB if available else None,
    }
