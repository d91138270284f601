"""Faults that spoil answers: each by its name, whether the call has had its effect, and how they are scoped."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import lab
import pytest
import requests
import yaml
from lab.client import Client
from lab.faults import ANSWERS, KINDS, STATES, TASKS

README = Path(lab.__file__).with_name("README.md")
CONFIG = "/nodes/pve/lxc/102/config"
CHANGE = f"PUT {CONFIG}"


def tags(client: Client) -> str:
    return str(client.data(f"GET {CONFIG}")["tags"])


def lost(client: Client, call: str, **data: object) -> bool:
    """Whether a call gets no answer; a client with kept connections would try again by itself."""
    try:
        client(call, **data)
    except requests.ConnectionError:
        return True
    return False


@pytest.mark.parametrize(("kind", "left"), [("reset", "lab"), ("reset-after", "done")])
def test_a_reset_before_or_after_the_effect(server: lab.Lab, client: Client, kind: str, left: str) -> None:
    server.fault(kind, method="PUT")
    assert lost(client, CHANGE, tags="done")
    assert tags(client) == left
    (entry,) = server.journal("PUT")
    assert (entry.status, entry.fault, entry.effect) == (0, kind, "changed" if left == "done" else "")
    assert entry.changes == ({"tags": ["lab", "done"]} if left == "done" else {})


@pytest.mark.parametrize(("kind", "left"), [("timeout", "lab"), ("timeout-after", "done")])
def test_no_answer_in_time(server: lab.Lab, client: Client, kind: str, left: str) -> None:
    server.fault(kind, method="PUT", seconds=600)
    headers = {"Authorization": f"PVEAPIToken={server.token}"}
    with pytest.raises(requests.ReadTimeout):
        client.http.put(client.base + CONFIG, data={"tags": "done"}, headers=headers, timeout=0.2)
    assert tags(client) == left
    server.advance(600)


@pytest.mark.parametrize(
    ("kind", "status", "reason", "has_body"),
    [
        ("401", 401, "Authentication failed!", False),
        ("403", 403, "Permission check failed", True),
        ("500", 500, "got timeout", True),
        ("595", 595, "No route to host", False),
        ("596", 596, "Connection timed out", False),
        ("status", 500, "injected fault", True),
    ],
)
def test_a_status_with_the_text_that_a_server_gives_with_it(
    server: lab.Lab, client: Client, kind: str, status: int, reason: str, has_body: bool
) -> None:
    server.fault(kind, method="PUT")
    reply = client(CHANGE, tags="done")
    assert (reply.status_code, reply.reason, bool(reply.content)) == (status, reason, has_body)
    assert tags(client) == "lab"
    server.fault(f"{kind}-after", method="PUT", reason="in other words")
    assert client(CHANGE, tags="done").reason == "in other words"
    assert tags(client) == "done"
    assert [entry.effect for entry in server.journal("PUT")] == ["", "changed"]


def test_any_status(server: lab.Lab, client: Client) -> None:
    server.fault("status", status=503, reason="Service Unavailable")
    assert client("GET /version").status_code == 503


def test_half_of_the_json(server: lab.Lab, client: Client) -> None:
    server.fault("malformed", path="/version")
    reply = client("GET /version")
    assert reply.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        reply.json()


@pytest.mark.parametrize(("kind", "least_s"), [("slow-body", 540), ("latency", 600)])
def test_answers_that_take_longer_do_so_by_the_labs_clock(server: lab.Lab, client: Client, kind: str, least_s: float) -> None:
    server.fault(kind, path="/version", seconds=600)
    began, found, done = server.clock.now(), list[object](), threading.Event()

    def ask() -> None:
        found.append(client.data("GET /version"))
        done.set()

    thread = threading.Thread(target=ask)
    thread.start()
    while not done.wait(0.01):
        server.advance(30)
    thread.join()
    assert found
    assert server.clock.now() - began >= least_s


def test_several_faults_of_different_kinds_strike_one_call(server: lab.Lab, client: Client) -> None:
    server.fault("latency", path="/version", seconds=0)
    server.fault("500", path="/version")
    server.fault("malformed", path="/version")
    assert client("GET /version").status_code == 500
    with pytest.raises(requests.JSONDecodeError):
        client("GET /version").json()
    assert [entry.fault for entry in server.journal(path="/version")] == ["500", "latency,malformed"]


# How they are scoped.


def statuses(client: Client, number: int, call: str = "GET /version") -> list[int]:
    return [client(call).status_code for _ in range(number)]


def test_by_method_and_path(server: lab.Lab, client: Client) -> None:
    server.fault("500", method="GET", path=r"/nodes/[^/]+/lxc/10[12]/config", times=0)
    found = [client(f"GET /nodes/pve/lxc/{vmid}/config").status_code for vmid in (100, 101, 102)]
    assert found == [200, 500, 500]
    assert client(CHANGE, tags="done").status_code == 200


def test_from_the_nth_call_on_and_so_many_times(server: lab.Lab, client: Client) -> None:
    fault = server.fault("500", path="/version", nth=2, times=2)
    assert statuses(client, 5) == [200, 500, 500, 200, 200]
    assert (fault.seen, fault.struck) == (5, 2)


def test_with_a_probability_that_is_the_same_each_time(server: lab.Lab, client: Client) -> None:
    found = []
    for seed in (1, 1, 2):
        fault = server.fault("500", path="/version", times=0, probability=0.5, seed=seed)
        found.append(statuses(client, 20))
        server.faults.clear(fault.id)
    assert found[0] == found[1] != found[2]
    assert 4 < found[0].count(500) < 16


def test_by_the_node_that_is_asked() -> None:
    with lab.start(seed="cluster") as server:
        server.fault("500", node="pve-c2", times=0)
        for node, status in (("pve-c1", 200), ("pve-c2", 500)):
            client = Client(server.urls[node], server.token, server.ca_path)
            assert client("GET /nodes/pve-c2/lxc").status_code == status
            client.close()


def test_by_the_cluster() -> None:
    with lab.start(seed=("demo", "demo84")) as server:
        server.fault("500", cluster="demo84-2", times=0)
        for site, status in zip(server.sites, (200, 500), strict=True):
            client = Client(site.urls["pve1"], site.tokens["root@pam!test"], server.ca_path)
            assert client("GET /version").status_code == status
            client.close()


def test_taken_away_they_strike_no_more(server: lab.Lab, client: Client) -> None:
    first, second = server.fault("500", times=0), server.fault("403", times=0)
    server.faults.clear(first.id)
    assert statuses(client, 1) == [403]
    server.faults.clear()
    assert second.lifted
    assert statuses(client, 1) == [200]


# How they are set.


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"kind": "nonsense"}, "no fault is called 'nonsense'"),
        ({"kind": "500", "secs": 3}, "faults have no secs"),
        ({"kind": "500", "path": "("}, "no regular expression"),
        ({"kind": "500", "node": "pve9"}, "there is no 'pve9' here; there are pve"),
        ({"kind": "500", "cluster": "other"}, "there is no 'other' here; there are conformance-1"),
        ({"path": "/version"}, "a fault needs its kind"),
    ],
)
def test_what_makes_no_sense_is_refused(server: lab.Lab, given: dict[str, object], text: str) -> None:
    with pytest.raises(ValueError, match=text.replace("(", r"\(")):
        server.set_fault(given)
    reply = requests.post(f"{server.control_url}/faults", json=given, timeout=5)
    assert reply.status_code == 400
    assert text in reply.json()["error"]


def test_over_the_control_api(server: lab.Lab, client: Client) -> None:
    faults = f"{server.control_url}/faults"
    set_one = requests.post(faults, json={"kind": "500", "path": "/version", "reason": "enough"}, timeout=5).json()
    assert client("GET /version").reason == "enough"
    (found,) = requests.get(faults, timeout=5).json()
    assert (found["id"], found["kind"], found["struck"]) == (set_one["id"], "500", 1)
    assert requests.delete(faults, params={"id": set_one["id"]}, timeout=5).ok
    assert requests.get(faults, timeout=5).json() == []
    assert requests.get(f"{server.control_url}/kinds", timeout=5).json().keys() == KINDS.keys()


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "faults.yml"
    file.write_text("- {kind: 500, path: /version, times: 0}\n- {kind: clock-jump, seconds: 86400}\n")
    assert yaml.safe_load(file.read_text())[0]["kind"] == 500
    with lab.start(seed="demo", faults=file) as server:
        client = Client(server.url, server.token, server.ca_path)
        assert client("GET /version").status_code == 500
        assert server.clock.now() - time.time() > 86000
        client.close()


def test_the_readme_lists_them_all() -> None:
    text = README.read_text()
    assert not [name for name in {**ANSWERS, **TASKS, **STATES} if f"`{name}`" not in text]
