"""Move a container to another node: stopped, or stopped for it and started there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.access import ROOT
from lab.cluster import Cluster
from lab.configs import check_lock
from lab.containers import holding, set_lock, shut_down, start_container, start_held
from lab.context import Call
from lab.disks import find_volume, mounts_of, owner_of, volumes_on
from lab.errors import Refusal, TaskFailure, refuse, wrong
from lab.faces import note_face
from lab.guests.runtime import RuntimeFailure
from lab.model import Guest, Volume
from lab.quorum import check_quorum, check_writable
from lab.registry import Data, answers
from lab.schema.formats import split_list
from lab.tasks import Task, start_task
from lab.volumes import bytes_to_copy, carry, rename_volumes, volumes_in

SHUTDOWN_S = 180
SNAPSHOTS_TRAVEL = {"zfspool", "btrfs"}
"""Types of local storage that send a volume's snapshots along."""
TRAVELS = {"dir", "zfspool", "lvmthin", "lvm", "btrfs"}
"""Types of local storage that send volumes at all."""
FAILURES = (TaskFailure, Refusal, RuntimeFailure)


@dataclass(frozen=True)
class Storages:
    """Which storage becomes which on the other node: the named ones, all others, or each itself."""

    named: Mapping[str, str]
    default: str = ""

    def of(self, storage: str) -> str:
        return self.named.get(storage) or self.default or storage


@answers("GET", "/nodes/{node}/lxc/{vmid}/migrate")
def preconditions(call: Call) -> Data:
    check_quorum(call.cluster)
    guest = call.guest()
    check_lock(guest)
    others = [name for name in call.cluster.nodes if name != call.node]
    return {"running": int(call.cluster.running(guest)), "allowed-nodes": others, "not-allowed-nodes": {}}


@answers("POST", "/nodes/{node}/lxc/{vmid}/migrate")
def migrate(call: Call) -> Data:
    cluster, target = call.cluster, call.params["target"]
    if target == call.node:
        raise wrong({"target": "target is local node."})
    check_quorum(cluster)
    if target not in cluster.nodes:
        raise refuse(f"no such cluster node '{target}'")
    guest = call.guest()
    if cluster.running(guest) and not call.get("online") and not call.get("restart"):
        raise refuse("can't migrate running container without --online or --restart")
    move = _Move(call, target, _storages(call, target))
    return call.start_task("vzmigrate", guest.vmid, move.work)


def _storages(call: Call, target: str) -> Storages:
    """Read `target-storage`: `1` for each its own, `storage` for all, `from:to` for one."""
    named: dict[str, str] = {}
    defaults: list[str] = []
    for item in split_list(call.get("target-storage", "")):
        source, colon, mapped = item.partition(":")
        if (colon and source in named) or (not colon and defaults):
            text = f"duplicate mapping for '{source}'" if colon else "default target ID can only be provided once"
            raise wrong({"target-storage": f"failed to parse storage map: {text}\n"})
        if colon:
            named[source] = mapped
        else:
            defaults.append(source)
    if "1" in defaults and named:
        raise wrong({"target-storage": "failed to parse storage map: identity (1) cannot be combined with other mappings\n"})
    default = "" if defaults == ["1"] else "".join(defaults)
    if named or default:
        call.check(f"/vms/{call.vmid}", "VM.Config.Disk")
    for name in [*named.values(), *([default] if default else [])]:
        storage = call.cluster.storage_on(name, target)
        call.check(f"/storage/{name}", "Datastore.AllocateSpace")
        if "rootdir" not in storage.content:
            raise refuse(f"storage '{name}' does not support CT rootdirs")
    return Storages(named, default)


