"""Snapshots: list, take, roll back, remove; what a container's storage can do."""

from __future__ import annotations

import itertools
import re
from typing import Any

from lab.calls.config import snapshot_config
from lab.calls.create import start_after
from lab.cluster import Cluster
from lab.configs import check_lock, digest_of, written_description
from lab.containers import config_file, holding, set_lock, stop_container
from lab.context import Call
from lab.errors import TaskFailure, refuse
from lab.faces import note_face
from lab.features import guest_can
from lab.guests.runtime import RuntimeFailure
from lab.model import Config, Guest, Snapshot
from lab.quorum import check_writable
from lab.registry import Data, answers
from lab.tasks import Task
from lab.volumes import leave_behind, restore_sizes, volumes_in

RESERVED = {"current", "vzdump"}
OWN = {"lock", "description", "parent", "snapstate", "snaptime"}
"""Options that a snapshot does not take from its container's config, nor gives back to it."""


@answers("GET", "/nodes/{node}/lxc/{vmid}/snapshot")
def list_snapshots(call: Call) -> Data:
    guest = call.guest()
    current = {"name": "current", "description": "You are here!", "digest": digest_of(guest), "running": int(call.cluster.running(guest))}
    return [*map(_shown, guest.snapshots.values()), current | _parent(str(guest.config.get("parent", "")))]


def _shown(snapshot: Snapshot) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": snapshot.name, "snaptime": snapshot.snaptime, "description": snapshot.description}
    state = {"snapstate": snapshot.config["snapstate"]} if "snapstate" in snapshot.config else {}
    return shown | _parent(snapshot.parent) | state


def _parent(name: str) -> dict[str, str]:
    return {"parent": name} if name else {}


@answers("POST", "/nodes/{node}/lxc/{vmid}/snapshot")
def take_snapshot(call: Call) -> Data:
    name = call.params["snapname"]
    if name in RESERVED:
        raise refuse(f"unable to use snapshot name '{name}' (reserved name)")
    return call.start_task("vzsnapshot", call.vmid, lambda task: _take(call, name))


def _take(call: Call, name: str) -> None:
    """The config is locked, not held, while the disks are snapshotted."""
    cluster, node, vmid = call.cluster, call.node, call.vmid
    with cluster.lock:
        guest = config_file(cluster, node, vmid)
        _check_may_take(cluster, guest, name)
        for other in guest.snapshots.values():
            other.parent = "" if other.parent == name else other.parent
        kept = {**_kept(guest.config), "snapstate": "prepare"}
        text = written_description(call.get("description", ""))
        guest.snapshots[name] = Snapshot(name, kept, cluster.now(), text, str(guest.config.get("parent", "")))
        set_lock(cluster, guest, "snapshot")
    try:
        cluster.runtime.snapshot(node, vmid, name)
    except RuntimeFailure:
        with cluster.lock:
            guest.snapshots.pop(name, None)
            set_lock(cluster, guest, "")
        raise
    with cluster.lock:
        del guest.snapshots[name].config["snapstate"]
        guest.config["parent"] = name
        set_lock(cluster, guest, "")


def _check_may_take(cluster: Cluster, guest: Guest, name: str) -> None:
    if guest.config.get("template"):
        raise TaskFailure("you can't take a snapshot if it's a template")
    check_lock(guest)
    if name in guest.snapshots:
        raise TaskFailure(f"snapshot name '{name}' already used")
    if not guest_can(cluster, "snapshot", guest.config):
        raise TaskFailure("snapshot feature is not available")
    check_writable(cluster, guest.node, guest.vmid)


def _kept(config: Config) -> Config:
    return {name: value for name, value in config.items() if name not in OWN and not re.fullmatch(r"unused\d+", name)}


def find_snapshot(guest: Guest, name: str) -> Snapshot:
    if name not in guest.snapshots:
        raise refuse(f"snapshot '{name}' does not exist")
    return guest.snapshots[name]


@answers("GET", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}")
def snapshot_index(call: Call) -> Data:
    return [{"cmd": "rollback"}, {"cmd": "config"}]


