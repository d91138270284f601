"""Make a container: what is refused at once, and the task that unpacks the template."""

from __future__ import annotations

import re
from typing import Any

from lab.archives import archive_path, find_archive
from lab.cluster import Cluster
from lab.config_rights import Change, check_config_rights, check_volume
from lab.configs import check_protection, set_options
from lab.containers import release, start_container, warn_of_nesting
from lab.context import Call
from lab.disks import MOUNTS, free_volumes, make_disks, split_volume
from lab.errors import Refusal, TaskFailure, forbidden, refuse, wrong
from lab.faces import note_face
from lab.guests.runtime import RuntimeFailure
from lab.model import Guest, Volume
from lab.quorum import check_quorum
from lab.registry import Data, answers
from lab.restore import Wish, claim, restore
from lab.schema.verify import parse_properties
from lab.tasks import Task, start_task

CONTROL = {
    *("node", "vmid", "ostemplate", "storage", "password", "ssh-public-keys", "pool", "restore", "force", "start", "unique"),
    *("bwlimit", "ignore-unpack-errors", "ha-managed", "unprivileged"),
}
"""Parameters that are no options of the container."""
SSH_KEY = re.compile(r"(\S+\s+)?(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+)\s+[A-Za-z0-9+/=]+(\s.*)?")
DEFAULT_SIZE_GIB = 4


@answers("POST", "/nodes/{node}/lxc")
def create(call: Call) -> Data:
    cluster, vmid = call.cluster, call.vmid
    check_quorum(cluster)
    is_restore = bool(call.get("restore"))
    overwrite = is_restore and bool(call.get("force"))
    _check_vmid(cluster, call.node, vmid, overwrite=overwrite)
    _check_keys(call.get("ssh-public-keys"))
    pool = str(call.get("pool", ""))
    _check_may_create(call, pool, overwrite=overwrite)
    options = {name: value for name, value in call.params.items() if name not in CONTROL and not name.startswith("unused")}
    unprivileged = bool(call.get("unprivileged", cluster.major >= 9))
    if not unprivileged and not is_restore and cluster.major >= 9:
        call.check("/", "Sys.Modify")
    check_config_rights(call, Change(vmid, pool, {}, options, (), unprivileged))
    check_volume(call, vmid, call.params["ostemplate"], "backup" if is_restore else "vztmpl")
    mounts = _wanted_mounts(call, options)
    _check_storages(call, mounts)
    if is_restore:
        return _start_restore(call, Wish(options, mounts, bool(call.params["unprivileged"]) if "unprivileged" in call.params else None))
    if unprivileged:
        options["unprivileged"] = 1
    guest = Guest(vmid, call.node, {"lock": "create"}, held_by="vzcreate")
    cluster.guests[vmid] = guest
    return call.start_task("vzcreate", vmid, lambda task: _make(task, call, guest, options, mounts))


def _start_restore(call: Call, wish: Wish) -> str:
    guest = claim(call)

    def work(task: Task) -> None:
        restore(task, call, guest, wish)
        if call.get("start"):
            start_after(call)

    return call.start_task("vzrestore", call.vmid, work)


def _check_vmid(cluster: Cluster, node: str, vmid: int, overwrite: bool) -> None:
    """A vmid that is taken is refused, unless a backup is to be restored over it by force."""
    guest = cluster.guests.get(vmid)
    if guest is None or not overwrite or guest.node != node:
        cluster.check_unused(vmid)
        return
    if cluster.running(guest):
        raise refuse("can't overwrite running container")
    check_protection(guest, f"unable to restore CT {vmid}")


def _check_keys(keys: str | None) -> None:
    for line in (keys or "").splitlines():
        if line.strip() and not line.startswith("#") and not SSH_KEY.fullmatch(line.strip()):
            raise refuse("SSH public key validation error")


def _check_may_create(call: Call, pool: str, overwrite: bool) -> None:
    if pool and pool not in call.cluster.pools:
        raise forbidden(f"pool '{pool}' does not exist")
    allowed = call.may(f"/vms/{call.vmid}", "VM.Allocate") or (pool and call.may(f"/pool/{pool}", "VM.Allocate"))
    if not allowed and not (overwrite and call.vmid in call.cluster.guests and call.may(f"/vms/{call.vmid}", "VM.Backup")):
        raise forbidden()


