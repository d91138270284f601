"""List containers, look into one, destroy one."""

from __future__ import annotations

from lab.calls.power import live
from lab.configs import check_lock, check_protection
from lab.containers import holding, remove_container
from lab.context import Call, guest_filter
from lab.disks import disks_of, free_volumes, volumes_on
from lab.errors import refuse
from lab.guests.runtime import RuntimeFailure
from lab.model import Guest, Volume
from lab.quorum import check_writable
from lab.registry import Data, answers
from lab.tasks import Task
from lab.volumes import check_unlinked


@answers("GET", "/nodes/{node}/lxc")
def list_guests(call: Call) -> Data:
    allowed = guest_filter(call, "VM.Audit")
    here = [guest for guest in call.cluster.guests.values() if guest.node == call.node]
    return [live(call.cluster, guest) for guest in here if allowed(guest.vmid)]


@answers("GET", "/nodes/{node}/lxc/{vmid}")
def guest_index(call: Call) -> Data:
    call.guest()
    names = ("config", "pending", "status", "snapshot", "rrd", "rrddata", "clone", "template", "feature", "interfaces", "migrate", "resize")
    return [{"subdir": name} for name in names]


@answers("GET", "/nodes/{node}/lxc/{vmid}/interfaces", locked=False)
def interfaces(call: Call) -> Data:
    with call.cluster.lock:
        guest = call.cluster.guests.get(call.vmid)
        if guest is None or guest.node != call.node or not call.cluster.running(guest):
            return None
    try:
        return call.cluster.runtime.interfaces(call.node, call.vmid)
    except RuntimeFailure:  # it has just ended
        return None


@answers("DELETE", "/nodes/{node}/lxc/{vmid}")
def destroy(call: Call) -> Data:
    cluster, vmid = call.cluster, call.vmid
    guest = call.guest()
    check_protection(guest, f"can't remove CT {vmid}")
    check_lock(guest)
    if cluster.running(guest) and not call.get("force"):
        raise refuse(f"unable to destroy CT {vmid} - container is running")

    return call.start_task("vzdestroy", vmid, lambda task: _destroy(task, call))


def _destroy(task: Task, call: Call) -> None:
    """What was looked at before is looked at again, with the config file held."""
    cluster, vmid = call.cluster, call.vmid
    with holding(cluster, call.node, vmid, "vzdestroy") as guest:
        with cluster.lock:
            check_protection(guest, f"can't remove CT {vmid}")
            check_lock(guest)
            running = cluster.running(guest)
            if running and not call.get("force"):
                raise refuse(f"unable to destroy CT {vmid} - container is running")
            disks = _disks(call, guest)
            check_unlinked(cluster, disks)
            check_writable(cluster, call.node, vmid)
        if running:
            task.say(f"forced to stop CT {vmid} before destroying!")
            cluster.runtime.stop(guest.node, vmid)
        if call.get("purge"):
            task.say(f"purging CT {vmid} from related configurations..")
        with cluster.lock:
            free_volumes(cluster, disks)
        remove_container(cluster, guest)


def _disks(call: Call, guest: Guest) -> list[Volume]:
    """What goes with the container: the disks in its config, and others of its vmid when the caller says so."""
    disks, cluster = disks_of(call.cluster, guest), call.cluster
    if call.get("destroy-unreferenced-disks"):
        every = (volume for storage in cluster.storages.values() for volume in volumes_on(cluster, storage, guest.node))
        disks += [volume for volume in every if volume.vmid == guest.vmid and volume.content == "rootdir"]
    return disks
