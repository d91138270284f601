"""What faults do to tasks: fail them, halt them, make them warn, at a step of their work.

A step is whatever the runtime is asked to do to a guest. What strikes there takes the way of the runtime's own failures, so that
the call cleans up as it would.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from lab.current import current_task
from lab.errors import TaskFailure, WorkerGone
from lab.guests.runtime import Runtime, RuntimeFailure

if TYPE_CHECKING:
    from lab.faults import Fault
    from lab.tasks import Task

STEPS = frozenset(
    {"create", "restore", "clone", "start", "stop", "shutdown", "snapshot", "rollback", "delete_snapshot", "backup", "migrate"}
)
FAILURE = "No space left on device"
WARNING = "something is not as it should be"
POWER = "task-loses-power"
LOOKED_AT_S = 0.02


class Stepwise:
    """A runtime of which each operation is a step of the task that asks for it."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._runtime, name)
        task = current_task()
        if task and task.gone:
            raise WorkerGone
        if task is None or name not in STEPS or not task.caught:
            return found

        def stepped(*arguments: Any) -> Any:
            step(task)
            return found(*arguments)

        return stepped


def stepwise(runtime: Runtime) -> Runtime:
    return cast(Runtime, Stepwise(runtime))


def step(task: Task) -> None:
    """One more step begins."""
    task.steps += 1
    for fault in list(task.caught):
        if fault.arguments.get("at", "work") == "work" and task.steps >= int(fault.arguments.get("step", 1)):
            _befall(task, fault, RuntimeFailure)


def begin(task: Task) -> None:
    for fault in list(task.caught):
        if fault.name == "task-warns" or fault.arguments.get("at") == "begin":
            _befall(task, fault, TaskFailure)


def end(task: Task) -> None:
    """All is done; what has not struck yet does so now: not every task has steps."""
    for fault in list(task.caught):
        _befall(task, fault, TaskFailure)


def _befall(task: Task, fault: Fault, failure: type[Exception]) -> None:
    task.caught.remove(fault)
    if fault.name == "task-warns":
        task.warn(str(fault.arguments.get("text", WARNING)))
    elif fault.name == POWER:
        _lose_power(task, fault)
    elif fault.name == "task-fails":
        raise failure(str(fault.arguments.get("text", FAILURE)))
    else:
        _hang(task, fault, failure)


def _lose_power(task: Task, fault: Fault) -> None:
    """The node goes; this thread is at its end once that has come to it."""
    cluster = task.cluster
    assert cluster and cluster.lose_power
    with cluster.lock:
        threading.Thread(target=cluster.lose_power, args=(fault, task.node), name="power", daemon=True).start()
        while True:
            cluster.lock.wait(LOOKED_AT_S)


def _hang(task: Task, fault: Fault, failure: type[Exception]) -> None:
    """Stand still; whatever part of the cluster's lock the task holds is let go meanwhile."""
    assert task.cluster
    clock, lock = task.cluster.clock, task.cluster.lock
    over = clock.now() + (fault.seconds(0) or float("inf"))
    with lock:
        while not (task.stopping or fault.lifted or clock.now() >= over):
            lock.wait(LOOKED_AT_S)
    if task.stopping:
        raise failure("interrupted by signal")
