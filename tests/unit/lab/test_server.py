"""The lab over HTTPS: who may in, how it refuses, tasks, the clock, faults, its journal, its saved state."""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import lab
import pytest
import requests
from lab.client import Client

TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "ctdata:1", "features": "nesting=1"}
"""What a container needs so that its creation ends without a warning."""


def test_the_certificate_is_the_labs_own(server: lab.Lab) -> None:
    trusting = ssl.create_default_context(cafile=str(server.ca_path))
    trusting.verify_flags |= ssl.VERIFY_X509_STRICT
    place = urlsplit(server.url)
    with (
        socket.create_connection((place.hostname or "", place.port or 0), timeout=5) as raw,
        trusting.wrap_socket(raw, server_hostname="localhost") as secure,
    ):
        assert secure.version()


def test_connections_are_kept_until_an_error(server: lab.Lab) -> None:
    place, context = urlsplit(server.url), ssl.create_default_context(cafile=str(server.ca_path))
    connection = http.client.HTTPSConnection(place.netloc, context=context, timeout=5)
    for path, closes in (("/version", False), ("/version", False), ("/nope", True)):
        connection.request("GET", f"/api2/json{path}", headers={"Authorization": f"PVEAPIToken={server.token}"})
        reply = connection.getresponse()
        reply.read()
        assert (reply.getheader("Connection") == "close") is closes
    connection.close()


def test_a_stranger_is_told_nothing(server: lab.Lab, client: Client) -> None:
    for token in ("", "root@pam!test=wrong", "nobody@pve!x=y"):
        client.token = token
        reply = client("GET /nope")
        assert (reply.status_code, reply.content) == (401, b"")


def test_a_ticket_needs_its_csrf_token_to_write(server: lab.Lab, client: Client) -> None:
    site = server.sites[0]
    password = site.cluster.users["root@pam"].password
    client.token = ""
    assert client("POST /access/ticket", username="root@pam", password="wrong").status_code == 401
    found = client.data("POST /access/ticket", username="root@pam", password=password)
    client.http.cookies["PVEAuthCookie"] = found["ticket"]
    assert client("GET /version").status_code == 200
    assert client("PUT /nodes/pve/lxc/102/config", onboot=1).status_code == 401
    client.http.headers["CSRFPreventionToken"] = found["CSRFPreventionToken"]
    assert client("PUT /nodes/pve/lxc/102/config", features="nesting=1,keyctl=1").status_code == 200
    server.advance(2 * 3600)
    assert client("GET /version").status_code == 401


def test_declared_rights_come_before_parameters_and_the_calls_own_after(limited: Client) -> None:
    assert limited("PUT /nodes/pve/lxc/100/config", foo=1).status_code == 403
    assert limited("POST /nodes/pve/lxc", vmid=5, ostemplate=TEMPLATE).status_code == 400
    assert limited("POST /nodes/pve/lxc", vmid=940, ostemplate=TEMPLATE).reason == "Permission check failed"


def test_deleting_with_a_body_is_not_implemented(client: Client) -> None:
    reply = client.http.delete(
        f"{client.base}/nodes/pve/lxc/102", data={"force": 1}, headers={"Authorization": f"PVEAPIToken={client.token}"}, timeout=5
    )
    assert reply.status_code == 501


def test_a_container_from_creation_to_its_end(client: Client) -> None:
    assert client.done("POST /nodes/pve/lxc", vmid=103, net0="name=eth0,bridge=vmbr0,ip=dhcp", start=1, **NEW) == "OK"
    found = client.data("GET /nodes/pve/lxc/103/interfaces")
    eth0 = next(each for each in found if each["name"] == "eth0")
    assert eth0["inet"].startswith("10.77.0.2")
    assert client.done("POST /nodes/pve/lxc/103/status/shutdown") == "OK"
    assert client.done("DELETE /nodes/pve/lxc/103") == "OK"
    assert client("GET /nodes/pve/lxc/103/config").status_code == 500


def test_a_limit_on_the_bandwidth_makes_a_task_last_by_the_labs_clock(server: lab.Lab, client: Client) -> None:
    task = client.data("POST /nodes/pve/lxc", vmid=103, bwlimit=100, **NEW)
    assert client.data(f"GET /nodes/pve/tasks/{task}/status")["status"] == "running"
    assert set(client.data("GET /nodes/pve/lxc/103/config")) == {"lock", "digest"}

    def ended() -> bool:
        """Each time ten minutes later: the task may have begun its work only after the first of them."""
        server.advance(600)
        return bool(client.data(f"GET /nodes/pve/tasks/{task}/status").get("exitstatus") == "OK")

    until(ended)


