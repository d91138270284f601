"""Faults, set by name and scoped to calls. `KINDS` tells what there is; `lab.conditions` and `lab.mishaps` do what this file only picks."""

from __future__ import annotations

import itertools
import random
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, NamedTuple


class Kind(NamedTuple):
    """`family`: what becomes of an answer, its delay, of a task, or of the cluster's state; `place`: before or after the call's effect."""

    family: str
    place: str
    meaning: str


class Told(NamedTuple):
    """A status with the text that a server gives with it."""

    status: int
    reason: str


STATUSES = {
    "401": Told(401, "Authentication failed!"),
    "403": Told(403, "Permission check failed"),
    "500": Told(500, "got timeout"),
    "595": Told(595, "No route to host"),
    "596": Told(596, "Connection timed out"),
}
ANSWERS = {
    "reset": "the connection is reset",
    "timeout": "no answer for `seconds` (60), then the connection ends",
    "status": "the answer is `status` (500) with `reason`",
    "401": "the token is refused",
    "403": "a right is missing, as `reason` says",
    "500": "refused with `reason`",
    "595": "the node that the call is passed on to cannot be reached",
    "596": "the node or daemon that the call is passed on to does not answer in time",
}
TASKS = {
    "task-fails": "ends with `text` as its failure; `at` begin: nothing is done, work: at its first (or `step`-th) step, end: all is done",
    "task-hangs": "stands still at that place for `seconds` of the lab's clock (0: until it is stopped or the fault is taken away)",
    "task-loses-power": "at that place its node loses power, as by `node-down` with `power`; of the task nothing goes on or is tidied up",
    "task-warns": "says `text` as a warning, and ends with WARNINGS: 1",
}
STATES = {
    "refuse": "the port of the node (`node`, `target`, or that of the call) is closed: connections are refused, for `seconds` (60)",
    "node-down": "the node is offline for `seconds` (60), its guests unknown; with `power=1` they die, and those with onboot start again",
    "quorum-lost": "the cluster can be read, not written, for `seconds` (60)",
    "ssh-down": "the node's SSH refuses connections, for `seconds` (60)",
    "backup-lock": "the guest of the call (or `vmid`) bears `lock: backup`, for `seconds` (60)",
    "config-changed": "somebody else sets `options` on the guest (or mapping) of the call (or `vmid`), so that its digest moves",
    "clock-jump": "the clock goes on, or back, by `seconds`",
}
"""`seconds` are those of the lab's clock; 0 lasts until the fault is taken away."""
KINDS: dict[str, Kind] = {
    **{name: Kind("answer", "before", f"{meaning}; the call has no effect") for name, meaning in ANSWERS.items()},
    **{f"{name}-after": Kind("answer", "after", f"{meaning}; the call has had its effect") for name, meaning in ANSWERS.items()},
    "latency": Kind("delay", "before", "the answer takes `seconds` (1) longer, and one of the daemon's workers with it"),
    "malformed": Kind("answer", "after", "the answer is half of its JSON"),
    "slow-body": Kind("answer", "after", "the body drips in over `seconds` (5)"),
    **{name: Kind("task", "", meaning) for name, meaning in TASKS.items()},
    **{name: Kind("state", "before", meaning) for name, meaning in STATES.items()},
    **{f"{name}-after": Kind("state", "after", f"{meaning}; once the call has had its effect") for name, meaning in STATES.items()},
}
ARGUMENTS = {"seconds", "status", "reason", "text", "at", "step", "type", "power", "target", "vmid", "options"}
ABOUT_GUESTS = {
    "backup-lock": ("", r"/nodes/[^/]+/lxc/\d+(/.*)?"),
    "config-changed": ("PUT", r"/nodes/[^/]+/lxc/\d+/config|/cluster/mapping/dir/.*"),
}
"""Faults that need a guest: without a `vmid` they wait for a call of this method and path."""


