"""The backup of one guest within a job: lock, hold still, write, note, prune, let go (pve-manager, VZDump.pm; pve-container)."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.archives import archive_path, shown_path
from lab.configs import check_lock, config_text
from lab.containers import config_file, set_lock, shut_down, start_container
from lab.disks import add_volume, mounts_of
from lab.errors import Refusal, TaskFailure
from lab.features import volume_can
from lab.guests.runtime import RuntimeFailure
from lab.model import Guest, Snapshot, Volume
from lab.notes import fill_template
from lab.quorum import check_writable
from lab.retention import Keep, backups_on, check_protectable, prune, remove_archive
from lab.tasks import TaskStopped
from lab.userfile import as_text
from lab.volumes import bytes_to_copy

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.tasks import Task
    from lab.vzdump import Job

MIB = 1024**2
ENDINGS = {"0": "tar", "1": "tar.lzo", "lzo": "tar.lzo", "gzip": "tar.gz", "zstd": "tar.zst"}
SHRINKS = {"tar": 1.0, "tar.lzo": 0.5, "tar.gz": 0.4, "tar.zst": 0.34}
"""What compression makes of a root file system's size, where the archive of a simulated one has no size to speak of."""
SNAPSHOT = "vzdump"


@dataclass
class Run:
    """The backup of one guest. What has been begun stands here, so that it can be taken back."""

    job: Job
    task: Task
    vmid: int
    began: int
    locked: bool = False
    snapshotted: bool = False
    parent: str = ""
    suspended: bool = False
    stopped: bool = False
    down_at: float = 0.0
    volumes: int = 1
    """So many are saved."""

    def info(self, text: str) -> None:
        self.task.say(f"INFO: {text}")

    @property
    def cluster(self) -> Cluster:
        return self.job.cluster

    def guest(self) -> Guest:
        return self.cluster.guest(self.job.node, self.vmid)


def back_up(run: Run, keep: Keep) -> bool:
    """One guest; whether that worked."""
    failure = ""
    try:
        _work(run, keep)
    except (TaskFailure, Refusal, RuntimeFailure) as error:
        failure = as_text(error) if isinstance(error, Refusal) else str(error)
    _clean_up(run)
    if failure:
        run.task.say(f"ERROR: Backup of VM {run.vmid} failed - {failure}")
        run.info(f"Failed at {_clock(run)}")
    else:
        span = time.strftime("%H:%M:%S", time.gmtime(max(0, run.cluster.now() - run.began)))
        run.info(f"Finished Backup of VM {run.vmid} ({span})")
        run.info(f"Backup finished at {_clock(run)}")
    return not failure


def _clock(run: Run) -> str:
    return time.strftime("%F %H:%M:%S", time.gmtime(run.cluster.now()))


def _work(run: Run, keep: Keep) -> None:
    with run.cluster.lock:
        if run.vmid not in run.cluster.guests:
            raise TaskFailure(f"unable to find VM '{run.vmid}'")
        _check_room(run, keep)
        run.info(f"Starting Backup of VM {run.vmid} (lxc)")
        run.info(f"Backup started at {_clock(run)}")
        running = run.cluster.running(run.guest())
        run.info(f"status = {'running' if running else 'stopped'}")
        guest = config_file(run.cluster, run.job.node, run.vmid)
        check_lock(guest)
        check_writable(run.cluster, run.job.node, run.vmid)
        set_lock(run.cluster, guest, "backup")
        run.locked = True
        mode = _prepare(run, guest, str(run.job.get("mode", "snapshot")) if running else "stop")
        volume = _new_archive(run, guest)
    _save(run, guest, volume, mode if running else "")
    with run.cluster.lock:
        _finish(run, guest, volume, keep)


def _check_room(run: Run, keep: Keep) -> None:
    """Where nothing is pruned, so many backups are too many; protected ones are counted on their own."""
    job, limit = run.job, sum(number for name, number in keep.items() if name != "keep-all")
    backups = backups_on(job.cluster, job.storage, job.node, run.vmid)
    shielded = sum(backup.protected for backup in backups)
    if job.get("protected"):
        check_protectable(job.storage, shielded, job.may_allocate)
    elif limit and not job.get("remove", 1) and len(backups) - shielded >= limit:
        text = "Either increase the limit or delete old backups."
        raise TaskFailure(f"There is a max backup limit of {limit} enforced by the target storage or the vzdump parameters. {text}")


