"""Several nodes: migration, calls passed on, a node that is down, a cluster without quorum."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import lab
import pytest
import requests
from lab.client import Client
from lab.guests.simulated import Script
from lab.model import Storage

TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local:1", "features": "nesting=1", "vmid": 100}
HERE, THERE = "/nodes/pve-c1", "/nodes/pve-c2"
GUEST = f"{HERE}/lxc/100"
MOVE = {"target": "pve-c2"}


@pytest.fixture
def server() -> Iterator[lab.Lab]:
    with lab.start(seed="cluster") as running:
        local = running.cluster.storages["local"]
        running.cluster.storages |= {
            "nfs": Storage("nfs", "nfs", ["rootdir"], "/mnt/nfs", shared=True),
            "lvm": Storage("lvm", "lvmthin", ["rootdir"], "", nodes=["pve-c1"]),
            "btrfs": Storage("btrfs", "btrfs", ["rootdir"], "/srv/btrfs"),
            "isos": Storage("isos", "dir", ["iso"], local.path),
        }
        yield running


def make(client: Client, storage: str = "local", **options: Any) -> None:
    assert client.done(f"POST {HERE}/lxc", **{**NEW, "rootfs": f"{storage}:1", **options}) == "OK"


def log(client: Client, upid: str) -> list[str]:
    """Its lines, without the times."""
    lines = [each["t"] for each in client.data(f"GET /nodes/{upid.split(':')[1]}/tasks/{upid}/log", limit=0)]
    return [line[20:] if line[:2] == "20" else line for line in lines]


def aborted(client: Client, **options: Any) -> str:
    """Why a migration came to nothing."""
    upid = client.data(f"POST {GUEST}/migrate", **{**MOVE, **options})
    assert client.wait(upid) == "migration aborted"
    text = log(client, upid)[-2]
    assert text.startswith("ERROR: migration aborted (duration 00:00:0")
    return text.partition("): ")[2]


def test_the_log_of_a_migration_tells_each_volume(client: Client) -> None:
    make(client, mp0="nfs:1,mp=/data")
    upid = client.data(f"POST {GUEST}/migrate", **MOVE)
    assert client.wait(upid) == "OK"
    assert [line.partition(" (duration")[0] for line in log(client, upid)] == [
        "starting migration of CT 100 to node 'pve-c2' (127.0.0.1)",
        "volume 'nfs:100/vm-100-disk-0.raw' is on shared storage 'nfs'",
        "found local volume 'local:100/vm-100-disk-0.raw' (in current VM config)",
        "volume 'local:100/vm-100-disk-0.raw' is 'local:100/vm-100-disk-0.raw' on the target",
        "start final cleanup",
        "migration finished successfully",
        "TASK OK",
    ]


def test_disks_move_to_the_storage_that_was_named(client: Client) -> None:
    make(client)
    digest = client.data(f"GET {GUEST}/config")["digest"]
    assert client.done(f"POST {GUEST}/migrate", **MOVE, **{"target-storage": "local:btrfs"}) == "OK"
    found = client.data(f"GET {THERE}/lxc/100/config")
    assert found["rootfs"] == "btrfs:100/vm-100-disk-0.raw,size=1G"
    assert found["digest"] != digest


@pytest.mark.parametrize(
    ("mapping", "answer"),
    [
        ("nope", "storage 'nope' does not exist"),
        ("lvm", "storage 'lvm' is not available on node 'pve-c2'"),
        ("local:isos", "storage 'isos' does not support CT rootdirs"),
        ("local:btrfs,local:nfs", "Parameter verification failed."),
        ("btrfs,nfs", "Parameter verification failed."),
        ("1,local:nfs", "Parameter verification failed."),
    ],
)
def test_what_is_no_storage_over_there_is_refused(client: Client, mapping: str, answer: str) -> None:
    make(client)
    assert client(f"POST {GUEST}/migrate", **MOVE, **{"target-storage": mapping}).reason == answer


def test_a_running_container_is_stopped_moved_and_started_by_root(client: Client) -> None:
    make(client, start=1)
    upid = client.data(f"POST {GUEST}/migrate", **MOVE, restart=1)
    assert client.wait(upid) == "OK"
    assert {"shutdown CT 100", "start container on target node"} < set(log(client, upid))
    started = client.data(f"GET {THERE}/tasks", typefilter="vzstart")
    assert [(each["user"], each["id"], each.get("tokenid")) for each in started] == [("root@pam", "100", None)]
    assert client.data(f"GET {THERE}/lxc/100/status/current")["status"] == "running"


def test_a_container_that_does_not_stop_does_not_move(server: lab.Lab, client: Client, hurried: Callable[[str], str]) -> None:
    make(client, start=1)
    server.simulated.scripts[100] = Script(deaf=True)
    upid = client.data(f"POST {GUEST}/migrate", **MOVE, restart=1, timeout=30)
    assert hurried(upid) == "migration aborted"
    assert log(client, upid)[-2].endswith("container did not stop")
    assert client.data(f"GET {GUEST}/status/current")["status"] == "running"


def test_a_container_that_does_not_start_over_there_has_moved(server: lab.Lab, client: Client) -> None:
    make(client, start=1)
    server.simulated.scripts[100] = Script(start_fails="startup for container '100' failed")
    assert client.done(f"POST {GUEST}/migrate", **MOVE, restart=1) == "migration problems"
    assert client.data(f"GET {THERE}/lxc/100/status/current")["status"] == "stopped"


def test_a_migration_that_is_stopped_starts_the_container_again(server: lab.Lab, client: Client) -> None:
    make(client, start=1)
    upid = client.data(f"POST {GUEST}/migrate", **MOVE, restart=1, bwlimit=1)
    for _ in range(200):
        if client.data(f"GET {GUEST}/config").get("lock") == "migrate":
            break
    client.data(f"DELETE {HERE}/tasks/{upid}")
    assert client.wait(upid) == "migration aborted"
    assert log(client, upid)[-4:-2] == ["start final cleanup", "start container on source node"]
    found = client.data(f"GET {GUEST}/status/current")
    assert (found["status"], "lock" in found) == ("running", False)


def test_snapshots_travel_with_btrfs_and_hold_up_others(server: lab.Lab, client: Client) -> None:
    make(client, "btrfs")
    assert client.done(f"POST {GUEST}/snapshot", snapname="one") == "OK"
    assert client.done(f"POST {GUEST}/migrate", **MOVE) == "OK"
    assert client.done(f"POST {THERE}/lxc/100/snapshot/one/rollback") == "OK"
    server.cluster.storages["lvm"].nodes = []
    assert client.done(f"POST {HERE}/lxc", **{**NEW, "vmid": 101, "rootfs": "lvm:1"}) == "OK"
    assert client.done(f"POST {HERE}/lxc/101/snapshot", snapname="one") == "OK"
    upid = client.data(f"POST {HERE}/lxc/101/migrate", **MOVE)
    assert client.wait(upid) == "migration aborted"
    assert "can't migrate local volume 'lvm:vm-101-disk-0': non-migratable snapshot exists" in log(client, upid)


def test_what_hinders_a_migration_is_told_by_its_log(server: lab.Lab, client: Client) -> None:
    make(client, "lvm")
    assert aborted(client) == "storage 'lvm' is not available on node 'pve-c2'"
    config = server.cluster.guests[100].config
    config["mp0"] = "/srv/data,mp=/data"
    assert aborted(client, **{"target-storage": "lvm:local"}) == "cannot migrate local bind mount point 'mp0'"
    del config["mp0"]
    config["lock"] = "backup"
    assert aborted(client) == "CT is locked (backup)"
    del config["lock"]
    server.cluster.nodes["pve-c2"].online = False
    assert aborted(client, **{"target-storage": "1"}) == "storage 'lvm' is not available on node 'pve-c2'"


def test_a_node_that_is_down_takes_nobody_in(server: lab.Lab, client: Client) -> None:
    make(client)
    server.cluster.nodes["pve-c2"].online = False
    assert aborted(client) == "Can't connect to destination address using public key"


def test_what_can_be_known_before_a_migration(client: Client) -> None:
    make(client)
    assert client.data(f"GET {GUEST}/migrate") == {"running": 0, "allowed-nodes": ["pve-c2"], "not-allowed-nodes": {}}


def test_shared_disks_can_be_cloned_to_another_node(client: Client) -> None:
    make(client, "nfs")
    assert client.done(f"POST {GUEST}/clone", newid=101, **MOVE) == "OK"
    assert client.data(f"GET {THERE}/lxc/101/config")["rootfs"] == "nfs:101/vm-101-disk-0.raw,size=1G"
    reason = client(f"POST {GUEST}/clone", newid=102, storage="local", **MOVE).reason
    assert reason == "can't clone to non-shared storage 'local'"


def test_a_node_that_is_down_is_asked_in_vain(server: lab.Lab, client: Client) -> None:
    assert client.done(f"POST {THERE}/lxc", **NEW) == "OK"
    server.advance(11)
    server.cluster.nodes["pve-c2"].online = False
    for call in ("GET /nodes/pve-c2/lxc", "GET /nodes/pve-c2/lxc/100/config", "POST /nodes/pve-c2/lxc/100/status/start"):
        reply = client(call)
        assert (reply.status_code, reply.reason, reply.content) == (595, "No route to host", b"")
    nodes = {each["node"]: each["status"] for each in client.data("GET /nodes")}
    assert nodes == {"pve-c1": "online", "pve-c2": "offline"}
    assert [each["online"] for each in client.data("GET /cluster/status")[1:]] == [1, 0]
    (guest,) = client.data("GET /cluster/resources", type="vm")
    assert (guest["vmid"], guest["node"], guest["status"]) == (100, "pve-c2", "unknown")
    with pytest.raises(requests.ConnectionError):
        Client(server.urls["pve-c2"], server.token, server.ca_path)("GET /version")
    server.cluster.nodes["pve-c2"].online = True
    assert client.data("GET /nodes/pve-c2/lxc/100/config")["hostname"] == "CT100"


def test_rights_come_before_the_node_that_is_down(server: lab.Lab, client: Client) -> None:
    server.cluster.nodes["pve-c2"].online = False
    client.token = "root@pam!test=wrong"
    assert client("GET /nodes/pve-c2/lxc").status_code == 401


def test_without_quorum_all_can_be_read(server: lab.Lab, client: Client) -> None:
    make(client)
    server.cluster.quorate = False
    assert client.data("GET /cluster/status")[0]["quorate"] == 0
    for call in (f"GET {GUEST}/config", f"GET {GUEST}/snapshot", "GET /cluster/resources", f"GET {THERE}/lxc", "GET /cluster/nextid"):
        assert client(call).status_code == 200


def test_without_quorum_nothing_is_written(server: lab.Lab, client: Client) -> None:
    make(client, "btrfs")
    assert client.done(f"POST {GUEST}/snapshot", snapname="one") == "OK"
    before = client.data(f"GET {GUEST}/config")
    server.cluster.quorate = False
    for call, options in (
        (f"POST {HERE}/lxc", {**NEW, "vmid": 101}),
        (f"POST {GUEST}/clone", {"newid": 101}),
        (f"POST {GUEST}/migrate", MOVE),
        (f"POST {GUEST}/status/start", {}),
    ):
        reply = client(call, **options)
        assert (reply.status_code, reply.reason) == (500, "cluster not ready - no quorum?")
    denied = "unable to open file '/etc/pve/nodes/pve-c1/lxc/100.conf.tmp."
    for call, options in ((f"PUT {GUEST}/config", {"onboot": 1}), (f"PUT {GUEST}/snapshot/one/config", {"description": "x"})):
        reply = client(call, **options)
        assert reply.status_code == 500
        assert reply.reason.startswith(denied)
        assert reply.reason.endswith("' - Permission denied")
    for call, options in (
        (f"DELETE {GUEST}", {}),
        (f"POST {GUEST}/snapshot", {"snapname": "two"}),
        (f"DELETE {GUEST}/snapshot/one", {}),
        (f"POST {GUEST}/snapshot/one/rollback", {}),
        (f"PUT {GUEST}/resize", {"disk": "rootfs", "size": "+1G"}),
    ):
        assert client.done(call, **options).startswith(denied)
    server.cluster.quorate = True
    assert client.data(f"GET {GUEST}/config") == before


def test_version_8_lacks_what_came_with_9() -> None:
    with lab.start(seed="cluster@8.4") as old:
        client = Client(old.url, old.token, old.ca_path)
        assert client.data("GET /version")["release"] == "8.4"
        assert client(f"GET {GUEST}/migrate").status_code == 501
        assert client.done(f"POST {HERE}/lxc", vmid=100, ostemplate=TEMPLATE, rootfs="local:1", start=1) == "WARNINGS: 1"
        assert "unprivileged" not in client.data(f"GET {GUEST}/config")
        assert not [name for name in client.data(f"GET {GUEST}/status/current") if name.startswith("pressure")]
        assert client(f"PUT {GUEST}/config", entrypoint="/sbin/init").status_code == 400
        client.close()
