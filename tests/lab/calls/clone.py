"""Clone a container, with full copies of its disks or linked ones; turn it into a template."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from lab.cluster import Cluster
from lab.config_rights import check_bridge
from lab.configs import check_lock, written_description, written_network
from lab.containers import config_file, holding, set_lock
from lab.context import Call
from lab.disks import MOUNTS, find_volume, free_volumes, make_disk, mounts_of
from lab.errors import Refusal, TaskFailure, forbidden, refuse
from lab.faces import note_face
from lab.features import volume_can
from lab.guests.runtime import RuntimeFailure
from lab.model import Config, Guest, Volume
from lab.quorum import check_quorum, check_writable
from lab.registry import Data, answers
from lab.schema.formats import parse_size
from lab.tasks import Task
from lab.volumes import bytes_to_copy, link_disk, make_base, written_mount

NOT_COPIED = {"lock", "parent", "snaptime", "snapstate", "template"}


@dataclass
class Copy:
    """What a clone is to become: its options, and the mounts whose volumes are still to be made.

    `storage` is empty where every disk stays on its own, `target` where the clone stays on its node.
    """

    source: Guest
    snapshot: str
    full: bool
    storage: str
    target: str
    config: Config = field(default_factory=dict)
    mounts: dict[str, dict[str, Any]] = field(default_factory=dict)
    was_running: bool = False


@answers("POST", "/nodes/{node}/lxc/{vmid}/clone")
def clone(call: Call) -> Data:
    cluster, newid = call.cluster, int(call.params["newid"])
    if (pool := call.get("pool")) and pool not in cluster.pools:
        raise forbidden(f"pool '{pool}' does not exist")
    target = _target(call)
    _check_storage(call, target)
    check_quorum(cluster)
    source = config_file(cluster, call.node, call.vmid)
    check_lock(source)
    cluster.check_unused(newid)
    copy = _plan(call, source, target)
    set_lock(cluster, source, "disk")
    made = Guest(newid, call.node, {**copy.config, "lock": "create"}, facts=dict(source.facts))
    cluster.guests[newid] = made
    return call.start_task("vzclone", source.vmid, lambda task: _clone(task, call, copy, made))


def _target(call: Call) -> str:
    """The other node that the clone is to be on, if any."""
    target = str(call.get("target", call.node))
    if target in {call.node, "localhost"}:
        return ""
    if target not in call.cluster.nodes:
        raise refuse(f"no such cluster node '{target}'")
    return target


def _check_storage(call: Call, target: str) -> None:
    name = call.get("storage")
    if not name:
        return
    call.cluster.storage_on(name, call.node)
    if target and not call.cluster.storage_on(name, target).shared:
        raise refuse(f"can't clone to non-shared storage '{name}'")


def _plan(call: Call, source: Guest, target: str) -> Copy:
    """What becomes of each option; refused is what the storages or the caller's rights do not allow."""
    snapshot, storage = str(call.get("snapname", "")), str(call.get("storage", ""))
    full = bool(call.get("full", not source.config.get("template")))
    if storage and not full:
        raise refuse("parameter 'storage' not allowed for linked clones")
    if snapshot and snapshot not in source.snapshots:
        raise refuse(f"snapshot '{snapshot}' does not exist")
    copy = Copy(source, snapshot, full, storage, target, was_running=call.cluster.running(source))
    for name, value in sorted(_options(source, snapshot).items()):
        if MOUNTS.fullmatch(name):
            copy.mounts[name] = _checked_mount(call, copy, name, str(value))
        elif re.fullmatch(r"net\d+", name):
            copy.config[name] = written_network(call.cluster, value, fresh_address=True)
            check_bridge(call, copy.config[name])
        else:
            copy.config[name] = value
    if target and not all(call.cluster.storages[_storage_of(copy, mount)].shared for mount in copy.mounts.values()):
        raise refuse(f"can't clone CT to node '{target}' (CT uses local storage)")
    given = {"hostname": call.get("hostname"), "description": written_description(call.get("description", ""))}
    copy.config |= {name: value for name, value in given.items() if value}
    return copy


def _options(source: Guest, snapshot: str) -> Config:
    """The config that is copied, as it is or as it was at the snapshot, which brings its own description."""
    config = source.config
    if snapshot:
        kept = source.snapshots[snapshot]
        config = {**kept.config, **({"description": kept.description} if kept.description else {})}
    return {name: value for name, value in config.items() if name not in NOT_COPIED and not re.fullmatch(r"unused\d+", name)}


def _storage_of(copy: Copy, mount: dict[str, Any]) -> str:
    return copy.storage or str(mount["volume"]).partition(":")[0]


