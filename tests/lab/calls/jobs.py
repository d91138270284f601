"""The cluster's backup jobs, for reading; nothing runs by itself here (pve-manager, API2/Backup.pm, BackupInfo.pm)."""

from __future__ import annotations

from typing import Any

from lab.context import Call
from lab.disks import mounts_of
from lab.errors import wrong
from lab.model import Guest
from lab.registry import Data, answers
from lab.schema.formats import split_list


def _job(call: Call) -> dict[str, Any]:
    name = call.params["id"]
    if name not in call.cluster.backup_jobs:
        raise wrong({"id": f"No such job '{name}'"})
    return call.cluster.backup_jobs[name]


def _shown(name: str, job: dict[str, Any]) -> dict[str, Any]:
    return {"id": name, "type": "vzdump", "enabled": 1, **job}


@answers("GET", "/cluster/backup")
def list_jobs(call: Call) -> Data:
    return [_shown(name, job) for name, job in sorted(call.cluster.backup_jobs.items())]


@answers("GET", "/cluster/backup/{id}")
def read_job(call: Call) -> Data:
    return _shown(call.params["id"], _job(call))


def included(call: Call, job: dict[str, Any]) -> list[Guest]:
    """The guests that a job is about."""
    guests, left_out = call.cluster.guests, {int(vmid) for vmid in split_list(str(job.get("exclude", "")))}
    if job.get("pool"):
        pool = call.cluster.pools.get(str(job["pool"]))
        meant = set(pool.vms) if pool else set()
    elif job.get("vmid"):
        meant = {int(vmid) for vmid in split_list(str(job["vmid"]))}
    else:
        meant = set(guests)
    node = job.get("node")
    return [guest for vmid, guest in sorted(guests.items()) if vmid in meant - left_out and node in (None, guest.node)]


@answers("GET", "/cluster/backup/{id}/included_volumes")
def included_volumes(call: Call) -> Data:
    """A tree, for the pages of the original: guests with their volumes, and whether each is saved."""
    found = []
    for guest in included(call, _job(call)):
        leaves = []
        for name, mount in sorted(mounts_of(call.cluster, guest.config).items()):
            is_bind = str(mount["volume"]).startswith("/")
            saved = name == "rootfs" or (not is_bind and mount.get("backup") == "1")
            reason = "rootfs" if name == "rootfs" else "not a volume" if is_bind else "enabled" if saved else "disabled"
            leaves.append({"id": f"{guest.vmid}:{name}", "name": mount["volume"], "included": int(saved), "reason": reason, "leaf": 1})
        found.append({"id": guest.vmid, "name": guest.name, "type": "lxc", "children": leaves})
    return {"children": found}


@answers("GET", "/cluster/backup-info")
def info_index(call: Call) -> Data:
    return [{"subdir": "not-backed-up"}]


@answers("GET", "/cluster/backup-info/not-backed-up")
def not_backed_up(call: Call) -> Data:
    """Guests that no enabled job is about."""
    jobs = [job for job in call.cluster.backup_jobs.values() if job.get("enabled", 1)]
    covered = {guest.vmid for job in jobs for guest in included(call, job)}
    return [{"vmid": vmid, "name": guest.name, "type": "lxc"} for vmid, guest in sorted(call.cluster.guests.items()) if vmid not in covered]
