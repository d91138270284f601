# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Nodes, storages and the list of all guests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..api import Client
from ..errors import ApiError
from ..model import Cluster, Guest, Node, Storage
from ..wire.tags import parse_tags

MIB = 1024**2


def observe_cluster(client: Client) -> Cluster:
    """Read guests, nodes, storages and pools: without a type, one answer holds them all."""
    rows = client.get("/cluster/resources")
    guests = (_guest(row) for row in rows if row["type"] in ("lxc", "qemu"))
    nodes = (_node(row) for row in rows if row["type"] == "node")
    return Cluster(
        guests={guest.vmid: guest for guest in guests},
        nodes={node.name: node for node in nodes},
        storages=tuple(_storage(row) for row in rows if row["type"] == "storage"),
        pools=frozenset(str(row["pool"]) for row in rows if row["type"] == "pool"),
    )


def observe_templates(client: Client, node: str, storage: str) -> tuple[str, ...]:
    return tuple(str(row["volid"]) for row in client.get(f"/nodes/{node}/storage/{storage}/content", content="vztmpl"))


def observe_bridges(client: Client, node: str) -> tuple[str, ...]:
    return tuple(str(row["iface"]) for row in client.get(f"/nodes/{node}/network", type="any_bridge"))


def observe_taken(client: Client, vmid: int) -> bool:
    """Whether a guest has this number, be it one that this token does not see. Proxmox answers that one is taken by refusing it."""
    try:
        client.get("/cluster/nextid", vmid=vmid)
    except ApiError as error:
        if "vmid" in error.fields:
            return True
        raise
    return False


def _guest(row: Mapping[str, Any]) -> Guest:
    return Guest(
        vmid=int(row["vmid"]),
        node=str(row["node"]),
        kind=str(row["type"]),
        name=str(row.get("name", "")),
        status=str(row.get("status", "unknown")),
        tags=parse_tags(str(row.get("tags", ""))),
        lock=str(row.get("lock", "")),
        template=bool(row.get("template", 0)),
        uptime_s=int(row.get("uptime", 0)),
        memory_used_mb=int(row.get("mem", 0)) // MIB,
    )


def _node(row: Mapping[str, Any]) -> Node:
    online = row.get("status") == "online"
    free = (int(row["maxmem"]) - int(row["mem"])) // MIB if row.get("maxmem") and "mem" in row else None
    total = int(row["maxmem"]) // MIB if free is not None else None
    return Node(str(row["node"]), online, free if online else None, total if online else None)


def _storage(row: Mapping[str, Any]) -> Storage:
    return Storage(
        name=str(row["storage"]),
        node=str(row["node"]),
        content=frozenset(str(row.get("content", "")).split(",")),
        available=row.get("status") == "available",
        free_mb=(int(row.get("maxdisk", 0)) - int(row.get("disk", 0))) // MIB,
        shared=bool(row.get("shared", 0)),
        type=str(row.get("plugintype", "")),
    )
