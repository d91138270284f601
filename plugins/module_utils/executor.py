# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Walks a plan: the only place that writes. A table from (verb, kind) to the function that does it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from .api import Client
from .desired import Desired, DesiredApp
from .errors import ApiError, ProximityError, TaskError, Timeout
from .model import AppPlan, Live, Step, claim_of
from .resources import guests, ledger
from .wire.times import format_time

START_AFTER_CREATE_S = 5


@dataclass
class Log:
    """What happened, for people: a list of time, level, step and message."""

    lines: list[dict[str, str]] = field(default_factory=list)

    def add(self, level: str, step: str, message: str) -> None:
        self.lines.append({"time": format_time(datetime.now(UTC)), "level": level, "step": step, "message": message})


@dataclass(frozen=True)
class Task:
    """All that a deed needs beside its step."""

    client: Client
    app: Desired
    plan: AppPlan


@dataclass(frozen=True)
class Progress:
    """How far a plan came; `cause` says why it stopped at `failed`."""

    done: tuple[Step, ...]
    failed: Step | None = None
    cause: ProximityError | None = None
    not_started: tuple[Step, ...] = ()

    def told(self, node: str) -> str:
        """What failed, and what was said about it."""
        return f"{sentence(self.failed, node)}: {_said(self.cause)}" if self.failed and self.cause else ""


def execute(client: Client, app: Desired, plan: AppPlan, log: Log) -> Progress:
    """Do the steps in their order and stop at the first failure."""
    task = Task(client, app, plan)
    for number, step in enumerate(plan.steps):
        try:
            warnings = DEEDS[step.verb, step.kind](task, step)
        except (ApiError, TaskError, Timeout) as error:
            progress = Progress(plan.steps[:number], step, error, plan.steps[number + 1 :])
            log.add("error", step.verb, f"Cannot {progress.told(plan.node)}")
            return progress
        for warning in warnings:
            log.add("warning", step.verb, warning)
        log.add("info", step.verb, f"Done: {sentence(step, plan.node)}")
    return Progress(plan.steps)


def sentence(step: Step, node: str) -> str:
    keys = f" ({', '.join(sorted(step.after or {}))})" if step.verb == "update" else ""
    where = f" on node {node}" if step.kind != "slot" else ""
    return f"{step.verb} {step.kind} {step.id}{where}{keys}"


def _said(error: ProximityError) -> str:
    if isinstance(error, ApiError):
        hint = " Give the token this privilege." if error.status == 403 else ""
        return f"{error.said}.{hint}"
    return f"{error.exitstatus}." if isinstance(error, TaskError) else str(error)


def _create(task: Task, step: Step) -> list[str]:
    after, plan, times = step.after or {}, task.plan, task.app.timeouts
    warnings = task.client.wait(guests.create_guest(task.client, plan.node, step.id, after), times.create_s)
    if after["running"] and not _runs_soon(task, step):
        warnings += _start(task, step)  # Proxmox calls a creation good whose start failed: this start tells why
    return warnings


def _runs_soon(task: Task, step: Step) -> bool:
    """Whether the start that a creation ends with, a task of its own, has come about."""
    return any(
        guests.observe_live(task.client, task.plan.node, step.id, poll=True).running for _poll in task.client.pauses(START_AFTER_CREATE_S)
    )


def _update(task: Task, step: Step) -> list[str]:
    guests.update_config(task.client, task.plan.node, step.id, step.after or {}, task.plan.digest)
    return []


def _grow(task: Task, step: Step) -> list[str]:
    upid = guests.resize_disk(task.client, task.plan.node, step.id, (step.after or {})["disk_mb"])
    return task.client.wait(upid, task.app.timeouts.create_s)


def _start(task: Task, step: Step) -> list[str]:
    return task.client.wait(guests.start_guest(task.client, task.plan.node, step.id), task.app.timeouts.start_s)


def _stop(task: Task, step: Step) -> list[str]:
    limit_s = task.app.timeouts.shutdown_s + task.app.timeouts.start_s
    warnings = task.client.wait(guests.stop_guest(task.client, task.plan.node, step.id, task.app.timeouts.shutdown_s), limit_s)
    for _poll in task.client.pauses(limit_s):  # of a guest under high availability, the task only asks for it
        if not guests.observe_live(task.client, task.plan.node, step.id, poll=True).running:
            return warnings
    raise Timeout(f"it still runs after {limit_s} s.")


def _restart(task: Task, step: Step) -> list[str]:
    limit_s = task.app.timeouts.shutdown_s
    return task.client.wait(guests.restart_guest(task.client, task.plan.node, step.id, limit_s), limit_s + task.app.timeouts.start_s)


def _delete(task: Task, step: Step) -> list[str]:
    return task.client.wait(guests.delete_guest(task.client, task.plan.node, step.id), task.app.timeouts.create_s)


def _claim(task: Task, step: Step) -> list[str]:
    ledger.write_claim(task.client, task.app.port_range.ledger, replace(claim_of(step.id, step.after or {}), made=datetime.now(UTC)))
    return []


def _release(task: Task, step: Step) -> list[str]:
    ledger.erase_claim(task.client, task.app.port_range.ledger, claim_of(step.id, step.before or {}))
    return []


def _announce(task: Task, step: Step) -> list[str]:
    ledger.announce_ledger(task.client, task.app.port_range.ledger)
    return []


def await_address(client: Client, app: DesiredApp, plan: AppPlan, interface: str) -> Live:
    """Wait until a guest that was just started has an address on its first interface."""
    for _poll in client.pauses(app.timeouts.address_s):
        live = guests.observe_live(client, plan.node, plan.vmid, poll=True)
        if any(":" not in address for address in live.addresses.get(interface, ())):  # one of version 6 may be there earlier
            return live
    raise Timeout(
        f"App {app.name} (guest {plan.vmid}) has no address after {app.timeouts.address_s} s. Is there a DHCP server on its bridge?"
    )


DEEDS: dict[tuple[str, str], Callable[[Task, Step], list[str]]] = {
    ("create", "guest"): _create,
    ("update", "config"): _update,
    ("grow", "disk"): _grow,
    ("start", "guest"): _start,
    ("stop", "guest"): _stop,
    ("restart", "guest"): _restart,
    ("delete", "guest"): _delete,
    ("claim", "slot"): _claim,
    ("release", "slot"): _release,
    ("announce", "slot"): _announce,
}
