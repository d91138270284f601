# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What lies on storages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ..api import Client
from ..wire.times import format_time

MIB = 1024**2


def observe_backups(client: Client, node: str, storage: str) -> list[dict[str, Any]]:
    """List the backups of containers that this token may see there."""
    rows = client.get(f"/nodes/{node}/storage/{storage}/content", content="backup")
    return [
        {
            "volume": str(row["volid"]),
            "storage": storage,
            "vmid": int(row["vmid"]),
            "size_mb": int(row.get("size", 0)) // MIB,
            "time": format_time(datetime.fromtimestamp(int(row.get("ctime", 0)), UTC)),
            "protected": bool(row.get("protected", 0)),
        }
        for row in rows
        if row.get("vmid") and row.get("subtype", "lxc") == "lxc"
    ]
