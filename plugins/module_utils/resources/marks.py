# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Snapshots with the moment of their making."""

from __future__ import annotations

from datetime import UTC, datetime

from ..api import Client

CURRENT = "current"


def observe_marks(client: Client, node: str, vmid: int) -> tuple[tuple[str, datetime], ...]:
    """Name and moment of each snapshot of a guest, of those too that were begun and never finished; the oldest first."""
    rows = client.get(f"/nodes/{node}/lxc/{vmid}/snapshot")
    made = ((str(row["name"]), datetime.fromtimestamp(int(row.get("snaptime") or 0), UTC)) for row in rows if row["name"] != CURRENT)
    return tuple(sorted(made, key=lambda each: each[1]))
