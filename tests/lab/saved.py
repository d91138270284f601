"""A cluster's state as plain JSON data, to be written to a file and read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from lab.cluster import Cluster
from lab.guests.simulated import SimulatedRuntime
from lab.model import Face, Grant, Guest, Node, Pool, Snapshot, Storage, Token, User, Volume
from lab.model import Mapping as DirMapping
from lab.tasks import BROKEN_OFF, Task

VERSION = 1
PLAIN = ("name", "major", "groups", "appliances", "backup_jobs", "options", "quorate", "lag_s", "lock_wait_s", "last_pid")
UNSAVED = {"held_by", "stopping", "gone", "cluster", "caught", "steps"}


def dump_cluster(cluster: Cluster) -> dict[str, Any]:
    """Everything but what runs in threads; a task that runs is saved as one that broke off."""
    with cluster.lock:
        states = cluster.runtime.states()
        return {
            "version": VERSION,
            **{name: getattr(cluster, name) for name in PLAIN},
            "nodes": [_plain(node) for node in cluster.nodes.values()],
            "storages": [_plain(storage) for storage in cluster.storages.values()],
            "volumes": [_plain(volume) for volume in cluster.volumes.values()],
            "guests": [_guest_data(guest) for guest in cluster.guests.values()],
            "running": {str(vmid): state.started for vmid, state in states.items() if state.running},
            "tasks": [_plain(task) for task in cluster.tasks.values()],
            "pools": [{**_plain(pool), "vms": sorted(pool.vms), "storages": sorted(pool.storages)} for pool in cluster.pools.values()],
            "users": [_user_data(user) for user in cluster.users.values()],
            "roles": {name: sorted(privileges) for name, privileges in cluster.roles.items()},
            "grants": [_plain(grant) for grant in cluster.grants],
            "mappings": [_plain(mapping) for mapping in cluster.mappings.values()],
        }


def _plain(item: Any) -> dict[str, Any]:
    return {name: value for name, value in vars(item).items() if name not in UNSAVED}


def _guest_data(guest: Guest) -> dict[str, Any]:
    return {**_plain(guest), "snapshots": [_plain(snapshot) for snapshot in guest.snapshots.values()]}


def _user_data(user: User) -> dict[str, Any]:
    return {**_plain(user), "tokens": {id: _plain(token) for id, token in user.tokens.items()}}


def fill_cluster(cluster: Cluster, data: Mapping[str, Any]) -> None:
    """Make the cluster what was saved; the addresses of its nodes stay."""
    if data.get("version") != VERSION:
        raise ValueError(f"saved by another version of the lab: {data.get('version')!r}, not {VERSION}")
    with cluster.lock:
        places = {name: (node.address, node.port) for name, node in cluster.nodes.items()}
        for name in PLAIN:
            setattr(cluster, name, data[name])
        cluster.nodes = {each["name"]: Node(**each) for each in data["nodes"]}
        for name, (address, port) in places.items():
            if name in cluster.nodes:
                cluster.nodes[name].address, cluster.nodes[name].port = address, port
        cluster.storages = {each["id"]: Storage(**each) for each in data["storages"]}
        cluster.volumes = {(each["node"], f"{each['storage']}:{each['name']}"): Volume(**each) for each in data["volumes"]}
        cluster.guests = {each["vmid"]: _guest_from(each) for each in data["guests"]}
        cluster.tasks = {each["upid"]: _task_from(each, cluster) for each in data["tasks"]}
        cluster.pools = {each["id"]: Pool(**{**each, "vms": set(each["vms"]), "storages": set(each["storages"])}) for each in data["pools"]}
        cluster.users = {each["id"]: _user_from(each) for each in data["users"]}
        cluster.roles = {name: set(privileges) for name, privileges in data["roles"].items()}
        cluster.grants = [Grant(**each) for each in data["grants"]]
        cluster.mappings = {each["id"]: DirMapping(**each) for each in data["mappings"]}
        cluster.index_grants()
        _run_again(cluster, {int(vmid): started for vmid, started in data["running"].items()})


def _guest_from(data: Mapping[str, Any]) -> Guest:
    snapshots = {each["name"]: Snapshot(**each) for each in data["snapshots"]}
    return Guest(**{**data, "snapshots": snapshots, "faces": [Face(*face) for face in data["faces"]]})


def _task_from(data: Mapping[str, Any], cluster: Cluster) -> Task:
    task = Task(**data)
    task.cluster = cluster
    if task.running:
        task.endtime, task.exitstatus = cluster.now(), BROKEN_OFF
    return task


def _user_from(data: Mapping[str, Any]) -> User:
    return User(**{**data, "tokens": {id: Token(**token) for id, token in data["tokens"].items()}})


def _run_again(cluster: Cluster, running: Mapping[int, float]) -> None:
    """Simulated guests run on as they did; what becomes of real ones is the business of `lab.reconciled`."""
    if cluster.runtime.kind == "simulated":
        guests = {vmid: (dict(cluster.guests[vmid].config), started) for vmid, started in running.items() if vmid in cluster.guests}
        cast(SimulatedRuntime, cluster.runtime).replace_running(guests)
