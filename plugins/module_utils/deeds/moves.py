# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations. One that is under way is waited for and not begun twice: our own whose answer was lost, or that of a run that was killed."""

from __future__ import annotations

import re

from ..errors import OutcomeUnknown, StateMoved, TaskError
from ..plans import Step
from ..resources import migration
from ..resources.refusals import MOVED
from . import Deed, Task

ABORTED = re.compile(r"ERROR: migration aborted \(duration [\d:]+\): (.+)")
HINDRANCE = re.compile(r"can't migrate (local volume .+)")


def _move(task: Task, step: Step) -> list[str]:
    after, node, times = step.after or {}, task.node_of(step), task.app.timeouts
    upid = migration.observe_migration(task.client, node, step.id)
    if not upid:
        try:
            upid = migration.migrate_guest(task.client, node, step.id, after, times.shutdown_s)
        except OutcomeUnknown:
            upid = migration.observe_migration(task.client, node, step.id)
            if not upid:
                raise
    try:
        return task.client.wait(upid, times.copy_s)
    except TaskError as error:
        reason = _reason(error)
        if MOVED.search(reason):  # another run has just moved it, or is about to
            raise StateMoved(reason, 500, "POST", f"/nodes/{node}/lxc/{step.id}/migrate") from error
        raise TaskError(error.upid, reason, error.log) from error


def _reason(error: TaskError) -> str:
    """The task ends with no more than that it was aborted; why stands in its log."""
    said = [match[1] for line in error.log if (match := ABORTED.search(line))]
    hindrances = [match[1] for line in error.log if (match := HINDRANCE.search(line))]
    told = "; ".join(dict.fromkeys(hindrances or said))
    return f"{error.exitstatus}: {told}" if told else error.exitstatus


MOVE_DEEDS: dict[tuple[str, str], Deed] = {("move", "guest"): _move}
