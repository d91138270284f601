"""The journal: every call with what it changed, readable by tests here and elsewhere."""

from __future__ import annotations

import lab
import requests
from lab.client import Client

CONFIG = "/nodes/pve/lxc/102/config"
NEW = {"ostemplate": "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst", "rootfs": "ctdata:1", "features": "nesting=1"}


def test_what_a_write_has_changed(server: lab.Lab, client: Client) -> None:
    client.data(f"PUT {CONFIG}", memory=1024, delete="description", tags="b a")
    client(f"PUT {CONFIG}", memory=8)
    client.data(f"GET {CONFIG}")
    done, refused, read = server.journal(path=CONFIG)
    assert (done.effect, done.params) == ("changed", {"memory": "1024", "delete": "description", "tags": "b a"})
    expected = {"memory": [512, 1024], "description": ["files test container\n", None], "tags": ["lab", "a;b"]}
    assert done.changes == expected
    assert (refused.status, refused.effect, refused.changes) == (400, "", {})
    assert (read.effect, read.changes) == ("", {})


def test_what_waits_for_a_restart_is_a_change_too(server: lab.Lab, client: Client) -> None:
    client.data("PUT /nodes/pve/lxc/100/config", tty=4)
    assert server.journal("PUT")[0].changes == {"tty": [None, 4]}


def test_the_task_that_a_call_started_and_what_has_become_of_it(server: lab.Lab, client: Client) -> None:
    fault = server.fault("task-hangs", type="vzcreate")
    upid = client.data("POST /nodes/pve/lxc", vmid=103, password="secret", **NEW)
    (entry,) = server.journal("POST")
    assert (entry.effect, server.outcome(entry), entry.fault) == (upid, "running", "task-hangs")
    assert entry.params["password"] == "***"
    server.faults.clear(fault.id)
    assert client.wait(upid) == "OK"
    assert server.outcome(entry) == "OK"


def test_who_called_whom_and_how_long_it_took(server: lab.Lab, client: Client, limited: Client) -> None:
    limited.data("GET /version")
    client.token = "nobody@pve!x=y"
    client("GET /version")
    first, second = server.journal()
    assert (first.user, first.node, first.cluster, first.status) == ("alice@pve!t1", "pve", "conformance-1", 200)
    assert (second.user, second.status) == ("", 401)
    assert 0 < first.took_ms < 5000


def test_over_the_control_api(server: lab.Lab, client: Client) -> None:
    journal = f"{server.control_url}/journal"
    upid = client.data("POST /nodes/pve/lxc/102/status/start")
    assert client.wait(upid) == "OK"
    found = requests.get(journal, params={"effects": 1}, timeout=5).json()
    assert [(each["path"], each["effect"], each["outcome"]) for each in found] == [("/nodes/pve/lxc/102/status/start", upid, "OK")]
    assert len(requests.get(journal, params={"method": "GET", "path": "/tasks/"}, timeout=5).json()) >= 1
    server.advance(60)
    client.data(f"PUT {CONFIG}", tags="x")
    since = requests.get(journal, params={"since": server.clock.now() - 30}, timeout=5).json()
    assert [each["changes"] for each in since] == [{"tags": ["lab", "x"]}]
    assert requests.delete(journal, timeout=5).ok
    assert server.journal() == []


def test_a_status_of_all_that_there_is(server: lab.Lab) -> None:
    found = requests.get(f"{server.control_url}/status", timeout=5).json()
    nodes = {"pve": {"url": server.url, "online": True, "ssh": True}}
    known = {"version": "9.2", "quorate": True, "nodes": nodes, "guests": 3, "running": 2, "kind": "simulated"}
    assert found["clusters"] == {"conformance-1": known}
    assert found["environment"]["URL"] == server.url


def test_how_simulated_guests_behave_is_set_over_the_control_api(server: lab.Lab, client: Client) -> None:
    guests = f"{server.control_url}/guests"
    assert requests.post(guests, json={"vmid": 102, "start_fails": "no such device"}, timeout=5).ok
    assert client.done("POST /nodes/pve/lxc/102/status/start") == "no such device"
    for wrong in ({"vmid": 102, "nonsense": 1}, {"cluster": "other"}):
        assert requests.post(guests, json=wrong, timeout=5).status_code == 400
    assert requests.get(f"{server.control_url}/nothing", timeout=5).json() == {"error": "the control API has no GET /nothing"}
