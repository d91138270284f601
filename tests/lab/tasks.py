"""Tasks: work that a call starts and that has an id (UPID), a log, and an exit status."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from lab import mishaps
from lab.access import split_token
from lab.current import Origin, origin, within
from lab.errors import Refusal, TaskFailure, WorkerGone
from lab.faults import Fault, Where
from lab.guests.runtime import RuntimeFailure

if TYPE_CHECKING:
    from lab.cluster import Cluster

UPID = re.compile(r"UPID:[a-zA-Z0-9-]+:[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:[^:\s]+:[^:\s]*:[^:\s]+:")
BROKEN_OFF = "unexpected status"
"""The exit status of a task whose log ends without one."""
KEPT = 5000
"""So many finished tasks are remembered."""


class TaskStopped(TaskFailure):
    """Somebody stopped the task (DELETE .../tasks/UPID)."""


@dataclass
class Task:
    """`exitstatus` is empty while it runs; `user` carries the token: root@pam!test."""

    upid: str
    node: str
    type: str
    id: str
    user: str
    pid: int
    pstart: int
    starttime: int
    endtime: int = 0
    exitstatus: str = ""
    log: list[str] = field(default_factory=list)
    warnings: int = 0

    def __post_init__(self) -> None:
        self.stopping = self.gone = False
        self.cluster: Cluster | None = None
        self.caught: list[Fault] = []
        self.steps = 0

    @property
    def running(self) -> bool:
        return not self.exitstatus

    def say(self, *lines: str) -> None:
        self.log.extend(lines)

    def warn(self, text: str) -> None:
        """A line of the log that makes the task end with WARNINGS."""
        self.warnings += 1
        self.log.append(f"WARN: {text}")

    def pause(self, seconds: float) -> None:
        """Take that long by the lab's clock; raises TaskStopped when the task is stopped meanwhile."""
        assert self.cluster
        if self.cluster.clock.sleep(seconds, lambda: self.stopping or self.gone):
            raise WorkerGone if self.gone else TaskStopped("interrupted by signal")

    def limited(self, size: int, bwlimit_kib: float) -> None:
        """Take as long as `size` bytes need under a bandwidth limit in KiB/s; no limit, no time."""
        if bwlimit_kib > 0:
            self.pause(size / 1024 / bwlimit_kib)

    def status(self) -> dict[str, Any]:
        """As lists and `.../status` show it, less what differs between them."""
        user, token = split_token(self.user)
        shown = {"upid": self.upid, "node": self.node, "type": self.type, "id": self.id, "user": user}
        numbers = {"pid": self.pid, "pstart": self.pstart, "starttime": self.starttime}
        return {**shown, **numbers, **({"tokenid": token} if token else {})}


Work = Callable[[Task], None]
Outcome = TypeVar("Outcome")
LOOKED_AT_S = 0.05
"""How often a task that waits for something looks whether it has been stopped."""


def interruptible(task: Task, wait: Callable[[], Outcome]) -> Outcome:
    """What `wait` answers, unless the task is stopped meanwhile: then TaskStopped, and nobody cares for the answer."""
    found: list[Outcome] = []
    failed: list[RuntimeFailure] = []

    call = origin()

    def run() -> None:
        try:
            with within(call, task):
                found.append(wait())
        except RuntimeFailure as failure:
            failed.append(failure)
        except WorkerGone:
            pass

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(LOOKED_AT_S)
        if task.gone:
            raise WorkerGone
        if task.stopping and thread.is_alive():
            raise TaskStopped("received interrupt")
    if failed:
        raise failed[0]
    return found[0]


def start_task(cluster: Cluster, node: str, kind: str, about: str, user: str, work: Work, *, wait: bool = False) -> str:
    """Run `work` in a thread of its own; the answer is its UPID. With `wait`, only once it has ended.

    `work` runs without the cluster's lock. Whatever it raises of TaskFailure, Refusal and RuntimeFailure is its exit status.
    """
    with cluster.lock:
        cluster.last_pid += 1
        pid, now = cluster.last_pid, cluster.now()
        pstart = int((cluster.clock.now() - cluster.nodes[node].booted) * 100) % 0xFFFFFFFFF
        upid = f"UPID:{node}:{pid:08X}:{pstart:08X}:{now:08X}:{kind}:{about}:{user}:"
        task = Task(upid, node, kind, about, user, pid, pstart, now)
        task.cluster = cluster
        call = origin()
        if cluster.faults:
            task.caught = cluster.faults.strike_task(kind, Where(cluster.site, node, call.method, call.path))
            call.faults.extend(fault.kind for fault in task.caught)
        cluster.tasks[upid] = task
    thread = threading.Thread(target=_run, args=(cluster, task, work, call), name=upid, daemon=True)
    thread.start()
    if wait:
        thread.join()
    return upid


def _run(cluster: Cluster, task: Task, work: Work, call: Origin) -> None:
    status = BROKEN_OFF
    try:
        with within(call, task):
            mishaps.begin(task)
            work(task)
            mishaps.end(task)
        status = f"WARNINGS: {task.warnings}" if task.warnings else "OK"
    except (TaskFailure, Refusal, RuntimeFailure) as failure:
        status = str(failure).strip().replace("\n", " ")
    except WorkerGone:
        pass  # whoever took the power has ended it
    finally:
        with cluster.lock:
            if not task.gone:
                task.say(f"TASK {status}" if status == "OK" or status.startswith("WARNINGS:") else f"TASK ERROR: {status}")
                _end(cluster, task, status)


def break_off(cluster: Cluster, task: Task) -> None:
    """Its node has lost power: what it has done so far stays as it is, locks included. The cluster's lock must be held."""
    task.gone = True
    _end(cluster, task, BROKEN_OFF)


def _end(cluster: Cluster, task: Task, status: str) -> None:
    task.endtime, task.exitstatus = cluster.now(), status
    _let_go(cluster, task)
    _forget_oldest(cluster)
    cluster.lock.notify_all()


def _let_go(cluster: Cluster, task: Task) -> None:
    """A worker that has died holds no file any more, whatever it leaves in it."""
    guest = cluster.guests.get(int(task.id)) if task.id.isdecimal() else None
    if guest and guest.held_by == task.type:
        guest.held_by = ""


def _forget_oldest(cluster: Cluster) -> None:
    if len(cluster.tasks) > KEPT:
        oldest = next((upid for upid, task in cluster.tasks.items() if not task.running), None)
        cluster.tasks.pop(oldest or "", None)


def wait_for(cluster: Cluster, upid: str) -> None:
    """Wait until a task has ended; without the lock."""
    with cluster.lock:
        cluster.lock.wait_for(lambda: upid not in cluster.tasks or not cluster.tasks[upid].running)
