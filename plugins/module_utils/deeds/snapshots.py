# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Safety points: their making, their end, and going back to one."""

from __future__ import annotations

from ..errors import StateMoved, TaskError, Timeout
from ..plans import Step
from ..resources import archives, safety_backups, snapshots
from . import Deed, Task

PURPOSE = "Proximity goes back to this when an update does not become healthy, and removes it when it is old."


def _take(task: Task, step: Step) -> list[str]:
    upid = snapshots.create_snapshot(task.client, task.node_of(step), step.id, (step.after or {})["name"], PURPOSE)
    return task.client.wait(upid, task.app.timeouts.create_s)


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
    after, node = step.after or {}, task.node_of(step)
    volume = safety_backups.observe_safety_backup(task.client, node, after["storage"], step.id, (step.before or {})["name"])
    wish = {"storage": after["disk_storage"], "notes": after["notes"]}
    return task.client.wait(archives.restore_guest(task.client, node, step.id, volume, wish, force=True), task.app.timeouts.create_s)


def _erase(task: Task, step: Step) -> list[str]:
    before, node = step.before or {}, task.node_of(step)
    volume = safety_backups.observe_safety_backup(task.client, node, before["storage"], step.id, before["name"])
    upid = archives.remove_archive(task.client, node, volume) if volume else None
    return task.client.wait(upid, task.app.timeouts.create_s) if upid else []


SNAPSHOT_DEEDS: dict[tuple[str, str], Deed] = {
    ("create", "snapshot"): _take,
    ("rollback", "snapshot"): _go_back,
    ("delete", "snapshot"): _drop,
    ("create", "safety-backup"): _save,
    ("rollback", "safety-backup"): _restore,
    ("delete", "safety-backup"): _erase,
}
