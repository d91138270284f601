# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots of containers, one function per endpoint. Deeds answer a task's UPID; what is wrong with them, only the task tells."""

from __future__ import annotations

from ..api import Client
from .refusals import state_may_have_moved

CURRENT = "current"
"""How Proxmox lists the guest itself among its snapshots."""


def _path(node: str, vmid: int) -> str:
    return f"/nodes/{node}/lxc/{vmid}"


def observe_snapshots(client: Client, node: str, vmid: int) -> tuple[str, ...]:
    """The names of a guest's snapshots, without those that were begun and never finished."""
    rows = client.get(f"{_path(node, vmid)}/snapshot")
    return tuple(sorted(str(row["name"]) for row in rows if row["name"] != CURRENT and not row.get("snapstate")))


def is_unfinished(client: Client, node: str, vmid: int, name: str) -> bool:
    """Whether a snapshot was begun, or its removal was, and that broke off, as where the node lost power."""
    rows = client.get(f"{_path(node, vmid)}/snapshot")
    return any(row["name"] == name and row.get("snapstate") for row in rows)


def observe_snapshots_possible(client: Client, node: str, vmid: int) -> bool:
    """Whether the storages of all of a guest's disks can take snapshots."""
    return bool(client.get(f"{_path(node, vmid)}/feature", feature="snapshot").get("hasFeature"))


def create_snapshot(client: Client, node: str, vmid: int, name: str, description: str) -> str:
    with state_may_have_moved():
        return str(client.post(f"{_path(node, vmid)}/snapshot", snapname=name, description=description))


def roll_back(client: Client, node: str, vmid: int, name: str) -> str:
    """Take disk and configuration back. The description stays; a running guest ends stopped."""
    with state_may_have_moved():
        return str(client.post(f"{_path(node, vmid)}/snapshot/{name}/rollback"))


def delete_snapshot(client: Client, node: str, vmid: int, name: str, force: bool = False) -> str:
    """With `force` it goes from the configuration, whatever there is of it on disk."""
    with state_may_have_moved():
        return str(client.delete(f"{_path(node, vmid)}/snapshot/{name}", **({"force": 1} if force else {})))
