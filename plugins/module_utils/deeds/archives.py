# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups: their making, what is said of them, their end, and guests made of them."""

from __future__ import annotations

from ..archives import Label
from ..backups import BackupTimeouts
from ..errors import StateMoved, TaskError
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
    if not getattr(task.app, "wait", True) and after["label"].get("kind") != "safety":
        return []
    try:
        return task.client.wait(upid, _limit_s(task))
    except TaskError as error:
        raise TaskError(upid, archives.reason_of(task.client, upid) or error.exitstatus, error.log) from error


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
