"""Figures over time, of containers and storages (pve-cluster, RRD.pm)."""

from __future__ import annotations

from lab.calls.nodes import points
from lab.calls.power import live
from lab.context import Call
from lab.disks import used_on
from lab.registry import Data, answers


@answers("GET", "/nodes/{node}/lxc/{vmid}/rrddata")
def guest_rrd(call: Call) -> Data:
    now = live(call.cluster, call.guest())
    moving = {name: float(now[name]) for name in ("cpu", "mem", "disk", "netin", "netout", "diskread", "diskwrite")}
    return points(call, moving, {"maxcpu": now["cpus"], "maxmem": now["maxmem"], "maxdisk": now["maxdisk"]})


@answers("GET", "/nodes/{node}/storage/{storage}/rrddata")
def storage_rrd(call: Call) -> Data:
    storage = call.cluster.storage_on(call.params["storage"], call.node)
    return points(call, {}, {"total": storage.size, "used": used_on(call.cluster, storage, call.node)})