@dataclass
class _Move:
    """One migration under way; what it says in the log bears the time."""

    call: Call
    target: str
    storages: Storages
    was_running: bool = False
    moved: dict[str, str] = field(default_factory=dict)

    @property
    def cluster(self) -> Cluster:
        return self.call.cluster

    def work(self, task: Task) -> None:
        """The task. Whatever goes wrong before the config file has moved leaves the container as and where it was."""
        cluster, began = self.cluster, self.cluster.clock.now()

        def say(text: str, error: bool = False) -> None:
            stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(cluster.clock.now()))
            task.say(f"{stamp} {'ERROR: ' if error else ''}{text}")

        def duration() -> str:
            seconds = int(cluster.clock.now() - began)
            return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"

        try:
            with holding(cluster, self.call.node, self.call.vmid, "vzmigrate") as guest:
                self._prepare(task, guest, say)
                self._move_or_go_back(task, guest, say)
        except FAILURES as failure:
            say(f"migration aborted (duration {duration()}): {failure}", error=True)
            raise TaskFailure("migration aborted") from failure
        say("start final cleanup")
        if self.was_running and not self._start_there(say):
            say(f"migration finished with problems (duration {duration()})", error=True)
            raise TaskFailure("migration problems")
        say(f"migration finished successfully (duration {duration()})")

    def _prepare(self, task: Task, guest: Guest, say: Callable[..., None]) -> None:
        """What must hold before anything is touched; a running container is shut down."""
        cluster = self.cluster
        with cluster.lock:
            check_lock(guest)
            running = cluster.running(guest)
            if running and self.call.get("online"):
                raise TaskFailure("lxc live migration is currently not implemented")
            if running and not self.call.get("restart"):
                raise TaskFailure("running container can only be migrated in restart mode")
            for name, mount in mounts_of(cluster, guest.config).items():
                self._check_mount(name, str(mount["volume"]), shared=mount.get("shared") == "1")
            if not cluster.nodes[self.target].online:
                raise TaskFailure("Can't connect to destination address using public key")
            check_writable(cluster, guest.node, guest.vmid)
        if running:
            say(f"shutdown CT {guest.vmid}")
            shut_down(task, cluster, guest, self.call.get("timeout", SHUTDOWN_S), force=False)
            self.was_running = True

    def _check_mount(self, name: str, volid: str, shared: bool) -> None:
        if volid.startswith("/"):
            if not shared:
                raise TaskFailure(f"cannot migrate local {'device' if volid.startswith('/dev/') else 'bind'} mount point '{name}'")
            return
        source = self.cluster.storage_on(volid.partition(":")[0], self.call.node)
        if "rootdir" not in source.content:
            raise TaskFailure(f"content type 'rootdir' is not available on storage '{source.id}'")
        target = self.cluster.storage_on(source.id if source.shared else self.storages.of(source.id), self.target)
        if "rootdir" not in target.content:
            raise TaskFailure(f"{volid}: content type 'rootdir' is not available on storage '{target.id}'")

    def _move_or_go_back(self, task: Task, guest: Guest, say: Callable[..., None]) -> None:
        cluster = self.cluster
        say(f"starting migration of CT {guest.vmid} to node '{self.target}' ({cluster.nodes[self.target].address})")
        with cluster.lock:
            set_lock(cluster, guest, "migrate")
        try:
            self._move(task, guest, say)
        except FAILURES as failure:
            say(str(failure), error=True)
            say("aborting phase 1 - cleanup resources")
            say("start final cleanup")
            with cluster.lock:
                set_lock(cluster, guest, "")
            if self.was_running:
                say("start container on source node")
                start_held(task, cluster, guest)
            raise

    def _move(self, task: Task, guest: Guest, say: Callable[..., None]) -> None:
        """Disks, then the config file; it is the same file there unless disks have new names."""
        cluster = self.cluster
        with cluster.lock:
            local = self._local_volumes(guest, say)
        task.limited(bytes_to_copy(guest) if local else 0, float(self.call.get("bwlimit", 0)))
        cluster.runtime.migrate(guest.node, self.target, guest.vmid)
        with cluster.lock:
            for volume in local:
                new = carry(cluster, volume, cluster.storages[self.storages.of(volume.storage)], self.target)
                self.moved[volume.volid] = new.volid
                say(f"volume '{volume.volid}' is '{new.volid}' on the target")
            for config in (guest.config, *(snapshot.config for snapshot in guest.snapshots.values())):
                rename_volumes(cluster, config, self.moved)
            guest.node = self.target
            set_lock(cluster, guest, "")
            note_face(cluster, guest)

    def _local_volumes(self, guest: Guest, say: Callable[..., None]) -> list[Volume]:
        """The disks that have to be carried over; refused when one of them cannot be."""
        cluster = self.cluster
        used = volumes_in(cluster, guest.config)
        kept = [volid for snapshot in guest.snapshots.values() for volid in volumes_in(cluster, snapshot.config, unused=False)]
        found: dict[str, str] = {}
        for storage in cluster.storages.values():
            if not storage.shared and storage.enabled:
                own = (volume for volume in volumes_on(cluster, storage, guest.node) if volume.content == "rootdir")
                found |= {volume.volid: "via storage" for volume in own if volume.vmid == guest.vmid}
        for volids, where in ((kept, "referenced by snapshot(s)"), (used, "in current VM config")):
            for volid in dict.fromkeys(volids):
                if cluster.storages[volid.partition(":")[0]].shared:
                    if volids is used:
                        say(f"volume '{volid}' is on shared storage '{volid.partition(':')[0]}'")
                else:
                    found[volid] = where
        problems = {volid: text for volid in sorted(found) if (text := self._hindrance(guest, volid, volid in kept))}
        for volid, where in sorted(found.items()):
            say(f"found local volume '{volid}' ({where})")
        for volid, text in problems.items():
            say(f"can't migrate local volume '{volid}': {text}")
        if problems:
            raise TaskFailure("can't migrate CT - check log")
        return [volume for volid in sorted(found) if (volume := find_volume(cluster, guest.node, volid))]

    def _hindrance(self, guest: Guest, volid: str, has_snapshots: bool) -> str:
        """Why a local volume cannot be carried over; empty when it can."""
        storage, _, name = volid.partition(":")
        kind, owner = self.cluster.storages[storage].type, owner_of(name)
        if owner != guest.vmid:
            return f"owned by other guest (owner = {owner})"
        if has_snapshots and kind not in SNAPSHOTS_TRAVEL:
            return "non-migratable snapshot exists"
        if kind not in TRAVELS:
            return f"storage type '{kind}' not supported"
        base = name.rpartition("/")[0]
        return f"clone of '{base}'" if base.startswith("base") else ""

    def _start_there(self, say: Callable[..., None]) -> bool:
        """As root does at the other node's command line."""
        cluster, vmid = self.cluster, self.call.vmid
        address = cluster.nodes[self.target].address
        say("start container on target node")
        say(f"# /usr/bin/ssh -e none -o 'HostKeyAlias={self.target}' root@{address} pct start {vmid}")
        upid = start_task(
            cluster, self.target, "vzstart", str(vmid), ROOT, lambda task: start_container(task, cluster, self.target, vmid), wait=True
        )
        failed = cluster.tasks[upid].exitstatus
        if failed == "OK" or failed.startswith("WARNINGS"):
            return True
        say(failed, error=True)
        return False
