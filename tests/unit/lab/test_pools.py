"""Pools beyond the recorded scenarios: several members at once, nesting, storages on several nodes."""

from __future__ import annotations

import lab
import pytest
from lab.client import Client


def members(client: Client, name: str, **params: str) -> list[str]:
    return [member["id"] for member in client.data(f"GET /pools/{name}", **params)["members"]]


@pytest.fixture
def pool(client: Client) -> str:
    assert client.data("POST /pools", poolid="team") is None
    assert client.data("PUT /pools/team", vms="100 102", storage="ctdata;local") is None
    return "team"


def test_members_by_type(client: Client, pool: str) -> None:
    assert members(client, pool) == ["lxc/100", "lxc/102", "storage/pve/ctdata", "storage/pve/local"]
    assert members(client, pool, type="lxc") == ["lxc/100", "lxc/102"]
    assert members(client, pool, type="qemu") == []
    assert members(client, pool, type="storage") == ["storage/pve/ctdata", "storage/pve/local"]


def test_what_is_refused_changes_nothing(client: Client, pool: str) -> None:
    found = client("PUT /pools/team", vms="101,100", comment="new")
    assert found.reason == "update pools failed: VM 100 is already a pool member"
    assert client.data("GET /pools", poolid="team")[0].get("comment") is None
    assert "lxc/101" not in members(client, pool)
    assert client("PUT /pools/team", storage="ctdata").reason == "update pools failed: Storage 'ctdata' is already a pool member"
    gone = client("PUT /pools/team", storage="local-btrfs", delete=1)
    assert gone.reason == "update pools failed: Storage 'local-btrfs' is not a pool member"


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("a/b/c", "create pool failed: parent 'a/b' of pool 'a/b/c' does not exist"),
        ("1x", "create pool failed: pool name must start with a letter"),
        ("team/x", "OK"),
    ],
)
def test_names(client: Client, pool: str, name: str, answer: str) -> None:
    assert client("POST /pools", poolid=name).reason == answer


def test_a_name_nested_too_deeply(client: Client) -> None:
    assert client("POST /pools", poolid="a/b/c/d").json()["errors"]["poolid"].startswith("invalid format - ")


def test_a_pool_s_grants_go_with_it(client: Client, server: lab.Lab) -> None:
    assert client.data("DELETE /pools", poolid="labpool") is None
    assert client.data("GET /access/acl") == []


def test_a_storage_is_shown_once_from_a_node_that_has_it() -> None:
    with lab.start(seed="cluster") as server:
        client = Client(server.url, server.token, server.ca_path)
        client.data("POST /pools", poolid="team")
        client.data("PUT /pools/team", storage="local")
        assert members(client, "team") == ["storage/pve-c1/local"]
        server.cluster.storages["local"].nodes = ["pve-c2"]
        assert members(client, "team") == ["storage/pve-c2/local"]
        client.close()