def _prepare(run: Run, guest: Guest, mode: str) -> str:
    """The mode that it will be: where the storage has no snapshots, the guest is suspended instead."""
    mounts = mounts_of(run.cluster, guest.config)
    saved = {name: mount for name, mount in mounts.items() if name == "rootfs" or mount.get("backup") == "1"}
    run.volumes = len(saved)
    lines = [f"CT Name: {guest.name}"]
    for name, mount in sorted(mounts.items(), key=lambda item: (item[0] != "rootfs", len(item[0]), item[0])):
        place = f"mount point {name} ('{mount.get('mp', '/')}')"
        kind, reason = ("bind", "not a volume") if str(mount["volume"]).startswith("/") else ("volume", "disabled")
        lines.append(f"including {place} in backup" if name in saved else f"excluding {kind} {place} from backup ({reason})")
    if mode == "snapshot":
        if all(volume_can(run.cluster, "snapshot", str(mount["volume"])) for mount in saved.values()):
            _say_mode(run, lines, mode)
            return mode
        run.info("mode failure - some volumes do not support snapshots")
        run.info("trying 'suspend' mode instead")
        mode = "suspend"
    _say_mode(run, [], mode)
    for line in lines:
        run.info(line)
    return mode


def _say_mode(run: Run, before: list[str], mode: str) -> None:
    for line in before:
        run.info(line)
    run.info(f"backup mode: {mode}")
    if limit := run.job.get("bwlimit"):
        run.info(f"bandwidth limit: {limit} KiB/s")
    run.info(f"ionice priority: {run.job.get('ionice', 7)}")


def _new_archive(run: Run, guest: Guest) -> Volume:
    """The archive's name bears the second; a second one of the same second takes the next."""
    cluster, job = run.cluster, run.job
    ending, began = ENDINGS[str(job.get("compress", "0"))], run.began
    taken = {backup.ctime for backup in backups_on(cluster, job.storage, job.node, run.vmid)}
    while began in taken:
        began += 1
    stamp = time.strftime("%Y_%m_%d-%H_%M_%S", time.gmtime(began))
    config = {name: value for name, value in guest.config.items() if name not in {"lock", "parent"}}
    volume = Volume(job.storage_id, f"backup/vzdump-lxc-{run.vmid}-{stamp}.{ending}", "backup", ending, 0, began, vmid=run.vmid)
    volume.node = "" if job.storage.shared else job.node
    volume.facts = {"config": config, "guest": dict(guest.facts)}
    return volume


def _save(run: Run, guest: Guest, volume: Volume, mode: str) -> None:
    """Write the archive, with the guest held still as the mode says; a stopped one needs no mode."""
    task, cluster = run.task, run.cluster
    if mode == "suspend":
        _write_suspended(run, guest, volume)
    elif mode == "snapshot":
        _take_snapshot(run, guest)
    elif mode == "stop":
        run.info("stopping virtual guest")
        run.stopped, run.down_at = True, cluster.clock.now()
        shut_down(task, cluster, guest, int(run.job.get("stopwait", 10)) * 60, force=False)
    run.info(f"creating vzdump archive '{shown_path(run.job.storage, volume.name)}'")
    if mode != "suspend":
        _write(run, guest, volume)
    try:
        task.limited(bytes_to_copy(guest), float(run.job.get("bwlimit", 0)))
    except TaskStopped:
        remove_archive(cluster, volume)
        raise


def _write_suspended(run: Run, guest: Guest, volume: Volume) -> None:
    target = shown_path(run.job.storage, volume.name).rpartition(".tar")[0] + ".tmp"
    source = f"/proc/{run.cluster.state_of(guest).pid or 1}/root/"
    run.info(f"starting first sync {source} to {target}")
    run.info("first sync finished - transferred 156.01M bytes in 1s")
    run.info("suspending guest")
    run.down_at = run.cluster.clock.now()
    run.cluster.runtime.suspend(guest.node, guest.vmid)
    run.suspended = True
    run.info(f"starting final sync {source} to {target}")
    _write(run, guest, volume)
    run.info("final sync finished - transferred 1.02M bytes in 1s")
    _resume(run)


def _resume(run: Run) -> None:
    run.info("resuming guest")
    run.suspended = False
    run.cluster.runtime.resume(run.job.node, run.vmid)
    _say_online(run, "<1")


