# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a step means: functions by (verb, kind), a file for each kind of thing. The executor alone calls them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..api import Client
from ..desired import Desired
from ..plans import AppPlan, Step


@dataclass(frozen=True)
class Task:
    """All that a deed needs beside its step."""

    client: Client
    app: Desired
    plan: AppPlan

    def node_of(self, step: Step) -> str:
        return step.node or self.plan.node


Deed = Callable[[Task, Step], list[str]]
"""Does a step, and answers the warnings of Proxmox."""
