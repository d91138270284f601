"""Let a container's disk grow."""

from __future__ import annotations

from lab.configs import check_digest, check_lock
from lab.containers import config_file, holding
from lab.context import Call
from lab.disks import grow, mount_size, mounts_of, owner_of, split_volume
from lab.errors import refuse
from lab.faces import note_face
from lab.model import Guest
from lab.quorum import check_writable
from lab.registry import Data, answers
from lab.schema.formats import parse_size
from lab.schema.verify import MISSING


@answers("PUT", "/nodes/{node}/lxc/{vmid}/resize")
def resize(call: Call) -> Data:
    _wanted_size(call, config_file(call.cluster, call.node, call.vmid))
    return call.start_task("resize", call.vmid, lambda task: _resize(call))


def _wanted_size(call: Call, guest: Guest) -> int:
    """Bytes that the disk is to have; refused is what cannot be. Asked before the task, and by the task again.

    The original asks for VM.Config.Options besides, because its check of options takes `disk` for one.
    """
    disk, text = call.params["disk"], call.params["size"]
    check_lock(guest)
    call.check_guest(guest.vmid, "", "VM.Config.Options")
    check_digest(guest, call.get("digest", ""))
    if disk not in guest.config:
        raise refuse("format error", {"volume": MISSING, **({} if disk == "rootfs" else {"mp": MISSING})})
    volume = str(mounts_of(call.cluster, {disk: guest.config[disk]})[disk]["volume"])
    storage, name = split_volume(volume)
    if not storage:
        raise refuse(f"unable to parse volume ID '{volume}'")
    if (owner := owner_of(name)) != guest.vmid:
        raise refuse(f"can't resize mount point owned by another container ({owner})")
    call.check(f"/storage/{storage}", "Datastore.AllocateSpace")
    before = mount_size(call.cluster, guest, disk)
    after = (parse_size(text.removeprefix("+")) or 0) + (before if text.startswith("+") else 0)
    if after < before:
        raise refuse("unable to shrink disk size")
    if after == before:
        raise refuse("disk is already at specified size")
    return after


def _resize(call: Call) -> None:
    cluster = call.cluster
    with holding(cluster, call.node, call.vmid, "resize") as guest, cluster.lock:
        size = _wanted_size(call, guest)
        check_writable(cluster, guest.node, guest.vmid)
        grow(cluster, guest, call.params["disk"], size)
        note_face(cluster, guest)
