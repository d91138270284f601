# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Containers: their making, their configuration, their power and their end."""

from __future__ import annotations

from ..errors import StateMoved, Timeout
from ..plans import Step
from ..resources import guests
from . import Deed, Task

START_AFTER_CREATE_S = 5


def _create(task: Task, step: Step) -> list[str]:
    after, times = step.after or {}, task.app.timeouts
    warnings = task.client.wait(guests.create_guest(task.client, task.node_of(step), step.id, after), times.create_s)
    if after["running"] and not _runs_soon(task, step):
        warnings += _start(task, step)  # Proxmox calls a creation good whose start failed: this start tells why
    return warnings


def _runs_soon(task: Task, step: Step) -> bool:
    """Whether the start that a creation ends with, a task of its own, has come about."""
    return any(
        guests.observe_live(task.client, task.node_of(step), step.id, poll=True).running
        for _poll in task.client.pauses(START_AFTER_CREATE_S)
    )


def _update(task: Task, step: Step) -> list[str]:
    guests.update_config(task.client, task.node_of(step), step.id, step.after or {}, _digest(task, step))
    return []


def _digest(task: Task, step: Step) -> str:
    """The one that was observed; read anew where the plan itself has changed it: the digest covers a guest's snapshots too."""
    earlier = task.plan.steps[: task.plan.steps.index(step)]
    if not any((each.verb, each.kind) == ("delete", "snapshot") for each in earlier):
        return task.plan.digest
    config = guests.observe_config(task.client, task.node_of(step), step.id)
    if any(getattr(config, key) != value for key, value in (step.before or {}).items()):
        raise StateMoved("somebody else changed it meanwhile", 0, "GET", f"/nodes/{task.node_of(step)}/lxc/{step.id}/pending")
    return config.digest


def _grow(task: Task, step: Step) -> list[str]:
    upid = guests.resize_disk(task.client, task.node_of(step), step.id, (step.after or {})["disk_mb"])
    return task.client.wait(upid, task.app.timeouts.create_s)


def _start(task: Task, step: Step) -> list[str]:
    return task.client.wait(guests.start_guest(task.client, task.node_of(step), step.id), task.app.timeouts.start_s)


def _stop(task: Task, step: Step) -> list[str]:
    limit_s = task.app.timeouts.shutdown_s + task.app.timeouts.start_s
    warnings = task.client.wait(guests.stop_guest(task.client, task.node_of(step), step.id, task.app.timeouts.shutdown_s), limit_s)
    for _poll in task.client.pauses(limit_s):  # of a guest under high availability, the task only asks for it
        if not guests.observe_live(task.client, task.node_of(step), step.id, poll=True).running:
            return warnings
    raise Timeout(f"it still runs after {limit_s} s.")


def _restart(task: Task, step: Step) -> list[str]:
    limit_s = task.app.timeouts.shutdown_s
    return task.client.wait(guests.restart_guest(task.client, task.node_of(step), step.id, limit_s), limit_s + task.app.timeouts.start_s)


def _delete(task: Task, step: Step) -> list[str]:
    return task.client.wait(guests.delete_guest(task.client, task.node_of(step), step.id), task.app.timeouts.create_s)


GUEST_DEEDS: dict[tuple[str, str], Deed] = {
    ("create", "guest"): _create,
    ("update", "config"): _update,
    ("grow", "disk"): _grow,
    ("start", "guest"): _start,
    ("stop", "guest"): _stop,
    ("restart", "guest"): _restart,
    ("delete", "guest"): _delete,
}