@dataclass
class Fault:
    """One fault and its scope.

    `method`, `path` (a regular expression for all of it, below /api2/json), `node` (whose address is asked; for a task, where it
    runs) and `cluster` say which calls it is meant for. Of these it strikes from the `nth` on, `times` times (0: always), each
    with this `probability`, drawn from its own `seed`. A task is scoped by the call that started it, and by `type` (vzstart).
    A fault of the cluster's state without any such scope but `node` and `cluster` happens as soon as it is set.
    """

    kind: str
    method: str = ""
    path: str = ".*"
    node: str = ""
    cluster: str = ""
    nth: int = 1
    times: int = 1
    probability: float = 1.0
    seed: int = 1
    arguments: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    struck: int = 0
    id: int = 0
    lifted: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if unknown := set(self.arguments) - ARGUMENTS:
            raise ValueError(f"faults have no {', '.join(sorted(unknown))}; besides their scope they have {', '.join(sorted(ARGUMENTS))}")
        try:
            re.compile(self.path)
        except re.error as error:
            raise ValueError(f"{self.path!r} is no regular expression: {error}") from error
        if self.name in ABOUT_GUESTS and "vmid" not in self.arguments and self.path == ".*":
            method, self.path = ABOUT_GUESTS[self.name]
            self.method = self.method or method
        self._random = random.Random(self.seed)

    @property
    def name(self) -> str:
        """The kind, wherever it strikes."""
        return self.kind.removesuffix("-after")

    @property
    def at_once(self) -> bool:
        """Whether it waits for no call."""
        scoped = self.method or self.path != ".*" or self.nth > 1 or self.probability < 1
        return KINDS[self.kind].family == "state" and not scoped

    def seconds(self, default: float) -> float:
        return float(self.arguments.get("seconds", default))

    def told(self) -> Told:
        """The answer that it gives."""
        told = STATUSES.get(self.name, Told(500, "injected fault"))
        return Told(int(self.arguments.get("status", told.status)) if self.name == "status" else told.status, self.reason(told.reason))

    def reason(self, default: str) -> str:
        return str(self.arguments.get("reason", default))

    def shown(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}


class Where(NamedTuple):
    """A call, as faults are scoped: `node` is the one that is asked."""

    cluster: str
    node: str
    method: str
    path: str


class Faults:
    """The faults that are set; safe for threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock, self._ids = threading.Lock(), itertools.count(1)
        self.when_lifted: list[Callable[[Fault], None]] = []
        """Called with each fault that is taken away."""

    def add(self, fault: Fault) -> Fault:
        with self._lock:
            fault.id = next(self._ids)
            self._faults.append(fault)
        return fault

    def all(self) -> list[Fault]:
        with self._lock:
            return list(self._faults)

    def clear(self, id: int = 0) -> None:
        """Take one away, or all; what they have made of the state for a while ends with them."""
        with self._lock:
            gone = [fault for fault in self._faults if id in (0, fault.id)]
            self._faults = [fault for fault in self._faults if fault not in gone]
        for fault in gone:
            fault.lifted = True
            for end in self.when_lifted:
                end(fault)

    def strike(self, family: str, place: str, where: Where) -> list[Fault]:
        """The faults of a family that strike a call at this place, counted; of those that spoil its answer the first only."""
        with self._lock:
            meant = [fault for fault in self._faults if KINDS[fault.kind][:2] == (family, place) and not fault.at_once]
            return self._struck(meant, where, only_one=family == "answer")

    def strike_task(self, kind: str, where: Where) -> list[Fault]:
        """The faults for a task of that type; `where` is the call that it comes from, on the task's node."""
        with self._lock:
            meant = [fault for fault in self._faults if KINDS[fault.kind].family == "task"]
            return self._struck([fault for fault in meant if fault.arguments.get("type", kind) == kind], where, only_one=False)

    def _struck(self, faults: Iterable[Fault], where: Where, only_one: bool) -> list[Fault]:
        found: list[Fault] = []
        for fault in faults:
            if _hits(fault, where):
                found.append(fault)
                if only_one:
                    break
        return found


def _hits(fault: Fault, where: Where) -> bool:
    scope = (fault.cluster, fault.node, fault.method)
    if any(wanted not in ("", found) for wanted, found in zip(scope, where[:3], strict=True)) or not re.fullmatch(fault.path, where.path):
        return False
    fault.seen += 1
    spent = fault.times and fault.struck >= fault.times
    if fault.seen < fault.nth or spent or fault._random.random() >= fault.probability:
        return False
    fault.struck += 1
    return True


def fault_from(given: Mapping[str, Any]) -> Fault:
    """A fault as files, tests and the control API write it: known keys are its scope, the rest its arguments."""
    names = {"kind", "method", "path", "node", "cluster", "nth", "times", "probability", "seed"}
    scope = {name: value for name, value in given.items() if name in names}
    if "kind" not in scope:
        raise ValueError("a fault needs its kind")
    scope["kind"] = str(scope["kind"])  # YAML takes 500 for a number
    return Fault(**scope, arguments={name: value for name, value in given.items() if name not in scope})
