# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups: their making, what is said of them, their end, and guests made of them."""

from __future__ import annotations

from ..archives import Label
from ..backups import BackupTimeouts
from ..errors import ApiError, OutcomeUnknown, StateMoved, TaskError
from ..plans import Step
from ..resources import archives
from . import Deed, Task


def _limit_s(task: Task) -> int:
    times = task.app.timeouts
    return times.backup_s if isinstance(times, BackupTimeouts) else BackupTimeouts().backup_s


def _create(task: Task, step: Step) -> list[str]:
    after, node = step.after or {}, task.node_of(step)
    notes = archives.fitting_notes(Label(**after["label"]), after["text"])
    upid = archives.create_backup(
        task.client, node, step.id, after["storage"], after["mode"], after["compress"], notes, protected=after["protected"]
    )
    if not upid:  # Proxmox answers OK and does nothing, since another node holds the guest
        raise StateMoved(f"guest {step.id} is not on node {node}", 200, "POST", f"/nodes/{node}/vzdump")
    if after["label"].get("kind") != "safety":
        _give_way(task, step, upid)
        if not getattr(task.app, "wait", True):
            return []
    try:
        return task.client.wait(upid, _limit_s(task))
    except TaskError as error:
        raise TaskError(upid, archives.reason_of(task.client, upid) or error.exitstatus, error.log) from error


def _give_way(task: Task, step: Step, upid: str) -> None:
    """Of two backups of an app that were begun at the same moment, one is made: whoever sees another's stops its own, and looks again.

    The later of the two always sees the earlier one: Proxmox lists a task before it answers the call that began it, and of one that has
    ended by now, there is the backup.
    """
    node = task.node_of(step)
    try:
        if not (_another_is_made(task, step, upid) or (_another_was_made(task, step) and archives.is_under_way(task.client, upid))):
            return
        archives.stop_work(task.client, upid)
    except ApiError as error:  # the backup goes on; another look finds it
        raise OutcomeUnknown(error.reason, error.status, error.method, error.path) from error
    try:
        task.client.wait(upid, _limit_s(task))
    except TaskError as error:
        raise StateMoved(f"somebody else backs guest {step.id} up", 200, "POST", f"/nodes/{node}/vzdump") from error


def _another_is_made(task: Task, step: Step, upid: str) -> bool:
    works = archives.observe_works(task.client, task.node_of(step), step.id)
    return any(work.status == "creating" and work.upid != upid for work in works)


def _another_was_made(task: Task, step: Step) -> bool:
    """Whether there is a backup of the app that was not there when this one was planned."""
    after, seen = step.after or {}, getattr(task.app, "seen", None)
    if seen is None:
        return False
    there = archives.observe_archives(task.client, task.node_of(step), after["storage"])
    return any(each.label and each.label.app == after["label"]["app"] and each.volume not in seen for each in there)


def _update(task: Task, step: Step) -> list[str]:
    after, node = step.after or {}, task.node_of(step)
    if "verdict" in after:
        archives.record_verdict(task.client, node, after["volume"], after["verdict"])
    else:
        archives.describe_archive(task.client, node, after["volume"], protected=after["protected"])
    return []


def _delete(task: Task, step: Step) -> list[str]:
    upid = archives.remove_archive(task.client, task.node_of(step), (step.before or {})["volume"])
    return task.client.wait(upid, task.app.timeouts.create_s) if upid else []


def _restore(task: Task, step: Step) -> list[str]:
    after = step.after or {}
    upid = archives.restore_guest(task.client, task.node_of(step), step.id, after["archive"], after, force=step.before is not None)
    return task.client.wait(upid, _limit_s(task))


ARCHIVE_DEEDS: dict[tuple[str, str], Deed] = {
    ("create", "archive"): _create,
    ("update", "archive"): _update,
    ("delete", "archive"): _delete,
    ("restore", "guest"): _restore,
}
