"""The cluster as a whole: version, state, resources, the next free id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lab.cluster import RELEASES, Cluster
from lab.context import Call, guest_filter
from lab.disks import used_everywhere
from lab.errors import wrong
from lab.faces import last_round, notice_deaths, shown_face
from lab.model import Face, Guest, Node, Storage
from lab.registry import Data, answers

REPO_ID = "c5a1b6d2e3f40718"
MIB = 1024**2
Loads = dict[str, tuple[int, int]]


@answers("GET", "/version")
def version(call: Call) -> Data:
    release, full = RELEASES[call.cluster.major]
    return {"release": release, "version": full, "repoid": REPO_ID}


@answers("GET", "/cluster")
def cluster_index(call: Call) -> Data:
    return [{"name": name} for name in ("log", "mapping", "nextid", "options", "resources", "status", "tasks")]


@answers("GET", "/cluster/options")
def cluster_options(call: Call) -> Data:
    return dict(call.cluster.options)


@answers("GET", "/cluster/nextid")
def next_id(call: Call) -> Data:
    vmid = call.get("vmid")
    if vmid is None:
        return str(call.cluster.next_id())
    if vmid in call.cluster.guests:
        raise wrong({"vmid": f"VM {vmid} already exists"})
    return str(vmid)


@answers("GET", "/cluster/status")
def cluster_status(call: Call) -> Data:
    cluster = call.cluster
    nodes = [_node_status(call, node) for node in cluster.nodes.values()]
    if cluster.standalone:
        return nodes
    whole = {"type": "cluster", "id": "cluster", "name": cluster.name, "version": len(nodes), "nodes": len(nodes)}
    return [{**whole, "quorate": int(cluster.quorate)}, *nodes]


def _node_status(call: Call, node: Node) -> dict[str, Any]:
    return {
        "type": "node",
        "id": f"node/{node.name}",
        "name": node.name,
        "nodeid": node.nodeid,
        "ip": node.address,
        "local": int(node.name == call.asked),
        "online": int(node.online),
        "level": "",
    }


@answers("GET", "/cluster/resources")
def resources(call: Call) -> Data:
    kind, found = call.get("type"), list[dict[str, Any]]()
    notice_deaths(call.cluster)
    if kind in (None, "vm"):
        found += _guests(call)
    if kind in (None, "node"):
        loads = guest_loads(call.cluster)
        found += [node_figures(call, node, loads) for node in call.cluster.nodes.values()]
    if kind in (None, "storage"):
        found += _storages(call)
    if kind in (None, "sdn"):
        found += _zones(call)
    if kind is None:
        pools = call.cluster.pools.values()
        found += [
            {"id": f"/pool/{pool.id}", "type": "pool", "pool": pool.id} for pool in pools if call.may(f"/pool/{pool.id}", "Pool.Audit")
        ]
    return found


def _guests(call: Call) -> list[dict[str, Any]]:
    cluster, allowed = call.cluster, guest_filter(call, "VM.Audit")
    rounds = {name: last_round(cluster, name) for name in cluster.nodes}
    pools = {vmid: pool.id for pool in cluster.pools.values() if call.may(f"/pool/{pool.id}", "Pool.Audit") for vmid in pool.vms}
    found = []
    for guest in cluster.guests.values():
        if allowed(guest.vmid):
            shown = guest_figures(cluster, guest, rounds[guest.node])
            if guest.vmid in pools:
                shown["pool"] = pools[guest.vmid]
            found.append(shown)
    return found


def guest_figures(cluster: Cluster, guest: Guest, round_time: float) -> dict[str, Any]:
    """A container as the cluster knows it: id, node, template, tags and lock at once, the rest as of the last round."""
    config, vmid = guest.config, guest.vmid
    shown: dict[str, Any] = {"id": f"lxc/{vmid}", "type": "lxc", "vmid": vmid, "node": guest.node, "status": "unknown"}
    face = shown_face(guest, round_time) if cluster.nodes[guest.node].online else None
    if face:
        shown |= _figures(cluster, vmid, face, round_time)
    shown["template"] = int(bool(config.get("template")))
    tags = str(config.get("tags", "")).strip()
    if tags:
        shown["tags"] = tags
    if "lock" in config:
        shown["lock"] = config["lock"]
    return shown


def _figures(cluster: Cluster, vmid: int, face: Face, round_time: float) -> dict[str, Any]:
    """Simulated figures are reckoned here, for thousands of guests at once; real ones are asked for."""
    up = max(1, int(round_time - face.started)) if face.started is not None else 0
    shown: dict[str, Any] = {"name": face.name, "status": "running" if up else "stopped", "uptime": up, "maxcpu": face.cpus}
    shown |= {"maxmem": face.maxmem, "maxdisk": face.maxdisk}
    if cluster.major >= 9:
        shown["memhost"] = 0
    if not up:
        return {**shown, "cpu": 0, "mem": 0, "disk": 0, "netin": 0, "netout": 0, "diskread": 0, "diskwrite": 0}
    usage = cluster.usage_of(cluster.guests[vmid])
    shown |= {"cpu": usage.cpu, "mem": usage.mem, "disk": usage.disk, "netin": usage.netin, "netout": usage.netout}
    shown |= {"memhost": usage.mem} if "memhost" in shown else {}
    return {**shown, "diskread": usage.diskread, "diskwrite": usage.diskwrite}


def node_figures(call: Call, node: Node, loads: Loads) -> dict[str, Any]:
    """A node in lists; its load only for those who may audit it."""
    shown: dict[str, Any] = {"id": f"node/{node.name}", "type": "node", "node": node.name}
    shown |= {"status": "online" if node.online else "offline", "level": "", "cgroup-mode": 2}
    if node.online and call.may(f"/nodes/{node.name}", "Sys.Audit"):
        shown |= node_load(call.cluster, node, loads)
    return shown


def guest_loads(cluster: Cluster) -> Loads:
    """Node -> how many guests run there, and their memory in MiB."""
    found: Loads = {}
    states = cluster.runtime.states()
    for guest in cluster.guests.values():
        if guest.vmid in states and states[guest.vmid].running:
            count, memory = found.get(guest.node, (0, 0))
            found[guest.node] = count + 1, memory + int(guest.config.get("memory", 512))
    return found


def node_load(cluster: Cluster, node: Node, loads: Loads) -> dict[str, Any]:
    """CPUs, memory and disk of a node in bytes, with what its running guests take."""
    count, memory = loads.get(node.name, (0, 0))
    return {
        "maxcpu": node.cpus,
        "cpu": min(0.95, 0.02 + 0.01 * count / node.cpus),
        "maxmem": node.memory,
        "mem": min(node.memory, 1400 * MIB + memory * MIB // 3),
        "maxdisk": node.disk,
        "disk": node.disk // 8,
        "uptime": max(1, int(cluster.clock.now() - node.booted)),
    }


def _storages(call: Call) -> list[dict[str, Any]]:
    cluster, used = call.cluster, used_everywhere(call.cluster)
    allowed = [
        storage
        for storage in cluster.storages.values()
        if call.may(f"/storage/{storage.id}", "Datastore.Audit", "Datastore.AllocateSpace", every=False)
    ]
    return [
        storage_figures(cluster, storage, node, used)
        for storage in allowed
        for node in cluster.nodes.values()
        if not storage.nodes or node.name in storage.nodes
    ]


def storage_figures(cluster: Cluster, storage: Storage, node: Node, used: Mapping[tuple[str, str], int]) -> dict[str, Any]:
    """A storage in lists, on one node; `used` as by `used_everywhere`."""
    ready = node.online and storage.enabled
    shown: dict[str, Any] = {"id": f"storage/{node.name}/{storage.id}", "type": "storage"}
    shown |= {"storage": storage.id, "node": node.name}
    shown |= {"plugintype": storage.type, "content": ",".join(storage.content), "shared": int(storage.shared)}
    shown |= {"status": "available" if ready else "unknown"}
    if ready:
        shown |= {"maxdisk": storage.size, "disk": storage.used + used.get(("" if storage.shared else node.name, storage.id), 0)}
    return shown


def _zones(call: Call) -> list[dict[str, Any]]:
    if not call.may("/sdn/zones/localnetwork", "SDN.Audit", "SDN.Use", every=False):
        return []
    shown = {"type": "sdn", "sdn": "localnetwork", "status": "ok"}
    return [{"id": f"sdn/{name}/localnetwork", "node": name, **shown} for name in call.cluster.nodes]
