"""Faults of the cluster's state: what they make of it, for how long, and that it is whole again afterwards."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import lab
import pytest
import requests
from lab.client import Client

CONFIG = "/nodes/pve/lxc/102/config"
TEMPLATE = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local-lxc:1", "features": "nesting=1"}
CHANGED = "detected modified configuration - file changed by other user? Try again."


@pytest.fixture
def fleet() -> Iterator[lab.Lab]:
    """Three nodes; container 100 runs on pve2, and starts with it."""
    with lab.start(seed="fleet") as server:
        client = Client(server.url, server.tokens["root@pam!test"], server.ca_path)
        assert client.done("POST /nodes/pve2/lxc", vmid=100, start=1, onboot=1, **NEW) == "OK"
        assert client.done("POST /nodes/pve2/lxc", vmid=101, start=1, **NEW) == "OK"
        server.advance(20)
        client.close()
        yield server


@pytest.fixture
def root(fleet: lab.Lab) -> Iterator[Client]:
    found = Client(fleet.url, fleet.tokens["root@pam!test"], fleet.ca_path)
    yield found
    found.close()


def refuses(url: str) -> bool:
    place = urlsplit(url)
    with socket.socket() as probe:
        return probe.connect_ex((place.hostname or "", place.port or 0)) != 0


# The port.


def test_connections_are_refused_for_a_while(server: lab.Lab, client: Client) -> None:
    assert client("GET /version").status_code == 200
    server.fault("refuse", seconds=120)
    assert refuses(server.url)
    with pytest.raises(requests.ConnectionError):
        client("GET /version")  # over a connection that was kept
    server.advance(119)
    assert refuses(server.url)
    server.advance(2)
    assert client("GET /version").status_code == 200


def test_the_port_closes_when_a_call_comes_and_the_call_is_lost(server: lab.Lab, client: Client) -> None:
    server.fault("refuse", method="PUT", seconds=0)
    with pytest.raises(requests.ConnectionError):
        client(f"PUT {CONFIG}", tags="done")
    assert refuses(server.url)
    assert server.cluster.guests[102].config["tags"] == "lab"
    server.faults.clear()
    server.fault("refuse-after", method="PUT")
    with pytest.raises(requests.ConnectionError):
        client(f"PUT {CONFIG}", tags="done")
    assert refuses(server.url)
    assert server.cluster.guests[102].config["tags"] == "done"


def test_only_the_node_that_is_meant_refuses(fleet: lab.Lab) -> None:
    fleet.fault("refuse", node="pve2")
    fleet.fault("refuse", node="pve2", seconds=600)
    assert [refuses(url) for url in fleet.urls.values()] == [False, True, False]
    fleet.advance(61)
    assert refuses(fleet.urls["pve2"])
    fleet.advance(600)
    assert not refuses(fleet.urls["pve2"])


def test_no_other_node_can_pass_a_call_on_to_a_closed_port(fleet: lab.Lab, root: Client) -> None:
    fleet.fault("refuse", method="PUT", target="pve2", seconds=0)
    reply = root("PUT /nodes/pve2/lxc/100/config", tags="done")
    assert (reply.status_code, reply.reason) == (595, "Connection refused")
    assert "tags" not in fleet.cluster.guests[100].config
    assert root.data("GET /nodes/pve1/status")["uptime"] > 0
    fleet.faults.clear()
    root.data("PUT /nodes/pve2/lxc/100/config", tags="done")


# Nodes.


def states(client: Client) -> dict[int, str]:
    return {each["vmid"]: each["status"] for each in client.data("GET /cluster/resources", type="vm")}


def test_a_node_is_down_for_a_while(fleet: lab.Lab, root: Client) -> None:
    fleet.fault("node-down", node="pve2", seconds=300)
    assert [each["status"] for each in sorted(root.data("GET /nodes"), key=lambda each: str(each["node"]))] == [
        "online",
        "offline",
        "online",
    ]
    assert states(root) == {100: "unknown", 101: "unknown"}
    assert root("GET /nodes/pve2/lxc/100/status/current").status_code == 595
    assert root.data("GET /cluster/status")[0]["quorate"] == 1
    assert [node.ssh for node in fleet.cluster.nodes.values()] == [True, False, True]
    assert root.done("POST /nodes/pve1/lxc", vmid=102, **NEW) == "OK"
    with pytest.raises(requests.ConnectionError):
        Client(fleet.urls["pve2"], root.token, fleet.ca_path)("GET /version")
    fleet.advance(301)
    assert root.data("GET /nodes/pve2/lxc/100/status/current")["status"] == "running"
    assert states(root)[100] == "running"


def test_without_power_guests_die_and_those_with_onboot_start_again(fleet: lab.Lab, root: Client) -> None:
    fleet.fault("node-down", node="pve2", power=1, seconds=300)
    fleet.advance(301)
    (task,) = root.data("GET /nodes/pve2/tasks", typefilter="startall", source="all")
    assert root.wait(task["upid"]) == "OK"
    found = {vmid: root.data(f"GET /nodes/pve2/lxc/{vmid}/status/current")["status"] for vmid in (100, 101)}
    assert found == {100: "running", 101: "stopped"}
    assert root.data("GET /nodes/pve2/status")["uptime"] < 60


def test_two_of_three_nodes_down_are_too_many(fleet: lab.Lab, root: Client) -> None:
    fleet.fault("node-down", node="pve2", seconds=0)
    fleet.fault("node-down", node="pve3", seconds=60)
    assert root("POST /nodes/pve1/lxc", vmid=102, **NEW).reason == "cluster not ready - no quorum?"
    fleet.advance(61)
    assert root.done("POST /nodes/pve1/lxc", vmid=102, **NEW) == "OK"


def test_a_node_goes_down_once_a_call_has_had_its_effect(fleet: lab.Lab, root: Client) -> None:
    fleet.fault("node-down-after", method="PUT", path=".*/config")
    assert root("PUT /nodes/pve2/lxc/100/config", tags="done").status_code == 200
    assert fleet.cluster.guests[100].config["tags"] == "done"
    assert not fleet.cluster.nodes["pve2"].online
    fleet.faults.clear()
    fleet.fault("node-down-after", method="PUT", path=".*/config", target="pve1")
    with pytest.raises(requests.ConnectionError):
        root("PUT /nodes/pve2/lxc/100/config", tags="again")
    assert fleet.cluster.guests[100].config["tags"] == "again"


def test_ssh_refuses_for_a_while(fleet: lab.Lab) -> None:
    heard: list[tuple[str, bool]] = []
    fleet.sites[0].set_ssh = lambda node, up: heard.append((node, up))
    fleet.fault("ssh-down", node="pve2", seconds=30)
    shown = requests.get(f"{fleet.control_url}/status", timeout=5).json()["clusters"]["fleet-1"]["nodes"]
    assert {name: each["ssh"] for name, each in shown.items()} == {"pve1": True, "pve2": False, "pve3": True}
    fleet.advance(31)
    assert fleet.cluster.nodes["pve2"].ssh
    assert heard == [("pve2", False), ("pve2", True)]


# The cluster.


def test_quorum_is_lost_for_a_while(fleet: lab.Lab, root: Client) -> None:
    fleet.fault("quorum-lost", seconds=60)
    assert root.data("GET /cluster/status")[0]["quorate"] == 0
    assert root("PUT /nodes/pve2/lxc/100/config", tags="x").reason.endswith("Permission denied")
    fleet.fault("node-down", node="pve3", seconds=10)
    fleet.advance(11)
    assert not fleet.cluster.quorate
    fleet.advance(50)
    root.data("PUT /nodes/pve2/lxc/100/config", tags="x")


def test_the_clock_jumps(server: lab.Lab, client: Client) -> None:
    before = server.clock.now()
    server.fault("clock-jump", seconds=-7200)
    assert -7200 <= server.clock.now() - before < -7100
    server.fault("clock-jump", method="PUT", seconds=14400)
    assert server.clock.now() - before < 0
    client.data(f"PUT {CONFIG}", tags="x")
    assert client.data("GET /nodes/pve/time")["time"] - before > 7000


# Guests.


def test_a_backup_holds_its_lock_for_a_while(server: lab.Lab, client: Client) -> None:
    server.fault("backup-lock", vmid=102, seconds=600)
    assert client.data("GET /nodes/pve/lxc/102/status/current")["lock"] == "backup"
    assert client(f"PUT {CONFIG}", tags="x").reason == "CT is locked (backup)"
    assert client.done("POST /nodes/pve/lxc/102/status/start") == "CT is locked (backup)"
    server.advance(601)
    client.data(f"PUT {CONFIG}", tags="x")
    assert "lock" not in client.data(f"GET {CONFIG}")


def test_a_backup_begins_right_before_a_call(server: lab.Lab, client: Client) -> None:
    server.fault("backup-lock", method="PUT")
    assert "lock" not in client.data(f"GET {CONFIG}")
    assert client(f"PUT {CONFIG}", tags="x").reason == "CT is locked (backup)"
    server.faults.clear()
    assert "lock" not in client.data(f"GET {CONFIG}")


def test_another_kind_of_lock_stays(server: lab.Lab, client: Client) -> None:
    server.cluster.guests[102].config["lock"] = "snapshot"
    server.fault("backup-lock", vmid=102, seconds=600)
    server.advance(601)
    assert client.data(f"GET {CONFIG}")["lock"] == "snapshot"


def test_somebody_else_changes_the_config_right_before_a_write(server: lab.Lab, client: Client) -> None:
    before = client.data(f"GET {CONFIG}")
    server.fault("config-changed", times=2)
    for times in (1, 2):
        assert client(f"PUT {CONFIG}", tags="x", digest=before["digest"]).reason == CHANGED
        after = client.data(f"GET {CONFIG}")
        assert (after["cpuunits"], after["tags"]) == (100 + times, "lab")
        before = after
    client.data(f"PUT {CONFIG}", tags="x", digest=before["digest"])


def test_somebody_else_changes_what_the_test_says_at_once(server: lab.Lab, client: Client) -> None:
    server.fault("config-changed", vmid=102, options={"description": "mine"})
    assert client.data(f"GET {CONFIG}")["description"] == "mine\n"


def test_somebody_else_changes_the_mappings(server: lab.Lab, client: Client) -> None:
    client.data("POST /cluster/mapping/dir", id="ledger", map="node=pve,path=/tmp")
    digest = client.data("GET /cluster/mapping/dir/ledger")["digest"]
    server.fault("config-changed")
    reply = client("PUT /cluster/mapping/dir/ledger", map="node=pve,path=/tmp", description="x", digest=digest)
    assert reply.reason == f"update directory mapping failed: {CHANGED}"


def test_a_condition_ends_in_real_time_too(server: lab.Lab) -> None:
    server.fault("quorum-lost", seconds=0.05)
    end = time.monotonic() + 5
    while not server.cluster.quorate:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_with_a_frozen_clock_it_ends_when_the_clock_is_turned(tmp_path: Path) -> None:
    with lab.start(seed="demo", frozen_at=1_800_000_000) as server:
        server.fault("quorum-lost", seconds=0.01)
        time.sleep(0.05)
        assert not server.cluster.quorate
        server.advance(1)
        assert server.cluster.quorate
