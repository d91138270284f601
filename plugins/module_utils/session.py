# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""One run against one cluster: how it looks, and looks again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from .api import Client
from .errors import StateMoved
from .log import Log
from .model import Controller, Observed
from .observer import Planner, nothing_observed, observe
from .plans import AppPlan

ROUNDS = 5
LONGEST_PAUSE_S = 0.5


@dataclass(frozen=True)
class Session:
    """One run of a module against one cluster."""

    client: Client
    controller: Controller
    log: Log = field(default_factory=Log)

    def look(self, planner: Planner, hidden: Collection[int] = (), rounds: int = ROUNDS, moved: bool = False) -> tuple[AppPlan, Observed]:
        """Observe from scratch and plan one app; again when the cluster moved under our eyes."""
        try:
            plan, observed = observe(self.client, planner, nothing_observed(self.controller, frozenset(hidden), moved))
        except StateMoved as gone:
            if rounds == 1:
                raise
            self.log.add("warning", "observe", f"{gone}. Looking again.")
            self.pause()
            return self.look(planner, hidden, rounds - 1, moved=True)
        return plan.apps[0], observed

    def pause(self) -> None:
        """Let whoever else is at it get ahead, and not in step with us."""
        self.client.clock.sleep(self.client.clock.random() * LONGEST_PAUSE_S)
