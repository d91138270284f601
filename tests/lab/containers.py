"""What several calls do with a container: hold its config file, start it, stop it, remove it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.configs import apply_pending, check_lock
from lab.disks import MOUNTS, disks_of, free_volumes
from lab.errors import TaskFailure, refuse
from lab.faces import forget_guest, note_face
from lab.schema.verify import parse_properties
from lab.tasks import interruptible
from lab.volumes import leave_behind, volumes_in

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Guest
    from lab.tasks import Task

NEEDS_NESTING = 257
"""From this systemd on, a container without nesting is warned about."""


def config_file(cluster: Cluster, node: str, vmid: int) -> Guest:
    """The guest, once no task holds its config file; refused after ten seconds. The cluster's lock must be held."""
    cluster.guest(node, vmid)
    await_file(cluster, node, vmid)
    return cluster.guest(node, vmid)


def await_file(cluster: Cluster, node: str, vmid: int) -> None:
    """Wait until no task holds a container's config file; there need be no such container."""

    def is_free() -> bool:
        guest = cluster.guests.get(vmid)
        return guest is None or guest.node != node or not guest.held_by

    if not cluster.lock.wait_for(is_free, cluster.lock_wait_s):
        raise refuse(f"can't lock file '/run/lock/lxc/pve-config-{vmid}.lock' - got timeout")


@contextmanager
def holding(cluster: Cluster, node: str, vmid: int, kind: str) -> Iterator[Guest]:
    """Hold a container's config file for the length of a `with`, in a task; without the cluster's lock."""
    with cluster.lock:
        guest = config_file(cluster, node, vmid)
        guest.held_by = kind
    try:
        yield guest
    finally:
        with cluster.lock:
            release(cluster, guest)


def set_lock(cluster: Cluster, guest: Guest, lock: str) -> None:
    """Lock the config (`backup`, `snapshot`, ...), or take the lock off again with an empty text."""
    guest.config.pop("lock", None)
    if lock:
        guest.config["lock"] = lock
    cluster.lock.notify_all()


def release(cluster: Cluster, guest: Guest) -> None:
    """The task that held the config file is done with it."""
    guest.held_by = ""
    cluster.lock.notify_all()


def warn_of_nesting(task: Task, cluster: Cluster, guest: Guest) -> None:
    """Newer systemd wants nesting; Proxmox warns at creation and at each start."""
    systemd = int(guest.facts.get("systemd", 0))
    features = parse_properties(cluster.table, "ct-features", str(guest.config.get("features", "")))
    if systemd >= NEEDS_NESTING and features.get("nesting") != "1":
        task.warn(f"Systemd {systemd} detected. You may need to enable nesting.")


def start_container(task: Task, cluster: Cluster, node: str, vmid: int, *, skip_lock: bool = False) -> None:
    """Start a stopped container: a task's work."""
    with holding(cluster, node, vmid, "vzstart") as guest:
        start_held(task, cluster, guest, skip_lock=skip_lock)


def start_held(task: Task, cluster: Cluster, guest: Guest, *, skip_lock: bool = False) -> None:
    """As `start_container`, of one whose config file the task holds."""
    with cluster.lock:
        if guest.config.get("template"):
            raise TaskFailure("you can't start a CT if it's a template")
        if not skip_lock:
            check_lock(guest)
        if cluster.running(guest):
            raise TaskFailure(f"CT {guest.vmid} already running")
        apply_waiting(cluster, guest)
        _check_bridges(cluster, guest)
        warn_of_nesting(task, cluster, guest)
        config = dict(guest.config)
    cluster.runtime.start(guest.node, guest.vmid, config, task.say)
    with cluster.lock:
        note_face(cluster, guest)


def _check_bridges(cluster: Cluster, guest: Guest) -> None:
    known = {bridge["iface"] for bridge in cluster.nodes[guest.node].bridges}
    for name in sorted(key for key in guest.config if re.fullmatch(r"net\d+", key)):
        network = parse_properties(cluster.table, "ct-net", guest.config[name], name)
        bridge = network.get("bridge")
        if bridge and bridge not in known and not network.get("link_down"):  # one without a cable is on no bridge
            raise TaskFailure(f"bridge '{bridge}' does not exist")


def stop_container(cluster: Cluster, guest: Guest) -> None:
    """Stop a running one at once; without the lock."""
    cluster.runtime.stop(guest.node, guest.vmid)
    note_stopped(cluster, guest)


def shut_down(task: Task, cluster: Cluster, guest: Guest, timeout_s: float, force: bool) -> None:
    """Ask it to end, and after that time end it by force or fail; without the lock. No time (0) is no limit."""
    if not interruptible(task, lambda: cluster.runtime.shutdown(guest.node, guest.vmid, timeout_s)):
        if not force:
            raise TaskFailure("container did not stop")
        cluster.runtime.stop(guest.node, guest.vmid)
    note_stopped(cluster, guest)


def note_stopped(cluster: Cluster, guest: Guest) -> None:
    """A container has ended. What waited for that goes on waiting until it is started or changed: to stop one changes no config."""
    with cluster.lock:
        note_face(cluster, guest)
        cluster.lock.notify_all()


def apply_waiting(cluster: Cluster, guest: Guest) -> None:
    """Take over pending options; the disks of mounts that go stay as unused ones."""
    going = {name: guest.config[name] for name in guest.pending_delete if name in guest.config and MOUNTS.fullmatch(name)}
    apply_pending(guest)
    for volume in volumes_in(cluster, going):
        leave_behind(cluster, guest, volume)


def remove_container(cluster: Cluster, guest: Guest) -> None:
    """Take a stopped container and its disks out of the state, its pool, and its grants; without the lock."""
    cluster.runtime.destroy(guest.node, guest.vmid)
    with cluster.lock:
        free_volumes(cluster, disks_of(cluster, guest))
        forget_guest(cluster, guest)
        cluster.guests.pop(guest.vmid, None)
        for pool in cluster.pools.values():
            pool.vms.discard(guest.vmid)
        cluster.grants = [grant for grant in cluster.grants if grant.path != f"/vms/{guest.vmid}"]
        cluster.index_grants()
        cluster.lock.notify_all()
