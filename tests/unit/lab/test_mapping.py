"""Directory mappings beyond the recorded scenarios: several nodes, checks, deletions, races."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lab.client import Client

ONE, ALL = "/cluster/mapping/dir/ledger", "/cluster/mapping/dir"
MAP = "node=pve,path=/tmp"


@pytest.fixture
def ledger(client: Client) -> Client:
    assert client.data(f"POST {ALL}", id="ledger", map="node=ledger,path=/ledger", description="[]") is None
    return client


def test_a_node_that_there_is_not_is_not_looked_at(ledger: Client) -> None:
    assert ledger.data(f"GET {ONE}")["map"] == ["node=ledger,path=/ledger"]
    (found,) = ledger.data(f"GET {ALL}", **{"check-node": "pve"})
    assert found["checks"] == [{"severity": "warning", "message": "No mapping for node pve."}]
    assert ledger(f"GET {ALL}", **{"check-node": "other"}).reason.startswith("hostname lookup 'other' failed")


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        ({"map": ["node=a,path=/x", "node=a,path=/y"]}, "Node 'a' is specified 2 times."),
        ({"map": ["node=a,path=/x", "node=pve,path=/no"]}, "Path /no does not exist"),
        ({"map": [MAP], "delete": "map"}, "unable to delete required option 'map'"),
        ({"map": [MAP], "delete": "description", "description": "x"}, "cannot set and delete property 'description' at the same time!"),
        ({"map": [MAP], "description": "a\nb"}, "property contains a line feed"),
    ],
)
def test_what_is_refused(ledger: Client, params: dict[str, Any], reason: str) -> None:
    before = ledger.data(f"GET {ONE}")
    assert ledger(f"PUT {ONE}", **params).reason == f"update directory mapping failed: {reason}"
    assert ledger.data(f"GET {ONE}") == before


def test_what_is_refused_of_a_new_one(client: Client) -> None:
    assert client(f"POST {ALL}", id="new", map=["node=a,path=/x", "node=a,path=/y"]).reason == "Node 'a' is specified 2 times."
    found = client(f"POST {ALL}", id="new", map=MAP, description="a\nb")
    assert found.reason == "create directory mapping failed: property contains a line feed"
    assert client.data(f"GET {ALL}") == []


def test_several_nodes(client: Client) -> None:
    assert client.data(f"POST {ALL}", id="more", map=[MAP, "node=other,path=/data"]) is None
    assert client.data("GET /cluster/mapping/dir/more")["map"] == [MAP, "node=other,path=/data"]


def test_a_description_stays_unless_it_is_given_or_deleted(ledger: Client) -> None:
    assert ledger.data(f"PUT {ONE}", map=MAP) is None
    assert ledger.data(f"GET {ONE}")["description"] == "[]"
    assert ledger.data(f"PUT {ONE}", map=MAP, delete="description") is None
    assert "description" not in ledger.data(f"GET {ONE}")


def test_the_same_text_has_the_same_digest(ledger: Client) -> None:
    digest = ledger.data(f"GET {ONE}")["digest"]
    entry = {"map": "node=ledger,path=/ledger"}
    assert ledger.data(f"PUT {ONE}", **entry, description="[1]", digest=digest) is None
    assert ledger.data(f"GET {ONE}")["digest"] != digest
    assert ledger.data(f"PUT {ONE}", **entry, description="[]", digest="") is None
    assert ledger.data(f"GET {ONE}")["digest"] == digest


def test_of_many_at_once_each_wins_once(ledger: Client) -> None:
    """Compare and set, again and again, loses no entry."""

    def add(number: int) -> None:
        own = Client(ledger.base.removesuffix("/api2/json"), ledger.token, ledger.http.verify)  # type: ignore[arg-type]
        while True:
            found = own.data(f"GET {ONE}")
            text = f"{found.get('description', '[]')} {number}"
            reply = own(f"PUT {ONE}", map=found["map"], description=text, digest=found["digest"])
            if reply.status_code == 200:
                return own.close()
            assert "detected modified configuration" in reply.reason

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(12)))
    assert sorted(ledger.data(f"GET {ONE}")["description"].split()[1:]) == sorted(map(str, range(12)))