@answers("GET", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config")
def read_snapshot_config(call: Call) -> Data:
    return snapshot_config(call.guest(), call.params["snapname"])


@answers("PUT", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/config")
def change_snapshot_config(call: Call) -> Data:
    if "description" not in call.params:
        return None
    guest = config_file(call.cluster, call.node, call.vmid)
    check_lock(guest)
    snapshot = find_snapshot(guest, call.params["snapname"])
    check_writable(call.cluster, call.node, call.vmid)
    snapshot.description = written_description(call.params["description"])
    return None


@answers("DELETE", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}")
def delete_snapshot(call: Call) -> Data:
    return call.start_task("vzdelsnapshot", call.vmid, lambda task: _delete(call, call.params["snapname"]))


def _delete(call: Call, name: str) -> None:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    with cluster.lock:
        snapshot = find_snapshot(cluster.guest(node, vmid), name)
        guest = config_file(cluster, node, vmid)
        check_lock(guest)
        check_writable(cluster, node, vmid)
        set_lock(cluster, guest, "snapshot-delete")
        snapshot.config["snapstate"] = "delete"
    try:
        cluster.runtime.delete_snapshot(node, vmid, name)
    except RuntimeFailure:
        if not call.get("force"):
            raise
    with cluster.lock:
        for other in (each for each in guest.snapshots.values() if each.parent == name):
            other.parent = snapshot.parent
        if guest.config.get("parent") == name:
            del guest.config["parent"]
            guest.config |= _parent(snapshot.parent)
        del guest.snapshots[name]
        for volume in volumes_in(cluster, snapshot.config, unused=False):
            leave_behind(cluster, guest, volume)
        set_lock(cluster, guest, "")


@answers("POST", "/nodes/{node}/lxc/{vmid}/snapshot/{snapname}/rollback", locked=False)
def roll_back(call: Call) -> Data:
    _outlast_starts(call)
    return call.start_task("vzrollback", call.vmid, lambda task: _roll_back(task, call, call.params["snapname"]))


def _outlast_starts(call: Call) -> None:
    """Let the second pass in which the container was started: there it takes longer, and who asks for the tasks `since` this one
    wants the start that follows, not those before."""
    cluster = call.cluster
    with cluster.lock:
        now = cluster.now()
        recent = itertools.takewhile(lambda task: task.starttime >= now, reversed(cluster.tasks.values()))
        started = any((task.type, task.id) == ("vzstart", str(call.vmid)) for task in recent)
    if started and not cluster.clock.frozen:
        cluster.clock.sleep(now + 1.01 - cluster.clock.now())


def _roll_back(task: Task, call: Call, name: str) -> None:
    cluster, node, vmid = call.cluster, call.node, call.vmid
    with holding(cluster, node, vmid, "vzrollback") as guest:
        with cluster.lock:
            snapshot = _check_may_roll_back(cluster, guest, name)
        if cluster.running(guest):
            stop_container(cluster, guest)
        with cluster.lock:
            set_lock(cluster, guest, "rollback")
    try:
        cluster.runtime.rollback(node, vmid, name)
        with cluster.lock:
            _apply(cluster, guest, snapshot)
            note_face(cluster, guest)
        cluster.runtime.apply(node, vmid, dict(guest.config))
    finally:
        with cluster.lock:
            set_lock(cluster, guest, "")
    if call.get("start"):
        start_after(call)


def _check_may_roll_back(cluster: Cluster, guest: Guest, name: str) -> Snapshot:
    if guest.config.get("template"):
        raise TaskFailure("you can't rollback if vm is a template")
    snapshot = find_snapshot(guest, name)
    _check_newest(cluster, guest, snapshot)
    if state := snapshot.config.get("snapstate"):
        raise TaskFailure(f"unable to rollback to incomplete snapshot (snapstate = {state})")
    check_lock(guest)
    check_writable(cluster, guest.node, guest.vmid)
    return snapshot


def _check_newest(cluster: Cluster, guest: Guest, snapshot: Snapshot) -> None:
    """ZFS goes back to the newest snapshot only."""
    newer = [other for other in guest.snapshots.values() if other.snaptime >= snapshot.snaptime and other is not snapshot]
    for volume in volumes_in(cluster, snapshot.config, unused=False):
        storage, _, disk = volume.partition(":")
        if newer and cluster.storages[storage].type == "zfspool":
            raise TaskFailure(f"can't rollback, '{snapshot.name}' is not most recent snapshot on '{disk}'")


def _apply(cluster: Cluster, guest: Guest, snapshot: Snapshot) -> None:
    """The config as of then; description and unused disks stay, disks made since become unused."""
    stays = {name: value for name, value in guest.config.items() if name == "description" or re.fullmatch(r"unused\d+", name)}
    before = volumes_in(cluster, guest.config, unused=False)
    guest.config = {**stays, **_kept(snapshot.config), "parent": snapshot.name}
    guest.pending, guest.pending_delete = {}, []
    restore_sizes(cluster, guest)
    for volume in before:
        leave_behind(cluster, guest, volume)


@answers("GET", "/nodes/{node}/lxc/{vmid}/feature")
def feature(call: Call) -> Data:
    guest, name = call.guest(), call.get("snapname", "")
    config = find_snapshot(guest, name).config if name else guest.config
    return {"hasFeature": int(guest_can(call.cluster, call.params["feature"], config, name))}
