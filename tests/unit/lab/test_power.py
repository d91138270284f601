"""Starting, stopping and destroying beyond the recorded scenarios: aborts, races, pending options, suspending, resizing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import lab
import pytest
from lab.client import Client
from lab.guests.simulated import Script

GUEST = "/nodes/pve/lxc/102"
STATUS = f"{GUEST}/status"


@pytest.fixture
def deaf(server: lab.Lab, client: Client) -> Client:
    """Container 102 runs and does not hear a shutdown."""
    server.simulated.scripts[102] = Script(deaf=True)
    assert client.done(f"POST {STATUS}/start") == "OK"
    return client


def state(client: Client) -> str:
    return str(client.data(f"GET {STATUS}/current")["status"])


def test_a_shutdown_without_a_limit_ends_when_its_task_is_stopped(deaf: Client) -> None:
    task = deaf.data(f"POST {STATUS}/shutdown", timeout=0, forceStop=1)
    assert deaf.data(f"GET /nodes/pve/tasks/{task}/status")["status"] == "running"
    deaf.data(f"DELETE /nodes/pve/tasks/{task}")
    assert deaf.wait(task) == "received interrupt"
    assert state(deaf) == "running"


def test_a_stop_overrules_shutdowns_when_it_is_told_to(deaf: Client) -> None:
    task = deaf.data(f"POST {STATUS}/shutdown", timeout=0)
    stop = deaf.data(f"POST {STATUS}/stop", **{"overrule-shutdown": 1})
    assert deaf.wait(stop) == "OK"
    assert deaf.data(f"GET /nodes/pve/tasks/{stop}/log")[0]["t"] == f"overruled vzshutdown tasks: {task}"
    assert deaf.wait(task) in {"received interrupt", "OK"}
    assert state(deaf) == "stopped"


def test_a_shutdown_by_the_labs_clock_takes_no_time(deaf: Client, hurried: Callable[[str], str]) -> None:
    assert hurried(deaf.data(f"POST {STATUS}/shutdown", timeout=600)) == "container did not stop"


def test_a_config_waits_for_a_reboot_and_then_gives_up(server: lab.Lab, deaf: Client, hurried: Callable[[str], str]) -> None:
    server.cluster.lock_wait_s = 0.1
    task = deaf.data(f"POST {STATUS}/reboot", timeout=600)
    while not server.cluster.guests[102].held_by:
        time.sleep(0.01)
    text = "can't lock file '/run/lock/lxc/pve-config-102.lock' - got timeout"
    assert deaf(f"PUT {GUEST}/config", onboot=1).reason == text
    assert deaf(f"POST {STATUS}/stop").reason == text
    assert hurried(task) == "OK"
    assert state(deaf) == "running"
    assert deaf(f"PUT {GUEST}/config", onboot=1).status_code == 200


def test_of_two_starts_at_once_one_starts_it(server: lab.Lab, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    runtime, go = server.cluster.runtime, threading.Event()
    original = runtime.start

    def wait(*arguments: Any) -> None:
        assert go.wait(10)
        original(*arguments)

    monkeypatch.setattr(runtime, "start", wait)
    first = client.data(f"POST {STATUS}/start")
    threading.Timer(0.2, go.set).start()
    assert client.done(f"POST {STATUS}/start") == "CT 102 already running"
    assert client.wait(first) == "OK"


def test_what_is_pending_is_taken_over_at_the_next_start(client: Client) -> None:
    assert client.done(f"POST {STATUS}/start") == "OK"
    client.data(f"PUT {GUEST}/config", tty=4, mp0="ctdata:1,mp=/data")
    client.data(f"PUT {GUEST}/config", delete="mp0")
    digest = client.data(f"GET {GUEST}/config")["digest"]
    assert client.done(f"POST {STATUS}/stop") == "OK"
    assert client.data(f"GET {GUEST}/config")["digest"] == digest
    pending = {each["key"]: each for each in client.data(f"GET {GUEST}/pending")}
    assert (pending["tty"]["pending"], pending["mp0"]["delete"]) == (4, 1)
    assert client.done(f"POST {STATUS}/start") == "OK"
    found = client.data(f"GET {GUEST}/config", current=1)
    assert (found["tty"], found["unused0"]) == (4, "ctdata:102/vm-102-disk-1.raw")
    assert "mp0" not in found


def test_what_is_pending_can_be_reverted(client: Client) -> None:
    assert client.done(f"POST {STATUS}/start") == "OK"
    client.data(f"PUT {GUEST}/config", tty=4)
    client.data(f"PUT {GUEST}/config", delete="features")
    client.data(f"PUT {GUEST}/config", revert="tty,features")
    assert not any({"pending", "delete"} & set(each) for each in client.data(f"GET {GUEST}/pending"))


def test_suspending_fails_as_where_nothing_can_be_checkpointed(client: Client) -> None:
    text = "command 'lxc-checkpoint -n 100 -s -D /var/lib/vz/dump' failed: exit code 1"
    assert client.done("POST /nodes/pve/lxc/100/status/suspend") == text
    assert client.data("GET /nodes/pve/lxc/100/status/current")["status"] == "running"
    assert client.done(f"POST {STATUS}/resume").startswith("command 'lxc-checkpoint -n 102 -r")


def test_a_locked_container_can_be_stopped_by_nobody(server: lab.Lab, client: Client) -> None:
    server.cluster.guests[100].config["lock"] = "backup"
    for word in ("stop", "shutdown", "suspend"):
        assert client.done(f"POST /nodes/pve/lxc/100/status/{word}") == "CT is locked (backup)"
    assert client.data("GET /nodes/pve/lxc/100/status/current")["status"] == "running"


def test_protection_that_comes_meanwhile_saves_a_container(server: lab.Lab, client: Client) -> None:
    guest = server.cluster.guests[102]
    guest.held_by = "test"
    task = client.data(f"DELETE {GUEST}")
    time.sleep(0.05)
    with server.cluster.lock:
        guest.config["protection"], guest.held_by = 1, ""
        server.cluster.lock.notify_all()
    assert client.wait(task) == "can't remove CT 102 - protection mode enabled"


@pytest.mark.parametrize(("size", "answer"), [("+0", "disk is already at specified size"), ("1.5G", "unable to shrink disk size")])
def test_a_disk_only_grows(client: Client, size: str, answer: str) -> None:
    assert client(f"PUT {GUEST}/resize", disk="rootfs", size=size).reason == answer


def test_a_resize_heeds_the_digest(client: Client) -> None:
    reason = client(f"PUT {GUEST}/resize", disk="rootfs", size="+1G", digest="0" * 40).reason
    assert reason == "detected modified configuration - file changed by other user? Try again."
    digest = client.data(f"GET {GUEST}/config")["digest"]
    assert client.done(f"PUT {GUEST}/resize", disk="rootfs", size="+0.5G", digest=digest) == "OK"
    assert client.data(f"GET {GUEST}/config")["rootfs"].endswith("size=2560M")


def test_a_disk_of_another_container_is_not_resized(server: lab.Lab, client: Client) -> None:
    server.cluster.guests[102].config["mp0"] = "local-btrfs:100/vm-100-disk-0.raw,mp=/foreign,size=2G"
    reason = client(f"PUT {GUEST}/resize", disk="mp0", size="+1G").reason
    assert reason == "can't resize mount point owned by another container (100)"


def test_a_running_containers_figures_move(client: Client) -> None:
    series = client.data("GET /nodes/pve/lxc/100/rrddata", timeframe="hour")
    assert len({each["mem"] for each in series}) > 10
    assert {each["maxmem"] for each in series} == {512 * 1024**2}
    assert [each["time"] for each in series] == sorted(each["time"] for each in series)
    assert client("GET /nodes/pve/lxc/777/rrddata", timeframe="hour").status_code == 500
