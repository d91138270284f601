"""Faults that strike tasks: where in their work, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable

import lab
import pytest
from lab.client import Client

TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "ctdata:1", "features": "nesting=1", "vmid": 103}
CREATE, START = "POST /nodes/pve/lxc", "POST /nodes/pve/lxc/102/status/start"


def there(client: Client, vmid: int) -> bool:
    return vmid in [each["vmid"] for each in client.data("GET /nodes/pve/lxc")]


def log(client: Client, upid: str) -> list[str]:
    return [each["t"] for each in client.data(f"GET /nodes/pve/tasks/{upid}/log", limit=0)]


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_task_that_fails_in_its_work_cleans_up_as_always(server: lab.Lab, client: Client) -> None:
    server.fault("task-fails", method="POST", path="/nodes/pve/lxc")
    upid = client.data(CREATE, **NEW)
    assert client.wait(upid) == "unable to create CT 103 - No space left on device"
    assert log(client, upid)[-1] == "TASK ERROR: unable to create CT 103 - No space left on device"
    assert not there(client, 103)
    assert client.data("GET /nodes/pve/storage/ctdata/content", vmid=103) == []
    assert server.journal("POST", "/nodes/pve/lxc")[0].fault == "task-fails"
    assert client.done(CREATE, **NEW) == "OK"


@pytest.mark.parametrize(("at", "status"), [("begin", "stopped"), ("work", "stopped"), ("end", "running")])
def test_a_task_that_fails_before_during_and_after_its_work(server: lab.Lab, client: Client, at: str, status: str) -> None:
    server.fault("task-fails", type="vzstart", at=at, text="got lock timeout - aborting command")
    assert client.done(START) == "got lock timeout - aborting command"
    assert client.data("GET /nodes/pve/lxc/102/status/current")["status"] == status


def power_goes(server: lab.Lab, client: Client, kind: str, call: str, at: str = "work", **given: object) -> str:
    """The task's exit status once its node is back."""
    server.fault("task-loses-power", type=kind, at=at, seconds=60)
    upid = client.data(call, **given)
    until(lambda: not server.cluster.nodes["pve"].online)
    until(lambda: not server.cluster.tasks[upid].running)
    server.advance(61)
    return client.wait(upid)


def test_a_creation_whose_node_loses_power_leaves_a_lock_and_its_disk(server: lab.Lab, client: Client) -> None:
    assert power_goes(server, client, "vzcreate", CREATE, **NEW) == "unexpected status"
    config = client.data("GET /nodes/pve/lxc/103/config")
    assert config == {"lock": "create", "digest": config["digest"]}
    assert client("DELETE /nodes/pve/lxc/103").reason == client("DELETE /nodes/pve/lxc/103", force=1).reason == "CT is locked (create)"
    assert [row["vmid"] for row in client.data("GET /nodes/pve/storage/ctdata/content", vmid=103)] == [103]


def test_a_backup_whose_node_loses_power_leaves_lock_and_snapshot_and_no_archive(server: lab.Lab, client: Client) -> None:
    backup = "POST /nodes/pve/vzdump"
    assert power_goes(server, client, "vzdump", backup, vmid=100, storage="local", mode="snapshot") == "unexpected status"
    assert client.data("GET /nodes/pve/lxc/100/config")["lock"] == "backup"
    assert client.data("GET /nodes/pve/storage/local/content", content="backup") == []
    assert client.done("POST /nodes/pve/lxc/100/status/start") == "CT is locked (backup)"
    with server.cluster.lock:
        del server.cluster.guests[100].config["lock"]
    assert client.done("POST /nodes/pve/lxc/100/status/start") == "OK"
    upid = client.data(backup, vmid=100, storage="local", mode="snapshot")
    assert client.wait(upid) == "OK"
    assert len(client.data("GET /nodes/pve/storage/local/content", content="backup")) == 1
    assert [each["name"] for each in client.data("GET /nodes/pve/lxc/100/snapshot")] == ["current"]


@pytest.mark.parametrize(("at", "there_then"), [("begin", True), ("end", False)])
def test_power_goes_before_or_after_the_work(server: lab.Lab, client: Client, at: str, there_then: bool) -> None:
    assert power_goes(server, client, "vzdestroy", "DELETE /nodes/pve/lxc/102", at=at) == "unexpected status"
    assert there(client, 102) == there_then


