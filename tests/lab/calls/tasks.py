"""Task lists, states and logs; stopping a task."""

from __future__ import annotations

from typing import Any

from lab.access import split_token
from lab.context import Call
from lab.errors import wrong
from lab.registry import Data, answers
from lab.schema.formats import split_list
from lab.tasks import UPID, Task

SHOWN_CLUSTER_WIDE = 25
"""`/cluster/tasks` shows about so many finished ones of each node."""


@answers("GET", "/nodes/{node}/tasks")
def list_tasks(call: Call) -> Data:
    source = call.get("source", "archive")
    tasks = [task for task in reversed(call.cluster.tasks.values()) if task.node == call.node and _wanted(call, task)]
    active = [_shown_active(task) for task in tasks if task.running] if source != "archive" else []
    ended = [_shown_ended(task) for task in tasks if not task.running] if source != "active" else []
    found = active + ended
    call.extra["total"] = len(found)
    start, limit = call.get("start", 0), call.get("limit", 50)
    return found[start : start + limit if limit else None]


def _wanted(call: Call, task: Task) -> bool:
    """Whether the caller may see the task, and all filters let it through."""
    get = call.get
    states = {word.lower() for word in split_list(get("statusfilter", ""))}
    checks = (
        is_own(call, task) or call.may(f"/nodes/{task.node}", "Sys.Audit"),
        task.id == str(get("vmid", task.id)),
        get("typefilter", task.type) == task.type,
        get("userfilter", "").lower() in task.user.lower(),
        task.starttime >= get("since", 0),
        task.starttime <= get("until", task.starttime),
        not get("errors") or (not task.running and _kind(task) not in {"ok", "warning"}),
        not states or (not task.running and _kind(task) in states),
    )
    return all(checks)


def _kind(task: Task) -> str:
    """ok, warning, error or unknown, as `statusfilter` names them."""
    if task.exitstatus == "OK":
        return "ok"
    if task.exitstatus.startswith("WARNINGS: "):
        return "warning"
    return "unknown" if task.exitstatus == "unexpected status" else "error"


def is_own(call: Call, task: Task) -> bool:
    """One's own task: of the same user; a token's own tasks are its user's too."""
    return split_token(task.user)[0] == call.user or task.user == call.user


def _shown_active(task: Task) -> dict[str, Any]:
    shown = {name: value for name, value in task.status().items() if name != "tokenid"}
    return {**shown, "user": task.user, "status": "RUNNING", "saved": "0"}


def _shown_ended(task: Task) -> dict[str, Any]:
    return {**task.status(), "endtime": task.endtime, "status": task.exitstatus}


@answers("GET", "/cluster/tasks")
def cluster_tasks(call: Call) -> Data:
    tasks = [task for task in reversed(call.cluster.tasks.values()) if is_own(call, task) or call.may("/", "Sys.Audit")]
    running = [task.status() for task in tasks if task.running]
    return running + [_shown_ended(task) for task in tasks if not task.running][: SHOWN_CLUSTER_WIDE * len(call.cluster.nodes)]


@answers("GET", "/nodes/{node}/tasks/{upid}")
def task_index(call: Call) -> Data:
    _check_form(call)
    return [{"name": "log"}, {"name": "status"}]


@answers("GET", "/nodes/{node}/tasks/{upid}/status")
def task_status(call: Call) -> Data:
    task = _task(call, "Sys.Audit")
    state = {"status": "running"} if task.running else {"status": "stopped", "exitstatus": task.exitstatus}
    return {**task.status(), **state}


@answers("GET", "/nodes/{node}/tasks/{upid}/log")
def task_log(call: Call) -> Data:
    upid = _check_form(call)
    if upid not in call.cluster.tasks:
        call.extra["total"] = 1
        return [{"n": 1, "t": "unable to open file - No such file or directory"}]
    task = _task(call, "Sys.Audit")
    lines = [{"n": number, "t": text} for number, text in enumerate(task.log, 1)]
    call.extra["total"] = len(lines)
    start, limit = call.get("start", 0), call.get("limit", 50)
    return lines[start : start + limit if limit else None]


@answers("DELETE", "/nodes/{node}/tasks/{upid}")
def stop_task(call: Call) -> Data:
    _task(call, "Sys.Modify").stopping = True
    call.cluster.lock.notify_all()
    return None


def _check_form(call: Call) -> str:
    upid = str(call.params["upid"])
    if not UPID.fullmatch(upid):
        raise wrong({"upid": "unable to parse worker upid"})
    return upid


def _task(call: Call, privilege: str) -> Task:
    """The task; another user's needs a right on the node."""
    task = call.cluster.task(call.node, _check_form(call))
    if not is_own(call, task):
        call.check(f"/nodes/{call.node}", privilege)
    return task
