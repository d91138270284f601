# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can go wrong. A message says what was tried, on what, what Proxmox said, and what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ProximityError(Exception):
    """Anything that this collection reports to its user. `done` holds the steps that were carried out before it."""

    done: tuple[Any, ...] = ()


class SpecError(ProximityError):
    """A wish that makes no sense, whatever the cluster looks like."""


class PlanError(ProximityError):
    """A wish that this cluster, as it is now, cannot grant."""


class LeaseHeld(PlanError):
    """Another run works on the app; `run` names it as `controller.identify` does."""

    def __init__(self, message: str, run: str) -> None:
        self.run = run
        super().__init__(message)


class SourceHeld(LeaseHeld):
    """Another run works on the app that is to be copied, which is worth waiting for."""


class LeaseLost(PlanError):
    """Another run has taken over what this one worked on."""


class Unseen(PlanError):
    """What cannot be known as long as the node of a guest is offline; `vmid` is the guest."""

    def __init__(self, message: str, vmid: int) -> None:
        self.vmid = vmid
        super().__init__(message)


class Timeout(ProximityError):
    """Something did not happen in its time."""


class ReadOnlyClient(ProximityError):
    """A write was about to happen in check mode: a bug of this collection."""


class ApiError(ProximityError):
    """An answer that is a refusal, or no answer at all (`status` 0).

    `reason` is Proxmox's own text; `fields` maps a refused parameter to its text.
    """

    def __init__(self, reason: str, status: int, method: str, path: str, fields: Mapping[str, str] | None = None) -> None:
        self.reason = reason
        self.status = status
        self.method = method
        self.path = path
        self.fields = dict(fields or {})
        details = "; ".join(f"{name}: {text.strip()}" for name, text in sorted(self.fields.items()))
        said = f"{reason} ({details})" if details else reason
        self.said = f"{status} {said}" if status else said
        super().__init__(f"{method} {path} failed: {self.said}")


class StateMoved(ApiError):
    """Refused because what was observed is no longer so: observe and plan again."""


class OutcomeUnknown(ApiError):
    """A write whose answer was lost: it may or may not have happened."""


class TaskError(ProximityError):
    """A task ended with something other than OK or warnings. `log` holds its last lines."""

    def __init__(self, upid: str, exitstatus: str, log: Sequence[str] = ()) -> None:
        self.upid = upid
        self.exitstatus = exitstatus
        self.log = tuple(log)
        super().__init__(f"Task {upid} failed: {exitstatus}")


class StepFailed(ProximityError):
    """A step of a plan failed; those after it were not begun."""

    def __init__(self, message: str, failed: Any, not_started: Sequence[Any] = ()) -> None:
        self.failed = failed
        self.not_started = tuple(not_started)
        super().__init__(message)


class NotConverged(ProximityError):
    """Everything was done and something is still not as wished: `steps` are left over."""

    def __init__(self, message: str, steps: Sequence[Any] = ()) -> None:
        self.steps = tuple(steps)
        super().__init__(message)
