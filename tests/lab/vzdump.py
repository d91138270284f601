"""Backup jobs: one at a time on a node, its guests one after another (pve-manager, VZDump.pm)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lab.access import missing
from lab.errors import Refusal, TaskFailure, forbidden
from lab.retention import Keep, parse_keep, storage_keep
from lab.userfile import as_text
from lab.vzdump_guest import Run, back_up

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Storage
    from lab.tasks import Task

LOCK = "/var/run/vzdump.lock"


@dataclass(frozen=True)
class Job:
    """One vzdump. `options` are the call's parameters; `may_allocate`: the caller holds Datastore.Allocate on the storage."""

    cluster: Cluster
    node: str
    user: str
    vmids: list[int]
    options: Mapping[str, Any]
    may_allocate: bool = False

    def get(self, name: str, default: Any = None) -> Any:
        return self.options.get(name, default)

    @property
    def storage_id(self) -> str:
        return str(self.get("storage") or "local")

    @property
    def storage(self) -> Storage:
        return self.cluster.storages[self.storage_id]


def run_job(task: Task, job: Job) -> None:
    """The task. Without storage or lock nothing begins; a guest that fails does not keep the next one from its turn."""
    with job.cluster.lock:
        keep = _storage_rules(job)
        _await_turn(task, job)
    task.say(f"INFO: starting new backup job: {command_line(job)}")
    with job.cluster.lock:
        chosen = [vmid for vmid in sorted(job.vmids) if vmid not in job.cluster.guests or _may_back_up(job, vmid)]
    failed = 0
    for vmid in chosen:
        failed += not back_up(Run(job, task, vmid, job.cluster.now()), keep)
        if task.stopping:
            break
    task.say(f"INFO: Backup job finished {'with errors' if failed else 'successfully'}")
    if failed:
        raise TaskFailure("job errors")


def _storage_rules(job: Job) -> Keep:
    """The storage's state, or all that is wrong with it; then which backups are to be kept."""
    faults, name = [], job.storage_id
    try:
        job.cluster.storage_on(name, job.node)
    except Refusal as refusal:
        faults.append(f"could not activate storage '{name}': {refusal.text}")
    storage = job.cluster.storages.get(name)
    prefix = f"could not get storage information for '{name}': "
    if storage is None:
        faults.append(f"{prefix}storage '{name}' does not exist")
    elif "backup" not in storage.content:
        faults.append(f"{prefix}can't use storage '{name}' for backups - wrong content type")
    if job.get("tmpdir") and job.get("tmpdir") not in job.cluster.nodes[job.node].directories:
        faults.append(f"tmpdir '{job.get('tmpdir')}' does not exist")
    if faults or storage is None:
        raise TaskFailure("\n".join(faults))
    if "prune-backups" in job.options:
        return parse_keep(job.cluster, job.options["prune-backups"])
    if "maxfiles" in job.options:
        return {"keep-last": int(job.options["maxfiles"])}
    return storage_keep(job.cluster, storage) or {"keep-all": 1}


def _await_turn(task: Task, job: Job) -> None:
    """One job at a time on a node: older ones go first. The cluster's lock must be held once."""

    def is_turn() -> bool:
        return not any(older.running for older in _older_jobs(task, job))

    minutes = int(job.get("lockwait", 180))
    if is_turn():
        return
    if not minutes:
        task.say(f"ERROR: can't acquire lock '{LOCK}' (wait = 0)")
        raise TaskFailure("unexpected status")
    task.say("INFO: trying to get global lock - waiting...")
    if not job.cluster.lock.wait_for(lambda: task.stopping or is_turn(), minutes * 60) or task.stopping:
        task.say(f"ERROR: can't acquire lock '{LOCK}' - {'interrupted by signal' if task.stopping else 'got timeout'}")
        raise TaskFailure("unexpected status")
    task.say("INFO: got global lock")


def _older_jobs(task: Task, job: Job) -> Iterator[Task]:
    for other in job.cluster.tasks.values():
        if other is task:
            return
        if other.type == "vzdump" and other.node == job.node:
            yield other


def command_line(job: Job) -> str:
    """The job as a command, as its log begins."""
    shown = {name: value for name, value in job.options.items() if name not in {"vmid", "exclude-path"} and value not in ("", None)}
    words = [*re.split(r"[,;\s]+", str(job.get("vmid", ""))), *(f"--{name} {_quoted(value)}" for name, value in shown.items())]
    words += [f"--exclude-path {_quoted(path)}" for path in job.get("exclude-path", ())]
    return " ".join(["vzdump", *filter(None, words)])


def _quoted(value: Any) -> str:
    text = str(value)
    return text if re.fullmatch(r"[\w@%+=:,./-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _may_back_up(job: Job, vmid: int) -> bool:
    """With `all` a guest without the right is left out; without, the whole job fails."""
    lacking = missing(job.cluster, job.user, f"/vms/{vmid}", ("VM.Backup",))
    if lacking and not job.get("all"):
        raise TaskFailure(as_text(forbidden(f"/vms/{vmid}, {lacking}")))
    return not lacking
