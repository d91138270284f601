"""Several clusters in one lab: their own addresses, tokens, state and variables; saving and loading all of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import lab
import pytest
import requests
from lab.client import Client

TEMPLATE = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local-lxc:1", "unprivileged": 1, "features": "nesting=1"}


@pytest.fixture
def running(tmp_path: Path) -> Iterator[lab.Lab]:
    """Two clusters whose nodes bear the same name."""
    with lab.start(seed=("demo", "demo84"), folder=tmp_path / "lab") as server:
        yield server


@pytest.fixture
def clients(running: lab.Lab) -> Iterator[list[Client]]:
    found = [Client(site.urls["pve1"], site.tokens["root@pam!test"], running.ca_path) for site in running.sites]
    yield found
    for client in found:
        client.close()


def vmids(client: Client) -> list[int]:
    return [each["vmid"] for each in client.data("GET /cluster/resources", type="vm")]


def test_what_happens_in_one_is_unknown_in_the_other(running: lab.Lab, clients: list[Client]) -> None:
    first, second = clients
    assert first.done("POST /nodes/pve1/lxc", vmid=100, start=1, **NEW) == "OK"
    assert (vmids(first), vmids(second)) == ([100], [])
    assert second.data("GET /cluster/nextid") == "100"
    assert second.done("POST /nodes/pve1/lxc", vmid=100, **NEW) == "OK"
    states = [client.data("GET /nodes/pve1/lxc/100/status/current")["status"] for client in clients]
    assert states == ["running", "stopped"]
    assert {entry.cluster for entry in running.journal("POST")} == {"demo-1", "demo84-2"}


def test_a_token_of_one_is_nobody_in_the_other(clients: list[Client]) -> None:
    first, second = clients
    first.token, second.token = second.token, first.token
    assert [client("GET /version").status_code for client in clients] == [401, 401]


def test_the_variables_of_a_cluster_bear_one_number(running: lab.Lab) -> None:
    found = running.environment()
    for number, site in zip(("", "2"), running.sites, strict=True):
        assert found[f"URL{number}"] == site.urls["pve1"]
        assert found[f"TOKEN{number}"] == site.tokens["proximity@pve!demo"]
        assert found[f"ROOT_TOKEN{number}"] == site.tokens["root@pam!test"]
        reply = requests.get(
            f"{found[f'URL{number}']}/api2/json/version",
            headers={"Authorization": f"PVEAPIToken={found[f'TOKEN{number}']}"},
            verify=found["CA"],
            timeout=5,
        )
        assert reply.json()["data"]["release"] == ("9.2", "8.4")[bool(number)]


def test_each_node_has_its_variables() -> None:
    with lab.start(seed=("fleet", "conformance")) as server:
        found = server.environment()
        assert [found[f"NODE{number}"] for number in ("", 2, 3, 4)] == ["pve1", "pve2", "pve3", "pve"]
        assert found["TOKEN"] == found["TOKEN2"] == found["TOKEN3"] != found["TOKEN4"]
        assert "LIMITED_TOKEN4" in found
        assert "LIMITED_TOKEN" not in found


def test_all_are_saved_and_loaded(running: lab.Lab, clients: list[Client], tmp_path: Path) -> None:
    for vmid, client in zip((100, 200), clients, strict=True):
        assert client.done("POST /nodes/pve1/lxc", vmid=vmid, start=1, **NEW) == "OK"
    running.save(tmp_path / "state")
    for vmid, client in zip((100, 200), clients, strict=True):
        assert client.done(f"DELETE /nodes/pve1/lxc/{vmid}", force=1) == "OK"
    running.load(tmp_path / "state")
    assert [vmids(client) for client in clients] == [[100], [200]]
    assert clients[1].data("GET /nodes/pve1/lxc/200/status/current")["status"] == "running"
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


def test_a_saved_state_starts_another_lab_which_keeps_its_own_tokens(running: lab.Lab, clients: list[Client], tmp_path: Path) -> None:
    assert clients[0].done("POST /nodes/pve1/lxc", vmid=100, start=1, **NEW) == "OK"
    made = clients[0].data("POST /access/users/root@pam/token/mine", privsep=0)
    running.save(tmp_path / "state")
    with lab.start(seed=("demo", "demo84"), load=tmp_path / "state") as other:
        assert other.token != running.token
        for token in (other.tokens["root@pam!test"], f"{made['full-tokenid']}={made['value']}", other.tokens["root@pam!mine"]):
            client = Client(other.url, token, other.ca_path)
            assert vmids(client) == [100]
            client.close()


@pytest.mark.parametrize(
    ("seeds", "text"), [(("demo",), "holds 2 clusters, this lab has 1"), (("demo", "cluster"), "knows no node pve-c1, pve-c2")]
)
def test_a_state_of_other_clusters_is_refused(running: lab.Lab, tmp_path: Path, seeds: tuple[str, ...], text: str) -> None:
    running.save(tmp_path / "state")
    with pytest.raises(ValueError, match=text), lab.start(seed=seeds, load=tmp_path / "state"):
        pass


def test_a_state_of_another_version_of_the_lab_is_refused(running: lab.Lab, tmp_path: Path) -> None:
    running.save(tmp_path / "state")
    data = json.loads((tmp_path / "state").read_text())
    data["clusters"][0]["version"] = 0
    (tmp_path / "state").write_text(json.dumps(data))
    with pytest.raises(ValueError, match="saved by another version of the lab: 0"):
        running.load(tmp_path / "state")


def test_a_fleet_for_placement_and_migration() -> None:
    with lab.start(seed="fleet") as server:
        client = Client(server.url, server.token, server.ca_path)
        assert [each["maxmem"] >> 30 for each in client.data("GET /nodes")] == [16, 32, 8]
        bridges = {node: {each["iface"] for each in client.data(f"GET /nodes/{node}/network")} for node in server.urls}
        assert bridges == {"pve1": {"vmbr0", "vmbr1"}, "pve2": {"vmbr0", "vmbr1"}, "pve3": {"vmbr0"}}
        storages = {node: {each["storage"] for each in client.data(f"GET /nodes/{node}/storage")} for node in server.urls}
        assert storages["pve1"] - storages["pve3"] == {"local-btrfs"}
        assert client.done("POST /nodes/pve3/lxc", vmid=100, **{**NEW, "rootfs": "shared:1"}, start=1) == "OK"
        assert client.done("POST /nodes/pve3/lxc/100/migrate", target="pve1", restart=1) == "OK"
        assert client.data("GET /nodes/pve1/lxc/100/status/current")["status"] == "running"
        client.close()
