"""Single volumes, and pruning backups (pve-storage, API2/Storage/Content.pm and PruneBackups.pm)."""

from __future__ import annotations

from typing import Any

from lab.archives import shown_path
from lab.config_rights import check_volume
from lab.context import Call
from lab.disks import content_of, find_volume, owner_of, split_volume
from lab.errors import refuse, wrong
from lab.model import Volume
from lab.registry import Data, answers
from lab.retention import backups_on, check_keep, check_protectable, keep_for, prune, prune_list, remove_archive
from lab.tasks import Task
from lab.volumes import check_unlinked

ITEM = "/nodes/{node}/storage/{storage}/content/{volume}"
PRUNE = "/nodes/{node}/storage/{storage}/prunebackups"


def volume_id(call: Call) -> str:
    """The volume in the path, with or without its storage before it."""
    named, given = call.params["storage"], str(call.params["volume"])
    if ":" not in given:
        return f"{named}:{given}"
    storage, _ = split_volume(given)
    if not storage:
        raise wrong({"volume": f"unable to parse volume ID '{given}'\n"})
    if storage != named:
        raise wrong({"volume": f"storage ID mismatch ({storage} != {named})\n"})
    return given


def _readable(call: Call) -> tuple[str, Volume | None]:
    """The volume's id and the volume, for those who may read it."""
    volid = volume_id(call)
    check_volume(call, None, volid)
    call.cluster.storage_on(call.params["storage"], call.node)
    return volid, find_volume(call.cluster, call.node, volid)


@answers("GET", ITEM)
def read_volume(call: Call) -> Data:
    volid, volume = _readable(call)
    if volume is None:
        raise refuse(f"volume_size_info on '{volid}' failed - no format")
    shown: dict[str, Any] = {"path": shown_path(call.cluster.storages[volume.storage], volume.name)}
    shown |= {"size": volume.size, "used": volume.used or volume.size}
    shown["format"] = volume.format if volume.content in {"rootdir", "images"} else "raw"
    return shown | ({"notes": volume.notes, "protected": int(volume.protected)} if volume.content == "backup" else {})


@answers("PUT", ITEM)
def change_volume(call: Call) -> Data:
    """What is not there is changed in vain."""
    volid, volume = _readable(call)
    is_backup = content_of(call.cluster, volid) == "backup"
    if "notes" in call.params:
        if not is_backup:
            raise refuse("only backups can have notes")
        if volume:
            volume.notes = call.params["notes"]
    if "protected" in call.params:
        if not is_backup:
            raise refuse("only backups support attribute 'protected'")
        if volume:
            _protect(call, volume)


def _protect(call: Call, volume: Volume) -> None:
    if call.params["protected"] and not volume.protected:
        storage = call.cluster.storages[volume.storage]
        already = sum(backup.protected for backup in backups_on(call.cluster, storage, call.node, volume.vmid))
        check_protectable(storage, already, call.may(f"/storage/{storage.id}", "Datastore.Allocate"))
    volume.protected = bool(call.params["protected"])


@answers("DELETE", ITEM, locked=False)
def delete_volume(call: Call) -> Data:
    """With `delay` the answer waits so many seconds for the deletion, and is null when that has ended well."""
    cluster, seconds = call.cluster, call.get("delay", 0)
    with cluster.lock:
        volid = volume_id(call)
        storage, owner = call.params["storage"], owner_of(split_volume(volid)[1])
        is_backup = content_of(cluster, volid) == "backup"
        if is_backup and owner:
            call.check(f"/storage/{storage}", "Datastore.AllocateSpace")
            call.check(f"/vms/{owner}", "VM.Backup")
        else:
            call.check(f"/storage/{storage}", "Datastore.Allocate")
        about = f"{owner}@{storage}" if owner else storage
        upid = call.start_task("imgdel", about, lambda task: _delete(task, call, volid))
        task = cluster.tasks[upid]
        if not seconds or not cluster.lock.wait_for(lambda: not task.running, seconds):
            return upid
        if task.exitstatus != "OK":
            raise refuse(task.exitstatus)
        return None


def _delete(task: Task, call: Call, volid: str) -> None:
    with call.cluster.lock:
        call.cluster.storage_on(call.params["storage"], call.node)
        if volume := find_volume(call.cluster, call.node, volid):
            if volume.protected:
                raise refuse(f"cannot remove protected volume '{volume.name}' on '{volume.storage}'")
            check_unlinked(call.cluster, [volume])
            remove_archive(call.cluster, volume)
        task.say(f"Removed volume '{volid}'")


@answers("GET", PRUNE)
def would_prune(call: Call) -> Data:
    """What pruning would do; nothing is removed."""
    check_keep(call.cluster, call.get("prune-backups"))
    storage = call.cluster.storage_on(call.params["storage"], call.node)
    keep = keep_for(call.cluster, storage, call.get("prune-backups"))
    return prune_list(_chosen(call), keep)


def _chosen(call: Call) -> list[Volume]:
    if call.get("type") == "qemu":
        return []
    return backups_on(call.cluster, call.cluster.storages[call.params["storage"]], call.node, call.get("vmid"))


@answers("DELETE", PRUNE)
def prune_backups(call: Call) -> Data:
    name, vmid = call.params["storage"], call.get("vmid")
    if vmid is None:
        call.check(f"/storage/{name}", "Datastore.Allocate")
    else:
        call.check(f"/storage/{name}", "Datastore.AllocateSpace")
        call.check(f"/vms/{vmid}", "VM.Backup")
    check_keep(call.cluster, call.get("prune-backups"))

    def work(task: Task) -> None:
        with call.cluster.lock:
            keep = keep_for(call.cluster, call.cluster.storage_on(name, call.node), call.get("prune-backups"))
            prune(call.cluster, _chosen(call), keep, task.say)

    return call.start_task("prunebackups", f"{vmid}@{name}" if vmid else name, work)
