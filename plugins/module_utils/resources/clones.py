# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Copies of containers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..api import Client
from .configs import format_config
from .refusals import state_may_have_moved


def observe_links_possible(client: Client, node: str, vmid: int) -> bool:
    """Whether the storages of all of a guest's disks can make linked clones of them."""
    return bool(client.get(f"/nodes/{node}/lxc/{vmid}/feature", feature="clone").get("hasFeature"))


def clone_guest(client: Client, node: str, vmid: int, wish: Mapping[str, Any]) -> str:
    """Copy `wish.source` to the number `vmid`. Hostname and notes, and so the record, are the new guest's own from the first write."""
    form = {
        "newid": vmid,
        "full": int(wish["full"]),
        **format_config({"hostname": wish["hostname"], "notes": wish["notes"]}),
        **{spelled: wish[key] for key, spelled in (("snapshot", "snapname"), ("storage", "storage"), ("pool", "pool")) if wish[key]},
    }
    with state_may_have_moved():
        return str(client.post(f"/nodes/{node}/lxc/{wish['source']}/clone", **form))