def test_power_that_goes_while_a_task_waits_for_its_end_ends_it(server: lab.Lab, client: Client) -> None:
    """Other nodes' tasks would go on; what the task has locked stays locked, and its config file is free."""
    server.fault("task-hangs", type="vzdump", seconds=0)
    upid = client.data("POST /nodes/pve/vzdump", vmid=102, storage="local")
    until(lambda: "lock" in server.cluster.guests[102].config)
    server.fault("node-down", node="pve", power=1, seconds=60)
    server.advance(61)
    assert client.wait(upid) == "unexpected status"
    assert client("PUT /nodes/pve/lxc/102/config", memory=300).reason == "CT is locked (backup)"


def test_at_a_later_step(server: lab.Lab, client: Client) -> None:
    """A backup that stops its guest: the first step is the shutdown, the second the archive."""
    server.fault("task-fails", type="vzdump", step=2)
    assert client.done("POST /nodes/pve/vzdump", vmid=100, storage="local", mode="stop") == "job errors"
    assert client.data("GET /nodes/pve/lxc/100/status/current")["status"] == "running"
    assert client.data("GET /nodes/pve/storage/local/content", content="backup") == []


def test_tasks_without_steps_fail_at_their_end(server: lab.Lab, client: Client) -> None:
    server.fault("task-fails", type="resize", text="command failed")
    assert client.done("PUT /nodes/pve/lxc/102/resize", disk="rootfs", size="+1G") == "command failed"
    assert "size=3G" in client.data("GET /nodes/pve/lxc/102/config")["rootfs"]


def test_the_task_that_another_starts(server: lab.Lab, client: Client) -> None:
    """It is scoped by the call that both come from."""
    server.fault("task-fails", path="/nodes/pve/lxc", type="vzstart", text="no bridge")
    assert client.done(CREATE, start=1, **NEW) == "OK"
    (started,) = client.data("GET /nodes/pve/tasks", typefilter="vzstart", vmid=103)
    assert started["status"] == "no bridge"
    assert client.done(START) == "OK"


def test_the_second_of_its_kind_and_on_that_node_only() -> None:
    with lab.start(seed="fleet") as server:
        client = Client(server.url, server.tokens["root@pam!test"], server.ca_path)
        new = {"ostemplate": "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst", "rootfs": "local-lxc:1", "features": "nesting=1"}
        server.fault("task-fails", type="vzcreate", node="pve2", nth=2)
        found = [client.done(f"POST /nodes/{node}/lxc", vmid=100 + n, **new) for n, node in enumerate(("pve1", "pve2", "pve1", "pve2"))]
        assert [status == "OK" for status in found] == [True, True, True, False]
        client.close()


def test_a_task_that_hangs_until_it_is_stopped(server: lab.Lab, client: Client) -> None:
    server.fault("task-hangs", type="vzcreate")
    upid = client.data(CREATE, **NEW)
    until(lambda: server.cluster.tasks[upid].steps == 1)
    assert client.data("GET /nodes/pve/lxc/103/config")["lock"] == "create"
    server.advance(86400)
    assert client.data(f"GET /nodes/pve/tasks/{upid}/status")["status"] == "running"
    client.data(f"DELETE /nodes/pve/tasks/{upid}")
    assert client.wait(upid) == "unable to create CT 103 - interrupted by signal"
    assert not there(client, 103)


@pytest.mark.parametrize("ended_by", ["time", "taking it away"])
def test_a_task_that_hangs_for_a_while(server: lab.Lab, client: Client, ended_by: str) -> None:
    fault = server.fault("task-hangs", type="vzstart", seconds=3600)
    upid = client.data(START)
    until(lambda: server.cluster.tasks[upid].steps == 1)
    server.advance(600)
    assert client.data(f"GET /nodes/pve/tasks/{upid}/status")["status"] == "running"
    if ended_by == "time":
        server.advance(3600)
    else:
        server.faults.clear(fault.id)
    assert client.wait(upid) == "OK"


def test_a_task_that_ends_with_warnings(server: lab.Lab, client: Client) -> None:
    server.fault("task-warns", type="vzstart", text="old kernel")
    upid = client.data(START)
    assert client.wait(upid) == "WARNINGS: 1"
    assert log(client, upid) == ["WARN: old kernel", "TASK WARNINGS: 1"]
    assert client.data("GET /nodes/pve/lxc/102/status/current")["status"] == "running"
