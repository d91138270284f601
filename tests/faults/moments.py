"""Enumerates the cases: each deed is run without faults, and its calls, read from the lab's journal, are crossed with the faults."""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import lab as labs
from faults.deeds import ASKED, DEEDS, NODE, Deed, Guest, Told, perform
from faults.play import run_of_ansible
from faults.world import lab_in
from lab.faults import ANSWERS, KINDS, STATES, TASKS
from lab.journal import Entry

REHEARSALS = 2
"""Runs without faults: how often a poll comes differs, and what each of them had is sure to come."""
REFUSED = "something broke"
IN_THE_GUEST = {
    "fails": Guest(error="non-zero return code"),
    "fails before it has touched anything": Guest(error="manifest unknown", touched=False),
    "fails, and so does what was there before": Guest(error="non-zero return code", comes_back=False),
    "unreachable": Guest(error="Failed to connect to the host via ssh: Connection refused", touched=False),
    "controller dies": Guest(dies=True),
}
NAMES_OF_THE_MOMENT = (
    (re.compile(r"UPID:[^:/]+:\w+:\w+:\w+:(\w+):[^/]*"), r"UPID:.*:\1:.*"),
    (re.compile(r"px-safety-[0-9a-f]+"), "px-safety-.*"),
    (re.compile(r"vzdump-lxc-(\d+)-[^/]*"), r"vzdump-lxc-\1-.*"),
)
GUEST_PATH = re.compile(r"/nodes/[^/]+/lxc/\d+(/.*)?")


@dataclass(frozen=True)
class Moment:
    """The `nth` call with this method and path (a regular expression); `tasks` are the types of those that it starts."""

    method: str
    path: str
    nth: int = 1
    tasks: tuple[str, ...] = ()

    @property
    def reads(self) -> bool:
        return self.method == "GET"

    def __str__(self) -> str:
        path = re.sub(r"UPID:\.\*:(\w+):\.\*", r"\1", self.path).replace("\\", "")
        return f"{self.method} {path}" + (f" ({self.nth})" if self.nth > 1 else "")


