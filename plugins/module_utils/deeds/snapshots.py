# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Safety points: their making, their end, and going back to one."""

from __future__ import annotations

from ..archives import Rescue
from ..errors import StateMoved, TaskError, Timeout
from ..plans import Step
from ..resources import archives, rescues, safety_backups, snapshots
from ..resources.cluster import observe_cluster
from ..resources.refusals import is_about_a_used_name
from . import Deed, Task

PURPOSE = "Proximity goes back to this when an update does not become healthy, and removes it when it is old."
TRIES = 3
PAUSE_S = 2.0


def _take(task: Task, step: Step) -> list[str]:
    """One that is there already was begun by us, and its answer lost: another look finds it."""
    node, name = task.node_of(step), (step.after or {})["name"]
    try:
        return task.client.wait(snapshots.create_snapshot(task.client, node, step.id, name, PURPOSE), task.app.timeouts.create_s)
    except TaskError as error:
        if is_about_a_used_name(error):
            if snapshots.is_unfinished(task.client, node, step.id, name):  # without a lock, nobody is at it any more
                task.client.wait(snapshots.delete_snapshot(task.client, node, step.id, name, force=True), task.app.timeouts.create_s)
            raise StateMoved(error.exitstatus, 500, "POST", f"/nodes/{node}/lxc/{step.id}/snapshot") from error
        raise


def _go_back(task: Task, step: Step) -> list[str]:
    upid = snapshots.roll_back(task.client, task.node_of(step), step.id, (step.before or {})["name"])
    return task.client.wait(upid, task.app.timeouts.create_s)


def _drop(task: Task, step: Step) -> list[str]:
    """One that is gone already is no failure."""
    node, name = task.node_of(step), (step.before or {})["name"]
    try:
        return task.client.wait(snapshots.delete_snapshot(task.client, node, step.id, name), task.app.timeouts.create_s)
    except (StateMoved, TaskError):
        if name not in snapshots.observe_snapshots(task.client, node, step.id):
            return []
        raise


def _save(task: Task, step: Step) -> list[str]:
    after, node = step.after or {}, task.node_of(step)
    upid = safety_backups.create_safety_backup(task.client, node, step.id, after["storage"], after["label"], PURPOSE)
    if not upid:
        raise Timeout(f"node {node} no longer holds it. Run again.")
    return task.client.wait(upid, task.app.timeouts.create_s)


def _restore(task: Task, step: Step) -> list[str]:
    """As soon as Proxmox has destroyed the old container, what fails leaves none: then it is tried again."""
    after, node = step.after or {}, task.node_of(step)
    volume = safety_backups.observe_safety_backup(task.client, node, after["storage"], step.id, (step.before or {})["name"])
    wish, is_there = {"storage": after["disk_storage"], "notes": after["notes"]}, True
    for _try in range(TRIES):
        try:
            upid = archives.restore_guest(task.client, node, step.id, volume, wish, force=is_there)
            return task.client.wait(upid, task.app.timeouts.create_s)
        except TaskError as error:
            is_there = step.id in observe_cluster(task.client).guests
            if is_there:
                raise
            failure = error
        task.client.clock.sleep(PAUSE_S)
    told = f"{failure.exitstatus}. Container {step.id} is gone, and all that is left of it is backup {volume}"
    raise TaskError(failure.upid, f"{told}: mend the cause and run again, it comes back from there", failure.log) from failure


def _erase(task: Task, step: Step) -> list[str]:
    """All of that name: a call that came late may have made another one."""
    before, node = step.before or {}, task.node_of(step)
    warnings: list[str] = []
    for volume in safety_backups.observe_safety_backups(task.client, node, before["storage"], step.id, before["name"]):
        upid = archives.remove_archive(task.client, node, volume)
        warnings += task.client.wait(upid, task.app.timeouts.create_s) if upid else []
    return warnings


def _announce(task: Task, step: Step) -> list[str]:
    after = step.after or {}
    rescues.begin_rescue(task.client, Rescue(after["pool"], task.node_of(step), after["storage"], after["archive"]))
    return []


def _conclude(task: Task, step: Step) -> list[str]:
    rescues.end_rescue(task.client, (step.before or {})["pool"])
    return []


SNAPSHOT_DEEDS: dict[tuple[str, str], Deed] = {
    ("create", "snapshot"): _take,
    ("rollback", "snapshot"): _go_back,
    ("delete", "snapshot"): _drop,
    ("create", "safety-backup"): _save,
    ("rollback", "safety-backup"): _restore,
    ("delete", "safety-backup"): _erase,
    ("create", "rescue"): _announce,
    ("delete", "rescue"): _conclude,
}