def _wanted_mounts(call: Call, options: dict[str, Any]) -> dict[str, str]:
    """Take rootfs and mpN out of the options; a plain number is a size on the given storage."""
    default = str(call.get("storage", "local"))
    found = {name: str(options.pop(name)) for name in list(options) if MOUNTS.fullmatch(name)}
    mounts = {name: f"{default}:{value}" if re.fullmatch(r"\d+(\.\d+)?", value) else value for name, value in found.items()}
    if mounts and "rootfs" not in mounts:
        raise refuse("mount points configured, but 'rootfs' not set - aborting")
    return mounts


def _check_storages(call: Call, mounts: dict[str, str]) -> None:
    """Every storage that is to hold a disk must be there, take containers, and be the caller's to use."""
    names = set()
    for name, text in mounts.items():
        found = parse_properties(call.cluster.table, "ct-rootfs" if name == "rootfs" else "ct-mount", text, name)
        names.add(split_volume(str(found["volume"]))[0])
    for name in sorted(names) or [str(call.get("storage", "local"))]:
        storage = call.cluster.storage_on(name, call.node)
        if "rootdir" not in storage.content:
            raise wrong({"storage": f"storage '{name}' does not support container directories"})
        call.check(f"/storage/{name}", "Datastore.AllocateSpace")


def _make(task: Task, call: Call, guest: Guest, options: dict[str, Any], mounts: dict[str, str]) -> None:
    """The task: disks, template, config; nothing is left when it fails."""
    cluster, made = call.cluster, list[Volume]()
    draft = Guest(guest.vmid, guest.node, {})
    try:
        template = find_archive(cluster, call.node, str(call.params["ostemplate"]))
        with cluster.lock:
            set_options(cluster, draft, options, running=False)
            made += make_disks(cluster, draft, mounts or {"rootfs": f"{call.get('storage', 'local')}:{DEFAULT_SIZE_GIB}"})
            _add_defaults(draft, template)
        _unpack(task, call, draft, template)
        warn_of_nesting(task, cluster, draft)
    except (TaskFailure, Refusal, RuntimeFailure) as failure:
        cluster.runtime.destroy(guest.node, guest.vmid)
        with cluster.lock:
            free_volumes(cluster, made)
            cluster.guests.pop(guest.vmid, None)
            release(cluster, guest)
        raise TaskFailure(f"unable to create CT {guest.vmid} - {failure}") from failure
    with cluster.lock:
        guest.config, guest.facts = draft.config, draft.facts
        if pool := call.get("pool"):
            cluster.pools[pool].vms.add(guest.vmid)
        release(cluster, guest)
        note_face(cluster, guest)
    if call.get("start"):
        start_after(call)


def _add_defaults(draft: Guest, template: Volume) -> None:
    defaults = {"arch": template.facts.get("arch", "amd64"), "ostype": template.facts.get("ostype", "unmanaged")}
    draft.config = {"hostname": f"CT{draft.vmid}", "memory": 512, "swap": 512, **defaults, **draft.config}
    draft.facts = {name: template.facts[name] for name in ("systemd", "unpacked") if name in template.facts}


def _unpack(task: Task, call: Call, draft: Guest, template: Volume) -> None:
    cluster, path = call.cluster, archive_path(call.cluster, template)
    if cluster.runtime.kind == "simulated" and "ostype" not in template.facts:
        raise TaskFailure(f"command 'tar xpf {path}' failed: exit code 2")
    task.limited(template.size, float(call.get("bwlimit", 0)))
    unkept: dict[str, Any] = {name: call.params[name] for name in ("password", "ssh-public-keys") if name in call.params}
    cluster.runtime.create(draft.node, draft.vmid, {**draft.config, **unkept}, path, task.say)
    task.say(f"Detected container architecture: {draft.config['arch']}")
    if not cluster.guests.get(draft.vmid):
        raise TaskFailure("config file vanished")


def start_after(call: Call) -> None:
    """Start what has been made, by a task of its own; whether that works is that task's business."""
    cluster, node, vmid = call.cluster, call.node, call.vmid
    start_task(cluster, node, "vzstart", str(vmid), call.user, lambda task: start_container(task, cluster, node, vmid), wait=True)