def _say_online(run: Run, least: str) -> None:
    seconds = int(run.cluster.clock.now() - (run.down_at))
    run.info(f"guest is online again after {seconds if seconds >= 1 else least} seconds")


def _take_snapshot(run: Run, guest: Guest) -> None:
    """Of several volumes at one moment, so that the guest holds still. While the archive is written the config tells of it."""
    if run.volumes > 1:
        run.info("suspend vm to make snapshot")
        run.down_at = run.cluster.clock.now()
    run.info("create storage snapshot 'vzdump'")
    with run.cluster.lock:
        if old := guest.snapshots.pop(SNAPSHOT, None):  # of a backup that broke off with its node
            run.info("found old vzdump snapshot (force removal)")
            guest.config.pop("parent", None)
            guest.config |= {"parent": old.parent} if old.parent else {}
        run.parent = str(guest.config.get("parent", ""))
        kept = {name: value for name, value in guest.config.items() if name not in {"lock", "parent", "description"}}
        guest.snapshots[SNAPSHOT] = Snapshot(SNAPSHOT, kept, run.cluster.now(), "vzdump backup snapshot\n", run.parent)
        guest.config["parent"] = SNAPSHOT
        run.snapshotted = True
    if run.volumes > 1:
        run.info("resume vm")
        _say_online(run, "<1")


def _write(run: Run, guest: Guest, volume: Volume) -> None:
    """Have the runtime write the file. What it says of it is said in Proxmox's words here, for both kinds of guests alike."""
    cluster, path = run.cluster, archive_path(run.cluster, volume)
    text = config_text(Guest(guest.vmid, guest.node, volume.facts["config"]))
    cluster.runtime.backup(guest.node, guest.vmid, path, text, lambda line: None)
    pretended = cluster.runtime.kind == "simulated"
    volume.size = int(bytes_to_copy(guest) * SHRINKS[volume.format]) if pretended else path.stat().st_size
    volume.used = volume.size
    if run.task.stopping:
        remove_archive(cluster, volume)
        raise TaskStopped("interrupted by signal")


def _finish(run: Run, guest: Guest, volume: Volume, keep: Keep) -> None:
    """The archive is there: notes, protection, then the older ones."""
    job, size = run.job, bytes_to_copy(guest)
    run.info(f"Total bytes written: {size} ({size // MIB}MiB, 260MiB/s)")
    run.info(f"archive file size: {volume.size // MIB}MB")
    if template := job.get("notes-template"):
        run.info("adding notes to backup")
        values = {"guestname": guest.name, "vmid": run.vmid, "node": job.node, "cluster": run.cluster.name or "standalone node"}
        volume.notes = fill_template(template, values)
    if job.get("protected"):
        run.info("marking backup as protected")
        volume.protected = True
    add_volume(run.cluster, job.node, volume)
    if job.get("remove", 1) and not keep.get("keep-all"):
        rules = ", ".join(f"{name}={number}" for name, number in sorted(keep.items()))
        run.info(f"prune older backups with retention: {rules}")
        pruned = prune(run.cluster, backups_on(run.cluster, job.storage, job.node, run.vmid), keep, run.info)
        run.info(f"pruned {pruned} backup(s){' not covered by keep-retention policy' if pruned else ''}")


def _clean_up(run: Run) -> None:
    """Take back what was begun: the lock, the snapshot, the stop. The guest may be gone by now."""
    cluster, guest = run.cluster, run.cluster.guests.get(run.vmid)
    if guest is None or not run.locked:
        return
    with cluster.lock:
        set_lock(cluster, guest, "")
        if run.snapshotted:
            run.info("cleanup temporary 'vzdump' snapshot")
            guest.snapshots.pop(SNAPSHOT, None)
            guest.config.pop("parent", None)
            guest.config |= {"parent": run.parent} if run.parent else {}
    try:
        if run.suspended:
            _resume(run)
        elif run.stopped and not cluster.running(guest):
            run.info("restarting vm")
            _start_again(run)
            _say_online(run, "1")
    except (TaskFailure, Refusal, RuntimeFailure) as failure:
        run.task.say(str(failure))


def _start_again(run: Run) -> None:
    """By a command of its own in the original: what it warns of is not the job's warning."""
    said, warned = len(run.task.log), run.task.warnings
    try:
        start_container(run.task, run.cluster, run.job.node, run.vmid)
    finally:
        del run.task.log[said:]
        run.task.warnings = warned