@dataclass(frozen=True)
class Case:
    """One fault at one moment of a deed; `moment` is empty for what happens to the work in the guest."""

    deed: str
    moment: Moment | None
    kind: str
    arguments: dict[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        told = "".join(f" {key}={value}" for key, value in self.arguments.items())
        return f"{self.deed} | {self.moment or 'in the guest'} | {self.kind}{told}".replace("[", "(").replace("]", ")")


def moments_of(journals: Sequence[Journal]) -> list[Moment]:
    """Each distinct call, in the order in which they come for the first time."""
    assert len({frozenset(journal.calls) for journal in journals}) == 1, "the calls of two runs differ"
    tasks = {key: types for journal in journals for key, types in journal.tasks.items()}
    order = list(journals[0].calls)
    times = {key: min(journal.calls[key] for journal in journals) for key in order}
    every = [(method, path, nth) for method, path in order for nth in range(1, times[method, path] + 1)]
    return [Moment(method, path, nth, tasks.get((method, path), ())) for method, path, nth in every if nth == 1 or not _is_poll(path)]


@dataclass(frozen=True)
class Journal:
    """What a run without faults has asked; `works_inside`: work in the guest was reported."""

    calls: Counter[tuple[str, str]]
    tasks: dict[tuple[str, str], tuple[str, ...]]
    works_inside: bool


def _rehearse(deed: Deed) -> Journal:
    with lab_in(deed.before) as lab, run_of_ansible(lab) as play:
        return journal_of(lab, lambda: perform(play, deed), deed.returns)


def journal_of(lab: labs.Lab, work: Callable[[], Told], returns: bool) -> Journal:
    """Do something without faults; `returns` says that it fails all the same."""
    with lab.cluster.lock:
        known, began = set(lab.cluster.tasks), len(lab.journal())
    told = work()
    assert bool(told.failure) == returns, f"this fails without any fault: {told.failure}"
    with lab.cluster.lock:
        entries = lab.journal()[began:]
        started = [(task.upid, task.type) for task in lab.cluster.tasks.values() if task.upid not in known]
    calls = Counter((entry.method, _pattern(entry.path)) for entry in entries)
    tasks = {(entry.method, _pattern(entry.path)): _types(entry, started) for entry in entries if entry.effect.startswith("UPID:")}
    return Journal(calls, tasks, len(told.results) > 1)


def _types(entry: Entry, started: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """The type of the task that a call starts; and of those that a creation starts after it."""
    own = [kind for upid, kind in started if upid == entry.effect]
    return (*own, *(("vzstart",) if entry.params.get("start") else ()))


def _pattern(path: str) -> str:
    """The path as a regular expression: what holds a time or a process id in its name has another one in each run."""
    found = re.escape(path).replace("\\-", "-")
    for name, any_name in NAMES_OF_THE_MOMENT:
        found = name.sub(any_name, found)
    return found


def _is_poll(path: str) -> bool:
    """Looking again and again is one moment, however often it is."""
    return "/tasks/" in path or path.endswith("/interfaces")


def faults_at(moment: Moment) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every fault of the lab that can strike a call, once and, where that is another story, from then on."""
    for name in ANSWERS:
        for kind in (name,) if moment.reads else (name, f"{name}-after"):
            more = {"status": 500, "reason": REFUSED} if name == "status" else {}
            yield kind, more
            if name in ("reset", "status", "403", "596"):
                yield kind, {**more, "times": 0}
    yield from (
        ("malformed", {}),
        ("slow-body", {"seconds": 8}),
        ("latency", {"seconds": 0.2}),
        ("latency", {"seconds": 3}),
        ("latency", {"seconds": 300}),
    )
    for name in STATES:
        for arguments in _state_faults(name, moment):
            for kind in (name,) if moment.reads and name != "clock-jump" else (name, f"{name}-after"):
                yield kind, arguments
    for task in moment.tasks:
        yield "task-warns", {"type": task}
        for at in ("begin", "work", "end"):
            yield "task-fails", {"type": task, "at": at}
            yield "task-hangs", {"type": task, "at": at, "seconds": 5}
            yield "task-hangs", {"type": task, "at": at, "seconds": 0}
            yield "task-loses-power", {"type": task, "at": at, "seconds": 0}
        yield "task-loses-power", {"type": task, "at": "work", "seconds": 2}


def _state_faults(name: str, moment: Moment) -> Iterator[dict[str, Any]]:
    on_guest = GUEST_PATH.fullmatch(moment.path.replace("\\", ""))
    if name == "ssh-down":
        return  # no call of the API goes by SSH; see the cases in the guest
    if name in ("backup-lock", "config-changed"):
        if not on_guest or (name == "config-changed" and not moment.path.endswith("/config")):
            return
        yield {}
        if name == "backup-lock":
            yield {"seconds": 0}
    elif name == "node-down":
        for target in _nodes(moment):
            yield from ({"seconds": 0, "target": target}, {"seconds": 0, "power": 1, "target": target}, {"seconds": 2, "target": target})
    elif name == "clock-jump":
        yield from ({"seconds": 7200}, {"seconds": -7200})
    elif name == "refuse":
        yield from ({"seconds": seconds, "target": target} for seconds in (0, 2) for target in _nodes(moment))
    else:
        yield from ({"seconds": 0}, {"seconds": 2})


def _nodes(moment: Moment) -> tuple[str, ...]:
    """The node that is asked, and the one that the call is passed on to."""
    found = re.match(r"/nodes/(\w+)", moment.path)
    return tuple(dict.fromkeys((ASKED, found[1] if found else NODE)))


KNOWN = {*ANSWERS, *STATES, *TASKS, "latency", "malformed", "slow-body"}
assert {kind.removesuffix("-after") for kind in KINDS} == KNOWN, "the lab has a fault that is crossed with nothing"


def kills_of(deed: str, moments: Iterable[Moment]) -> Iterator[Case]:
    """Ends of the controller at each write: before its effect, after it, with the call still on its way, and while its task runs."""
    for moment in (moment for moment in moments if not moment.reads):
        yield Case(deed, moment, "timeout", {"seconds": 600})
        yield Case(deed, moment, "timeout-after", {"seconds": 600})
        yield Case(deed, moment, "latency", {"seconds": 2})
        for task in moment.tasks:
            yield from (Case(deed, moment, "task-hangs", {"type": task, "at": at, "seconds": 20}) for at in ("begin", "work", "end"))


def shared_file(name: str = "calls") -> Path:
    """Where the first process of a run of the tests leaves what it has found for the others."""
    return Path(tempfile.gettempdir()) / f"faults-{name}-{os.environ.get('PYTEST_XDIST_TESTRUNUID', os.getpid())}.json"


@cache
def enumerate_cases(what: str) -> list[Case]:
    """All cases of `faults` or `kills`."""
    return found_once(shared_file(), _enumerated)[what]


def found_once(shared: Path, enumerated: Callable[[], dict[str, list[Case]]]) -> dict[str, list[Case]]:
    """The cases that the first process of a run has found."""
    if not shared.exists():
        fresh = shared.with_suffix(f".{os.getpid()}")
        fresh.write_text(json.dumps({what: [asdict(case) for case in cases] for what, cases in enumerated().items()}))
        with suppress(FileExistsError):
            os.link(fresh, shared)
        fresh.unlink()
    return {what: [_case(each) for each in cases] for what, cases in json.loads(shared.read_text()).items()}


def _enumerated() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {"faults": [], "kills": []}
    for deed in DEEDS.values():
        journals = [_rehearse(deed) for _time in range(REHEARSALS)]
        moments = moments_of(journals)
        found["faults"] += [Case(deed.name, moment, kind, arguments) for moment in moments for kind, arguments in faults_at(moment)]
        found["faults"] += [Case(deed.name, None, kind) for kind in IN_THE_GUEST if journals[0].works_inside]
        found["kills"] += kills_of(deed.name, moments)
    return found


def _case(data: dict[str, Any]) -> Case:
    moment = data.pop("moment")
    return Case(**data, moment=Moment(**{**moment, "tasks": tuple(moment["tasks"])}) if moment else None)
