"""Enumerates the cases: each job is run without faults, and its commands by SSH, heard at the lab's door, are crossed with the strikes."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from faults.execs.jobs import JOBS, Job
from faults.execs.runs import Before, all_is_well, nothing_at_all_is_lost
from faults.execs.site import Place, place
from lab.light.door import Heard
from lab.light.strikes import HAS_EFFECT, STRIKES

REHEARSALS = 2
TWINS = (("refused", "lost-before"), ("slow", "turned-away", "moved"))
"""Strikes that are one to whoever calls, but for the words in which they are told: they take turns."""
OURS = "proximity_"
"""How the names of our modules begin."""
OF_THE_MOMENT = ((re.compile(r"ansible-tmp-[\d.]+-\d+-\d+"), "ansible-tmp"), (re.compile(r"\b8\d{3}\b"), "VMID"))
CALLS = re.compile(r"-- env HOME=/root /bin/sh -c '?(?:/bin/sh -c )?['\"(]*\s*(.*)", re.DOTALL)


@dataclass(frozen=True)
class Moment:
    """The `nth` command of a job. `state`: the number of commands before it that have changed something that lasts."""

    nth: int
    task: str
    command: str
    name: str
    changes: int
    wrote: bool
    state: int

    def __str__(self) -> str:
        return f"{self.nth} {self.task}: {self.name or self.command}"


@dataclass(frozen=True)
class Case:
    """One strike at one moment of a job. `die_at`: before which change of the command; 0 where half of its input is lost."""

    deed: str
    moment: Moment
    kind: str
    die_at: int = 0

    @property
    def id(self) -> str:
        change = f" before change {self.die_at}" if self.die_at else ""
        return f"{self.deed} | {self.moment} | {self.kind}{change}".replace("[", "(").replace("]", ")")


def rehearse(place: Place, job: Job) -> list[Heard]:
    """Without faults it does what it is to do."""
    with place.site(job.deed.before) as site:
        before = Before.of(site)
        site.door.looks_closely = True
        played = site.play(job)
        assert bool(played.failure) == job.deed.returns, f"{job.name} without any fault: {played.output[-3000:]}"
        all_is_well(site, job, before)
        nothing_at_all_is_lost(site, job, before)
        return list(site.door.heard)


def moments_of(heard: Sequence[Heard]) -> list[Moment]:
    found, state = [], 0
    for number, each in enumerate(heard, 1):
        found.append(Moment(number, each.task, in_short(each.command), each.name, each.changes, each.wrote, state))
        state += each.wrote
    return found


def in_short(command: str) -> str:
    """The first words of what is called in the guest."""
    for name, any_name in OF_THE_MOMENT:
        command = name.sub(any_name, command)
    called = CALLS.search(command)
    text = called[1] if called else command
    return re.sub(r"[^\w./~:=-]+", " ", text.split(" || ")[0]).strip()[:40]


def strikes_at(moments: Sequence[Moment]) -> Iterator[tuple[Moment, str, int]]:
    """What strikes where: each command is struck, and at each state of the guest in each task every strike does.

    Commands of a task between which nothing is changed meet the same guest, and their failure the same task: there strikes take turns.
    Those that differ by what the command has done strike each command that does something lasting.
    """
    places: dict[tuple[str, int], list[Moment]] = {}
    for moment in moments:
        places.setdefault((moment.task, moment.state), []).append(moment)
    for number, alike in enumerate(places.values()):
        kinds = _kinds(number)
        for turn in range(max(len(kinds), len(alike))):
            yield alike[turn % len(alike)], kinds[turn % len(kinds)], 0
        for moment in (moment for moment in alike if moment.wrote):
            yield from ((moment, kind, 0) for kind in HAS_EFFECT if kind != "lost-midst")
            yield from ((moment, "lost-midst", change) for change in _deaths(moment))


def _deaths(moment: Moment) -> Sequence[int]:
    """A module of ours dies before each of its changes but the first, others before one in the middle."""
    if moment.name.startswith(OURS):
        return range(2, moment.changes + 1)
    return (moment.changes // 2 + 1 if moment.changes else 0,)


def _kinds(number: int) -> list[str]:
    skipped = {kind for twins in TWINS for kind in twins if kind != twins[number % len(twins)]}
    return [kind for kind in STRIKES if kind not in skipped and kind not in HAS_EFFECT]


@cache
def enumerate_cases() -> list[Case]:
    """All cases, once each."""
    heard = _all_rehearsals()
    moments: dict[str, list[Moment]] = {}
    for name, journals in heard.items():
        first, *others = ([(each.task, in_short(each.command), each.name, each.wrote) for each in journal] for journal in journals)
        assert all(first == other for other in others), f"{name}: the commands of two rehearsals differ"
        moments[name] = moments_of(journals[0])
    found: dict[Case, None] = {}
    for name, own in moments.items():
        known = _same(own, moments[JOBS[name].like]) if JOBS[name].like else 0
        found |= {Case(name, moment, kind, die_at): None for moment, kind, die_at in strikes_at(own) if moment.nth > known}
    return list(found)


def _same(moments: Sequence[Moment], others: Sequence[Moment]) -> int:
    """How many commands a job has in common with another one before their ways part: the cases of that one do for both.

    The last of them is not the same: it ended differently.
    """
    pairs = zip(moments, others, strict=False)
    return next(number for number, (one, two) in enumerate(pairs) if (one.task, one.name, one.wrote) != (two.task, two.name, two.wrote)) - 1


def count_commands() -> dict[str, int]:
    """How often each job goes into guests."""
    return {name: max(map(len, journals)) for name, journals in _all_rehearsals().items()}


@cache
def _all_rehearsals() -> dict[str, list[list[Heard]]]:
    """By job; the processes of a run of the tests share the work."""
    here = place()
    here.states()
    rehearsals = REHEARSALS if os.environ.get("FAULTS") == "all" else 1
    wanted = [(name, number) for number in range(rehearsals) for name in JOBS]
    for wait in (False, True):
        for name, number in wanted:
            _rehearse_alone(here, name, number, wait)
    return {name: [_read(here, name, number) for number in range(rehearsals)] for name in JOBS}


def _rehearse_alone(here: Place, name: str, number: int, wait: bool) -> None:
    file = here.shared / f"{name}-{number}.heard"
    if file.exists():
        return
    with here.alone(file.name, wait) as mine:
        if mine and not file.exists():
            text = json.dumps([asdict(each) for each in rehearse(here, JOBS[name])])
            file.with_suffix(".new").write_text(text)
            file.with_suffix(".new").rename(file)


def _read(here: Place, name: str, number: int) -> list[Heard]:
    return [Heard(**each) for each in json.loads((here.shared / f"{name}-{number}.heard").read_text())]
