"""An app on a cluster of two nodes: where it goes, and what is said when a node is away."""

from __future__ import annotations

from collections.abc import Iterator

import lab as labs
import pytest
from integration.definition import DEFINITION
from integration.pve import Run


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    with labs.start(seed="cluster", guests="simulated") as server:
        yield server


def test_named_node_is_used_and_an_app_stays_where_it_is(app: Run, lab: labs.Lab) -> None:
    made = app(node="pve-c2")["app"]
    assert made["node"] == "pve-c2"
    app(report={"vmid": made["vmid"], "node": "pve-c2", "healthy": True})
    elsewhere = app(node="pve-c1")
    assert (elsewhere["changed"], elsewhere["app"]["node"]) == (False, "pve-c2")
    assert "it moves to pve-c1 with restart: allowed" in str(elsewhere["warnings"])


def test_busier_node_is_passed_over(app: Run, lab: labs.Lab) -> None:
    lab.cluster.nodes["pve-c1"].memory //= 4
    assert app(check=True)["app"]["node"] == "pve-c2"
    lab.cluster.nodes["pve-c2"].memory //= 16
    assert app(check=True)["app"]["node"] == "pve-c1"


def test_app_on_a_node_that_is_away_is_not_made_again(app: Run, lab: labs.Lab) -> None:
    made = app(node="pve-c2")["app"]
    lab.cluster.nodes["pve-c2"].online = False
    lab.advance(15)
    for wish in ({}, {"state": "absent"}, {"state": "stopped"}):
        result = app(**wish)
        assert f"Cannot tell whether guest {made['vmid']} is app hello: its node pve-c2 is offline." in result["msg"]
    other = {"name": "other", "definition": {**DEFINITION, "id": "other"}}
    assert app(check=True, **other, node="pve-c2")["msg"] == "Cannot create app other: node pve-c2 is offline."
    assert app(check=True, **other)["app"]["node"] == "pve-c1"


def test_cluster_without_quorum_is_told(app: Run, lab: labs.Lab) -> None:
    lab.cluster.quorate = False
    result = app(node="pve-c1")
    assert "Cannot create guest" in result["msg"]
    assert "no quorum" in result["msg"]
    assert not result["changed"]
