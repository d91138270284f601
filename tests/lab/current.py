"""What a thread is about: the call that it answers, or the task that it works on and the call which that comes from."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lab.tasks import Task


@dataclass
class Origin:
    """A call: method and path. `faults` are the names of those that its tasks have caught."""

    method: str = ""
    path: str = ""
    faults: list[str] = field(default_factory=list)


class _Here(threading.local):
    origin: Origin = Origin()
    task: Task | None = None


_here = _Here()


def origin() -> Origin:
    return _here.origin


def current_task() -> Task | None:
    return _here.task


@contextmanager
def within(call: Origin, task: Task | None = None) -> Iterator[None]:
    """Have this thread be about a call, and a task of it, for the length of a `with`."""
    before = _here.origin, _here.task
    _here.origin, _here.task = call, task
    try:
        yield
    finally:
        _here.origin, _here.task = before
