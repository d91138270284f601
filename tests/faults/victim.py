"""A controller that is going to be killed: a process that performs a deed against a lab in another process."""

from __future__ import annotations

import multiprocessing
import random
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.api import Clock
from faults.deeds import DEEDS, perform
from faults.play import Play

SPEED = 20


def act(connection: Mapping[str, Any], deed: str) -> None:
    """All of the process: its waits are shorter than a controller's, its leases bear its own number."""
    clock = Clock(lambda: time.monotonic() * SPEED, lambda seconds: time.sleep(seconds / SPEED), random.Random(7).random)
    perform(Play(connection, clock, patient=True), DEEDS[deed])


@contextmanager
def begun(connection: Mapping[str, Any], deed: str) -> Iterator[BaseProcess]:
    """A victim at work; it is dead when the `with` ends, by SIGKILL."""
    # A server that has imported everything forks it: so it shares no lock with the threads of the lab, and begins at once.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.victim"])
    victim = context.Process(target=act, args=(connection, deed))
    victim.start()
    try:
        yield victim
    finally:
        victim.kill()
        victim.join()
