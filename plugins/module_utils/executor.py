# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Walks a plan: the only place that writes. A table from (verb, kind) to the function that does it."""

from __future__ import annotations

from dataclasses import dataclass

from .api import Client
from .deeds import Deed, Task
from .deeds.archives import ARCHIVE_DEEDS
from .deeds.clones import CLONE_DEEDS
from .deeds.guests import GUEST_DEEDS
from .deeds.jobs import JOB_DEEDS
from .deeds.moves import MOVE_DEEDS
from .deeds.slots import SLOT_DEEDS
from .deeds.snapshots import SNAPSHOT_DEEDS
from .desired import Desired, DesiredApp
from .errors import ApiError, ProximityError, TaskError, Timeout
from .log import Log
from .model import GuestConfig, Live
from .plans import AppPlan, Step
from .resources import guests

DEEDS: dict[tuple[str, str], Deed] = {
    **ARCHIVE_DEEDS,
    **GUEST_DEEDS,
    **JOB_DEEDS,
    **CLONE_DEEDS,
    **MOVE_DEEDS,
    **SLOT_DEEDS,
    **SNAPSHOT_DEEDS,
}


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
    keys += f" from {(step.after or {})['archive']}" if step.verb == "restore" else ""
    where = f" on node {step.node or node}" if step.kind not in ("slot", "rescue") else ""
    return f"{step.verb} {step.kind} {step.id}{where}{keys}"


def _said(error: ProximityError) -> str:
    if isinstance(error, ApiError):
        hint = " Give the token this privilege." if error.status == 403 else ""
        return f"{error.said}.{hint}"
    return f"{error.exitstatus}." if isinstance(error, TaskError) else str(error)


def an_address_comes(config: GuestConfig) -> bool:
    """Whether a guest that is started gets an address which can be waited for; without a cable, many systems configure none."""
    return not config.network.link_down and config.network.address not in ("", "manual")


def await_address(client: Client, app: DesiredApp, plan: AppPlan, interface: str) -> Live:
    """Wait until a guest that was just started has an address on its first interface."""
    for _poll in client.pauses(app.timeouts.address_s):
        live = guests.observe_live(client, plan.node, plan.vmid, poll=True)
        if any(":" not in address for address in live.addresses.get(interface, ())):  # one of version 6 may be there earlier
            return live
    raise Timeout(
        f"App {app.name} (guest {plan.vmid}) has no address after {app.timeouts.address_s} s. Is there a DHCP server on its bridge?"
    )
