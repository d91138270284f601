# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is to be done: steps, and the plans that they make up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Step:
    """One deed. `before` and `after` hold what it changes, by the names of GuestConfig; `node` is where, if not on the plan's node."""

    verb: str
    kind: str
    id: int
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    node: str = ""


@dataclass(frozen=True)
class AppPlan:
    """What is to be done for one app. `refusal` says why nothing can be.

    An app is `crowded` whose slot is the next one only because another app of the same plan is to have the first. Other controllers do not
    know that: it is made when that other one has been made, after another look.
    """

    name: str
    vmid: int = 0
    node: str = ""
    digest: str = ""
    steps: tuple[Step, ...] = ()
    converge: bool = False
    first: bool = False
    warnings: tuple[str, ...] = ()
    refusal: Exception | None = None
    crowded: bool = False

    @property
    def apps(self) -> tuple[AppPlan, ...]:
        return (self,)


@dataclass(frozen=True)
class Plan:
    apps: tuple[AppPlan, ...] = ()

    @property
    def steps(self) -> tuple[Step, ...]:
        return tuple(step for app in self.apps for step in app.steps)

    @property
    def warnings(self) -> tuple[str, ...]:
        return tuple(warning for app in self.apps for warning in app.warnings)
