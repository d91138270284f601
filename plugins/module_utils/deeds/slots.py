# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Slots in the ledger."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from ..claims import claim_of
from ..plans import Step
from ..resources import ledger
from . import Deed, Task


def _claim(task: Task, step: Step) -> list[str]:
    ledger.write_claim(task.client, task.app.port_range.ledger, replace(claim_of(step.id, step.after or {}), made=datetime.now(UTC)))
    return []


def _release(task: Task, step: Step) -> list[str]:
    ledger.erase_claim(task.client, task.app.port_range.ledger, claim_of(step.id, step.before or {}))
    return []


def _announce(task: Task, step: Step) -> list[str]:
    ledger.announce_ledger(task.client, task.app.port_range.ledger)
    return []


SLOT_DEEDS: dict[tuple[str, str], Deed] = {
    ("claim", "slot"): _claim,
    ("release", "slot"): _release,
    ("announce", "slot"): _announce,
}
