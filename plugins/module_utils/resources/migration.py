# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Moving containers from node to node."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..api import Client
from .refusals import state_may_have_moved


def observe_migration(client: Client, node: str, vmid: int) -> str:
    """The task that moves a guest off this node right now; empty when there is none."""
    rows = client.get(f"/nodes/{node}/tasks", source="active", vmid=vmid, typefilter="vzmigrate")
    return next((str(row["upid"]) for row in rows if row.get("status", "RUNNING") == "RUNNING"), "")


def migrate_guest(client: Client, node: str, vmid: int, wish: Mapping[str, Any], shutdown_s: int) -> str:
    """A running guest is shut down, moved and started there: containers cannot move otherwise."""
    form: dict[str, Any] = {"target": wish["node"]}
    if wish["running"]:
        form |= {"restart": 1, "timeout": shutdown_s}
    if wish.get("target_storage"):
        form["target-storage"] = wish["target_storage"]
    with state_may_have_moved():
        return str(client.post(f"/nodes/{node}/lxc/{vmid}/migrate", **form))