def _checked_mount(call: Call, copy: Copy, name: str, text: str) -> dict[str, Any]:
    cluster = call.cluster
    mount = mounts_of(cluster, {name: text})[name]
    volume = str(mount["volume"])
    if volume.startswith("/"):
        raise refuse(f"unable to clone mountpoint '{name}' (type {'device' if volume.startswith('/dev/') else 'bind'})")
    call.check(f"/storage/{_storage_of(copy, mount)}", "Datastore.AllocateSpace")
    if copy.full and copy.was_running and not copy.snapshot:
        raise refuse("Full clone of a running container is only possible from a snapshot")
    if not copy.full and not volume_can(cluster, "clone", volume, copy.snapshot):
        raise refuse(f"Linked clone feature for '{volume}' is not available")
    return mount


def _clone(task: Task, call: Call, copy: Copy, made: Guest) -> None:
    """The task: disks, then the rest; nothing is left when it fails. The source is locked until it ends."""
    cluster, source, volumes = call.cluster, copy.source, list[Volume]()
    task.say(f"creating a clone of container {source.vmid} with ID {made.vmid}")
    try:
        if cluster.running(source) != copy.was_running:
            raise TaskFailure("unexpected state change")
        for name in copy.mounts:
            _copy_mount(task, cluster, copy, made, name, volumes)
        if copy.full:
            task.limited(bytes_to_copy(source), float(call.get("bwlimit", 0)))
        cluster.runtime.clone(made.node, source.vmid, made.vmid, copy.snapshot or None, task.say)
        cluster.runtime.apply(made.node, made.vmid, {name: value for name, value in made.config.items() if name != "lock"})
        if copy.target:
            cluster.runtime.migrate(made.node, copy.target, made.vmid)
    except (TaskFailure, Refusal, RuntimeFailure) as failure:
        cluster.runtime.destroy(made.node, made.vmid)
        with cluster.lock:
            free_volumes(cluster, volumes)
            cluster.guests.pop(made.vmid, None)
        raise TaskFailure(f"clone failed: {failure}") from failure
    finally:
        with cluster.lock:
            set_lock(cluster, source, "")
    with cluster.lock:
        made.node = copy.target or made.node
        if pool := call.get("pool"):
            cluster.pools[pool].vms.add(made.vmid)
        set_lock(cluster, made, "")
        note_face(cluster, made)


def _copy_mount(task: Task, cluster: Cluster, copy: Copy, made: Guest, name: str, volumes: list[Volume]) -> None:
    mount = copy.mounts[name]
    volid, storage = str(mount["volume"]), cluster.storage(_storage_of(copy, mount))
    task.say(f"create {'full' if copy.full else 'linked'} clone of mountpoint {name} ({volid})")
    with cluster.lock:
        known = find_volume(cluster, made.node, volid)
        if known is None:
            raise TaskFailure(f"volume '{volid}' does not exist")
        size = parse_size(str(mount.get("size", ""))) or known.size
        if not copy.full:
            volume = link_disk(cluster, made.node, known, made.vmid, size)
        elif "rootdir" in storage.content:
            volume = make_disk(cluster, made.node, storage.id, made.vmid, size)
        else:
            raise TaskFailure(f"content type 'rootdir' is not available or configured on storage '{storage.id}'")
        volumes.append(volume)
        made.config[name] = written_mount(cluster, name, {**mount, "volume": volume.volid})


@answers("POST", "/nodes/{node}/lxc/{vmid}/template")
def make_template(call: Call) -> Data:
    """Nothing is answered; the task that does it is in the lists all the same."""
    guest = config_file(call.cluster, call.node, call.vmid)
    check_lock(guest)
    if guest.snapshots:
        raise refuse("unable to create template, because CT contains snapshots")
    if guest.config.get("template"):
        raise refuse("you can't convert a template to a template")
    if call.cluster.running(guest):
        raise refuse("you can't convert a CT to template if the CT is running")
    call.start_task("vztemplate", guest.vmid, lambda task: _make_template(call))
    return None


def _make_template(call: Call) -> None:
    cluster = call.cluster
    with holding(cluster, call.node, call.vmid, "vztemplate") as guest, cluster.lock:
        mounts = mounts_of(cluster, guest.config)
        for mount in mounts.values():
            if not volume_can(cluster, "template", str(mount["volume"])):
                raise TaskFailure(f"Template feature is not available for '{mount['volume']}'")
        check_writable(cluster, guest.node, guest.vmid)
        for name, mount in mounts.items():
            if volume := find_volume(cluster, guest.node, str(mount["volume"])):
                guest.config[name] = written_mount(cluster, name, {**mount, "volume": make_base(cluster, volume).volid})
        guest.config["template"] = 1
        note_face(cluster, guest)
