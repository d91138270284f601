"""Nodes: their list, state, networks, figures over time."""

from __future__ import annotations

import math
from typing import Any

from lab.calls.cluster import guest_loads, node_figures, node_load, version
from lab.cluster import RELEASES
from lab.context import Call
from lab.errors import wrong
from lab.registry import Data, answers

SPANS_S = {"hour": 60, "day": 1800, "week": 10_800, "month": 43_200, "year": 604_800, "decade": 604_800 * 10}
"""Seconds between two points of `rrddata`, by time frame."""
POINTS = 70


@answers("GET", "/nodes")
def list_nodes(call: Call) -> Data:
    loads = guest_loads(call.cluster)
    found = [node_figures(call, node, loads) for node in call.cluster.nodes.values()]
    for shown in found:
        shown.pop("cgroup-mode")
        shown["ssl_fingerprint"] = call.cluster.fingerprint
    return found


@answers("GET", "/nodes/{node}")
def node_index(call: Call) -> Data:
    names = ("aplinfo", "lxc", "network", "rrddata", "startall", "status", "stopall", "storage", "tasks", "time", "version", "vzdump")
    return [{"name": name} for name in names]


@answers("GET", "/nodes/{node}/qemu")
def virtual_machines(call: Call) -> Data:
    """The lab has none, but clients ask."""
    return []


@answers("GET", "/nodes/{node}/version")
def node_version(call: Call) -> Data:
    return version(call)


@answers("GET", "/nodes/{node}/time")
def node_time(call: Call) -> Data:
    return {"timezone": "UTC", "time": call.cluster.now(), "localtime": call.cluster.now()}


@answers("GET", "/nodes/{node}/status")
def node_status(call: Call) -> Data:
    node = call.cluster.node(call.node)
    load, kernel = node_load(call.cluster, node, guest_loads(call.cluster)), "6.17.2-1-pve" if call.cluster.major >= 9 else "6.8.12-15-pve"
    full = RELEASES[call.cluster.major][1]
    swap = 2 * 1024**3
    free = node.disk - load["disk"]
    return {
        "uptime": load["uptime"],
        "loadavg": [f"{load['cpu'] * node.cpus * share:.2f}" for share in (1, 0.9, 0.8)],
        "cpu": load["cpu"],
        "wait": 0.001,
        "idle": 0,
        "memory": {"total": node.memory, "used": load["mem"], "free": node.memory - load["mem"], "available": node.memory - load["mem"]},
        "swap": {"total": swap, "used": 0, "free": swap},
        "rootfs": {"total": node.disk, "used": load["disk"], "avail": free, "free": free},
        "ksm": {"shared": 0},
        "cpuinfo": {
            "cpus": node.cpus,
            "cores": node.cpus,
            "sockets": 1,
            "model": "Lab CPU",
            "mhz": "2400.000",
            "hvm": "1",
            "flags": "fpu",
            "user_hz": 100,
        },
        "boot-info": {"mode": "efi", "secureboot": 0},
        "current-kernel": {"sysname": "Linux", "release": kernel, "machine": "x86_64", "version": "#1 SMP PREEMPT_DYNAMIC PMX"},
        "kversion": f"Linux {kernel} #1 SMP PREEMPT_DYNAMIC PMX",
        "pveversion": f"pve-manager/{full}/c5a1b6d2e3f40718",
    }


@answers("GET", "/nodes/{node}/network")
def networks(call: Call) -> Data:
    kind = call.get("type", "any_bridge")
    if kind not in {"any_bridge", "any_local_bridge", "bridge", "include_sdn"}:
        return []
    bridges = call.cluster.node(call.node).bridges
    allowed = [bridge for bridge in bridges if _may_see(call, bridge)] if kind.startswith("any") else bridges
    return [_shown(bridge) for bridge in allowed]


def _may_see(call: Call, bridge: dict[str, Any]) -> bool:
    path = f"/sdn/zones/localnetwork/{bridge['iface']}"
    return call.may(path, "SDN.Audit", "SDN.Use", every=False) or call.may(f"/nodes/{call.node}", "Sys.Audit")


def _shown(bridge: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in bridge.items() if name != "dhcp"}


@answers("GET", "/nodes/{node}/network/{iface}")
def network(call: Call) -> Data:
    for bridge in call.cluster.node(call.node).bridges:
        if bridge["iface"] == call.params["iface"]:
            return {name: value for name, value in _shown(bridge).items() if name != "iface"}
    raise wrong({"iface": "interface does not exist"})


@answers("GET", "/nodes/{node}/rrddata")
def node_rrd(call: Call) -> Data:
    node = call.cluster.node(call.node)
    load = node_load(call.cluster, node, guest_loads(call.cluster))
    return points(call, {"cpu": load["cpu"], "memused": load["mem"]}, {"maxcpu": node.cpus, "memtotal": node.memory})


def points(call: Call, moving: dict[str, float], fixed: dict[str, float]) -> list[dict[str, Any]]:
    """A series in which the moving figures swing around what they are now."""
    step = SPANS_S[call.params["timeframe"]]
    last = call.cluster.now() // step * step
    times = (last - step * back for back in range(POINTS - 1, -1, -1))
    return [
        {"time": time, **fixed, **{name: value * (1 + math.sin(time / step / 5) / 5) for name, value in moving.items()}} for time in times
    ]
