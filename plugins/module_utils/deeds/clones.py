# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Clones. Proxmox keeps a source locked while it is copied: who comes second waits until it is free."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from ..errors import ApiError, StateMoved, TaskError, Timeout
from ..plans import Step
from ..resources import clones, snapshots
from ..resources.refusals import is_about_a_lock, is_about_a_lost_snapshot, is_about_a_used_name
from . import Deed, Task

PURPOSE = "Proximity copies this container from here, and removes this snapshot afterwards."


def _clone(task: Task, step: Step) -> list[str]:
    """Of a running source a snapshot is copied, which is removed whatever happens."""
    after = step.after or {}
    node, source, name = task.node_of(step), int(after["source"]), str(after["snapshot"])
    copy = partial(clones.clone_guest, task.client, node, step.id, after)
    if not name:
        return _when_free(task, copy)
    warnings = _take(task, node, source, name)
    try:
        return warnings + _when_free(task, copy)
    finally:
        _drop(task, node, source, name)


def _remove_snapshot(task: Task, step: Step) -> list[str]:
    return _drop(task, task.node_of(step), step.id, str((step.before or {})["snapshot"]))


def _take(task: Task, node: str, vmid: int, name: str) -> list[str]:
    try:
        return _when_free(task, partial(snapshots.create_snapshot, task.client, node, vmid, name, PURPOSE))
    except TaskError as error:
        if is_about_a_used_name(error):  # another run is about to make the same copy
            raise StateMoved(error.exitstatus, 500, "POST", f"/nodes/{node}/lxc/{vmid}/snapshot") from error
        raise


def _drop(task: Task, node: str, vmid: int, name: str) -> list[str]:
    """One that somebody else has removed is removed."""
    try:
        return _when_free(task, partial(snapshots.delete_snapshot, task.client, node, vmid, name))
    except (ApiError, TaskError) as error:
        if is_about_a_lost_snapshot(error):
            return []
        raise


def _when_free(task: Task, begin: Callable[[], str]) -> list[str]:
    """Begin a task and wait for it; again for as long as somebody else's work locks the source."""
    limit_s = task.app.timeouts.copy_s
    for _poll in task.client.pauses(limit_s):
        try:
            return task.client.wait(begin(), limit_s)
        except (ApiError, TaskError) as error:
            if not is_about_a_lock(error):
                raise
            held = error
    raise Timeout(f"its source is still locked after {limit_s} s: {held}.")


CLONE_DEEDS: dict[tuple[str, str], Deed] = {
    ("clone", "guest"): _clone,
    ("remove", "clone-snapshot"): _remove_snapshot,
}
