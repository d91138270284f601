"""The work of a restore: a backup's config and files in a new container, or over an old one (pve-container, LXC.pm, Create.pm)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.archives import archive_path, find_archive, path_of
from lab.config_rights import check_bridge
from lab.configs import check_lock, set_options, written_network
from lab.containers import await_file, release
from lab.disks import GIB, disks_of, find_volume, free_volumes, make_disks, mounts_of
from lab.errors import Refusal, TaskFailure, refuse
from lab.faces import forget_guest, note_face
from lab.guests.runtime import RuntimeFailure
from lab.model import Config, Guest, Volume
from lab.quorum import check_writable
from lab.schema.formats import parse_size
from lab.userfile import as_text
from lab.volumes import bytes_to_copy, make_base, written_mount

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.context import Call
    from lab.tasks import Task

MIB = 1024**2
NOT_RESTORED = re.compile(r"lock|digest|parent|template|unprivileged|rootfs|(mp|unused)\d+")
"""Options of the backup that its container gets in another way, or not at all."""


@dataclass(frozen=True)
class Wish:
    """What the call asks for: options that win over the saved ones, and disks; without disks they are as they were saved."""

    options: Config
    mounts: Mapping[str, str]
    unprivileged: bool | None


def claim(call: Call) -> Guest:
    """The container's config file, locked and held for the task: a new one, or the one that is to be replaced."""
    cluster, node, vmid = call.cluster, call.node, call.vmid
    try:
        await_file(cluster, node, vmid)
        guest = cluster.guests.get(vmid) or Guest(vmid, node, {})
        check_lock(guest)
        check_writable(cluster, node, vmid)
    except Refusal as refusal:
        raise refuse(f"unable to restore CT {vmid} - {refusal.text}") from refusal
    guest.config["lock"], guest.held_by = "create", "vzrestore"
    cluster.guests[vmid] = guest
    return guest


def restore(task: Task, call: Call, guest: Guest, wish: Wish) -> None:
    """The task. As soon as the old disks are gone there is no way back: then a failure leaves nothing."""
    cluster = call.cluster
    is_new, made = len(guest.config) == 1, list[Volume]()
    try:
        task.say(f"recovering backed-up configuration from '{call.params['ostemplate']}'")
        backup = find_archive(cluster, call.node, str(call.params["ostemplate"]))
        with cluster.lock:
            draft = _draft(task, call, guest, wish, backup)
            made += make_disks(cluster, draft, wish.mounts or _saved_mounts(call, backup))
            if not is_new:
                _clear(cluster, guest)
                is_new = True
        _unpack(task, call, draft, backup)
    except (TaskFailure, Refusal, RuntimeFailure) as failure:
        _give_up(cluster, guest, made, gone=is_new)
        text = as_text(failure) if isinstance(failure, Refusal) else str(failure)
        raise TaskFailure(f"unable to restore CT {guest.vmid} - {text}") from failure
    with cluster.lock:
        guest.config, guest.facts = draft.config, draft.facts
        if pool := call.get("pool"):
            for other in cluster.pools.values():
                other.vms.discard(guest.vmid)
            cluster.pools[pool].vms.add(guest.vmid)
        if backup.facts["config"].get("template"):
            _make_template(cluster, guest)
        release(cluster, guest)
        note_face(cluster, guest)


def _draft(task: Task, call: Call, guest: Guest, wish: Wish, backup: Volume) -> Guest:
    """The container's config to be, without its disks: what is given, then what was saved; networks that are to be unique are
    the saved ones, with another address."""
    cluster, saved = call.cluster, dict(backup.facts["config"])
    draft = Guest(guest.vmid, guest.node, {}, facts=dict(backup.facts.get("guest", {})))
    set_options(cluster, draft, wish.options, running=False)
    unprivileged = saved.get("unprivileged") if wish.unprivileged is None else int(wish.unprivileged)
    if guest.config.get("unprivileged") and not unprivileged:
        call.check_guest(guest.vmid, str(call.get("pool", "")), "VM.Allocate")
    draft.config |= {"unprivileged": 1} if unprivileged else {}
    unique = bool(call.get("unique"))
    for name, value in saved.items():
        is_network = bool(re.fullmatch(r"net\d+", name))
        if NOT_RESTORED.fullmatch(name) or (name in draft.config and not (unique and is_network)):
            continue
        if name == "features" and saved.get("unprivileged") and not unprivileged and not call.is_root:
            task.say("changing from unprivileged to privileged, skipping features")
            continue
        if is_network and name not in draft.config:
            check_bridge(call, str(value))
        draft.config[name] = written_network(cluster, value, fresh_address=unique) if is_network else value
    draft.config = {"hostname": f"CT{draft.vmid}", "memory": 512, "swap": 512, **draft.config}
    return draft


def _saved_mounts(call: Call, backup: Volume) -> dict[str, str]:
    """The disks that the container had, anew on the storage that is asked for."""
    cluster, storage, found = call.cluster, call.get("storage", "local"), {}
    for name, mount in mounts_of(cluster, backup.facts["config"]).items():
        if str(mount["volume"]).startswith("/"):
            kind = "device" if str(mount["volume"]).startswith("/dev/") else "bind"
            raise TaskFailure(f"restoring '{name}' to {kind} mount is only possible for root")
        if "size" not in mount:
            raise TaskFailure(f"unable to detect disk size - please specify {name} (size)")
        kept = {key: value for key, value in mount.items() if key != "size"}
        size = (parse_size(str(mount["size"])) or 0) / GIB
        found[name] = written_mount(cluster, name, {**kept, "volume": f"{storage}:{size:.9f}"})
    return found


def _clear(cluster: Cluster, guest: Guest) -> None:
    """The old container's disks and snapshots go; the lock stays."""
    free_volumes(cluster, disks_of(cluster, guest))
    forget_guest(cluster, guest)
    guest.config, guest.pending, guest.pending_delete, guest.snapshots, guest.faces = {"lock": "create"}, {}, [], {}, []


def _unpack(task: Task, call: Call, draft: Guest, backup: Volume) -> None:
    """What the runtime says of it is said in Proxmox's words here, for both kinds of guests alike."""
    cluster, size = call.cluster, bytes_to_copy(draft)
    task.say(f"restoring '{backup.volid}' now..", f"extracting archive '{path_of(cluster, backup.volid)}'")
    task.limited(backup.size, float(call.get("bwlimit", 0)))
    cluster.runtime.restore(draft.node, draft.vmid, draft.config, archive_path(cluster, backup), lambda line: None)
    task.say(f"Total bytes read: {size} ({size // MIB}MiB, 312MiB/s)", f"Detected container architecture: {draft.config['arch']}")
    task.say("merging backed-up and given configuration..")


def _give_up(cluster: Cluster, guest: Guest, made: list[Volume], *, gone: bool) -> None:
    """Back to nothing; or only the lock is taken off again, from a container that has not been touched."""
    if gone:
        cluster.runtime.destroy(guest.node, guest.vmid)
    with cluster.lock:
        free_volumes(cluster, made)
        guest.config.pop("lock", None)
        if gone:
            cluster.guests.pop(guest.vmid, None)
        release(cluster, guest)


def _make_template(cluster: Cluster, guest: Guest) -> None:
    for name, mount in mounts_of(cluster, guest.config).items():
        if volume := find_volume(cluster, guest.node, str(mount["volume"])):
            guest.config[name] = written_mount(cluster, name, {**mount, "volume": make_base(cluster, volume).volid})
    guest.config["template"] = 1
