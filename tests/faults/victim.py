"""A controller that is going to be killed: a process that performs a deed against a lab in another process."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

import lab as labs
from ansible_collections.proximity.platform.plugins.module_utils.api import Clock
from faults.deeds import DEEDS, perform
from faults.moments import Case
from faults.play import Play, connection_to
from lab.faults import Fault

SPEED = 20
LIMIT_S = 60
Act = Callable[[Mapping[str, Any], str], None]


def act(connection: Mapping[str, Any], deed: str) -> None:
    """All of the process: its waits are shorter than a controller's, its leases bear its own number."""
    perform(Play(connection, clock(), patient=True), DEEDS[deed])


def clock() -> Clock:
    return Clock(lambda: time.monotonic() * SPEED, lambda seconds: time.sleep(seconds / SPEED), random.Random(7).random)


@contextmanager
def begun(connection: Mapping[str, Any], deed: str, what: Act = act) -> Iterator[BaseProcess]:
    """A victim at work; it is dead when the `with` ends, by SIGKILL."""
    # A server that has imported everything forks it: so it shares no lock with the threads of the lab, and begins at once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.victim"])
    victim = context.Process(target=what, args=(connection, deed))
    victim.start()
    try:
        yield victim
    finally:
        victim.kill()
        victim.join()


def kill_at(lab: labs.Lab, case: Case, what: Act = act) -> None:
    """Let a victim begin, and kill it once the fault of a case has struck."""
    moment = case.moment
    assert moment
    scope = {} if "type" in case.arguments else {"method": moment.method, "path": moment.path, "nth": moment.nth}
    fault = lab.fault(case.kind, **scope, **case.arguments)
    with begun(connection_to(lab), case.deed, what) as victim:
        _await(fault, victim.is_alive)


def _await(fault: Fault, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not fault.struck:
        assert alive(), "the deed was done before it came to this call"
        assert time.monotonic() < deadline, "this call has not come"
        time.sleep(0.005)
