# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The version of a cluster, who of it is there, and what one node tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..api import Client

MIB = 1024**2
LAB_BUILD = "c5a1b6d2e3f40718"
"""The build that the embedded lab answers with; builds of Proxmox are commits."""


def observe_version(client: Client) -> dict[str, Any]:
    answer = client.get("/version")
    return {"release": str(answer["release"]), "full": str(answer["version"]), "lab": answer.get("repoid") == LAB_BUILD}


def observe_quorum(client: Client) -> dict[str, Any]:
    """`answers` is the node that answered. A node that stands alone is a cluster of its own, and always quorate."""
    rows = client.get("/cluster/status")
    whole: Mapping[str, Any] = next((row for row in rows if row["type"] == "cluster"), {})
    nodes = [row for row in rows if row["type"] == "node"]
    return {
        "cluster_name": str(whole.get("name", "")),
        "quorate": bool(whole.get("quorate", 1)),
        "standalone": not whole,
        "answers": next((str(row["name"]) for row in nodes if row.get("local")), ""),
        "addresses": {str(row["name"]): str(row["ip"]) for row in nodes if row.get("ip")},
    }


def observe_node_details(client: Client, node: str) -> dict[str, Any]:
    answer = client.get(f"/nodes/{node}/status")
    root, swap = answer.get("rootfs", {}), answer.get("swap", {})
    return {
        "version": str(answer.get("pveversion", "")).removeprefix("pve-manager/").partition("/")[0],
        "kernel": str(answer.get("current-kernel", {}).get("release", "")),
        "load": [float(each) for each in answer.get("loadavg", ())],
        "swap_mb": int(swap.get("used", 0)) // MIB,
        "swap_max_mb": int(swap.get("total", 0)) // MIB,
        "root_mb": int(root.get("used", 0)) // MIB,
        "root_max_mb": int(root.get("total", 0)) // MIB,
    }