def test_lists_lag_behind_names_but_not_tags(server: lab.Lab, client: Client) -> None:
    client.data("PUT /nodes/pve/lxc/102/config", hostname="renamed", tags="new")
    seen = {each["vmid"]: each for each in client.data("GET /cluster/resources", type="vm")}
    assert (seen[102]["name"], seen[102]["tags"]) == ("files", "new")
    server.advance(11)
    seen = {each["vmid"]: each for each in client.data("GET /cluster/resources", type="vm")}
    assert seen[102]["name"] == "renamed"


def test_a_new_guest_is_unknown_at_first(server: lab.Lab, client: Client) -> None:
    assert client.done("POST /nodes/pve/lxc", vmid=103, **NEW) == "OK"
    seen = {each["vmid"]: each for each in client.data("GET /cluster/resources", type="vm")}
    assert seen[103]["status"] in {"unknown", "stopped"}
    server.advance(11)
    seen = {each["vmid"]: each for each in client.data("GET /cluster/resources", type="vm")}
    assert (seen[103]["status"], seen[103]["name"]) == ("stopped", "CT103")


def test_the_journal_tells_calls_and_their_effects(server: lab.Lab, client: Client) -> None:
    task = client.data("POST /nodes/pve/lxc/102/status/start")
    client("GET /nodes/pve/lxc/777/config")
    first, second = server.journal(path="/lxc/")
    assert (first.method, first.status, first.effect, first.user) == ("POST", 200, task, "root@pam!test")
    assert (second.status, second.effect) == (500, "")


def test_faults_strike_where_they_are_scoped(server: lab.Lab, client: Client) -> None:
    server.fault("status", path="/nodes/.*", nth=2, status=595, reason="No route to host")
    assert client("GET /version").status_code == 200
    assert [client("GET /nodes/pve/lxc").status_code for _ in range(3)] == [200, 595, 200]


def test_a_reset_after_the_effect_hides_it(server: lab.Lab, client: Client) -> None:
    server.fault("reset-after", method="PUT")
    with pytest.raises(requests.ConnectionError):
        client("PUT /nodes/pve/lxc/102/config", tags="done")
    assert client.data("GET /nodes/pve/lxc/102/config")["tags"] == "done"
    assert server.journal(method="PUT")[0].fault == "reset-after"


def test_the_control_api_does_what_tests_elsewhere_need(server: lab.Lab, client: Client, tmp_path: Path) -> None:
    control = server.control_url
    before = server.clock.now()
    assert requests.post(f"{control}/clock", json={"advance": 60}, timeout=5).json()["now"] - before >= 60
    requests.post(f"{control}/faults", json={"kind": "status", "path": "/version", "status": 500}, timeout=5).raise_for_status()
    assert client("GET /version").status_code == 500
    assert requests.get(f"{control}/journal", params={"path": "/version"}, timeout=5).json()[0]["fault"] == "status"
    requests.post(f"{control}/save", json={"file": str(tmp_path / "state")}, timeout=5).raise_for_status()
    client.data("PUT /nodes/pve/lxc/102/config", tags="later")
    requests.post(f"{control}/load", json={"file": str(tmp_path / "state")}, timeout=5).raise_for_status()
    assert client.data("GET /nodes/pve/lxc/102/config")["tags"] == "lab"
    assert requests.post(f"{control}/faults", json={"kind": "nonsense"}, timeout=5).status_code == 400


def test_a_lab_keeps_its_secrets_and_certificates_in_its_folder(tmp_path: Path) -> None:
    with lab.start(seed="demo", folder=tmp_path) as first:
        known = first.token, first.ca_path.read_bytes()
    with lab.start(seed="demo", folder=tmp_path) as second:
        assert (second.token, second.ca_path.read_bytes()) == known
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0


def test_two_clusters_in_one_lab() -> None:
    with lab.start(seed=("demo", "cluster")) as server:
        assert list(server.urls) == ["pve1", "pve-c1", "pve-c2"]
        other = server.sites[1]
        client = Client(other.urls["pve-c2"], other.tokens["root@pam!test"], server.ca_path)
        found = {each["name"]: each.get("local") for each in client.data("GET /cluster/status")}
        assert found == {"lab": None, "pve-c1": 0, "pve-c2": 1}
        client.close()


def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
