"""Apps in whatever state a test needs, put into the lab's own state: what Proxmox would show of them, record included."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import lab as labs
from ansible_collections.proximity.platform.plugins.module_utils.model import Lease, Notes, Record
from ansible_collections.proximity.platform.plugins.module_utils.planner.records import tags_of
from ansible_collections.proximity.platform.plugins.module_utils.wire.notes import format_notes
from ansible_collections.proximity.platform.plugins.module_utils.wire.tags import format_tags
from lab.seeding import plant_guest


def ago(**span: float) -> datetime:
    return datetime.now(UTC).replace(microsecond=0) - timedelta(**span)


def lease_of(minutes: float, run: str = "elsewhere:1:1") -> Lease:
    """A lease of another machine that holds for so long from now; of the past where it is negative."""
    return Lease("them@there", run, ago(minutes=-minutes))


def plant_app(
    lab: labs.Lab,
    vmid: int,
    name: str,
    node: str = "pve1",
    running: bool = True,
    config: dict[str, Any] | None = None,
    storage: str = "local-lxc",
    **record: Any,
) -> Record:
    """An app of entry `hello` that runs, unless said otherwise."""
    planted = Record(
        app=str(vmid),
        vmid=vmid,
        name=name,
        entry="hello",
        entry_version="1.0.0",
        status="running",
        changed=ago(days=1),
        revision="aaaaaaaaaa",
        wanted="aaaaaaaaaa",
        ports={"public": vmid, "internal": vmid + 1000},
        nonce="n",
    )
    planted = replace(planted, **record)
    options = {
        "hostname": name,
        "net0": "name=eth0,bridge=vmbr0,ip=dhcp",
        "memory": 256,
        "swap": 0,
        "cores": 1,
        "onboot": 1,
        "tags": format_tags(tags_of(planted, ())),
        "description": format_notes(Notes(summary=("planted",), record=planted)),
        **(config or {}),
    }
    plant_guest(lab.cluster, vmid, node, storage, 2, options, running=running)
    return planted
