"""proximity_reconcile on the lab: declared against actual, and what it is told to put right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_apps, proximity_reconcile
from integration.definition import DEFINITION
from integration.modules import Runner
from integration.planting import lease_of, plant_app
from integration.pve import Pve, Run

DECLARED: list[dict[str, Any]] = [{"name": name, "catalog_id": "hello"} for name in ("one", "two", "three")]


@pytest.fixture
def given(connection: dict[str, Any]) -> dict[str, Any]:
    return {**connection, "definitions": {"hello": DEFINITION}, "apps": DECLARED}


@pytest.fixture
def reconcile(given: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_reconcile, given, capsys, monkeypatch)


@pytest.fixture
def deployed_apps(
    lab: labs.Lab, given: dict[str, Any], app: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> dict[str, int]:
    """The numbers of the three apps, which run and are settled."""
    rows = Runner(proximity_apps, given, capsys, monkeypatch)()["apps"]
    for row in rows:
        assert not app(name=row["name"], report={"vmid": row["vmid"], "node": row["node"], "healthy": True}).get("failed")
    lab.advance(15)
    return {row["name"]: row["vmid"] for row in rows}


def _kinds(result: dict[str, Any]) -> dict[str, str]:
    return {row["name"]: row["kind"] for row in result["findings"]}


def test_all_in_order(reconcile: Runner, deployed_apps: dict[str, int]) -> None:
    result = reconcile()
    assert (result["findings"], result["declared"], result["in_order"], result["changed"]) == ([], 3, 3, False)
    assert result["calls"] == {"reads": 4, "writes": 0, "polls": 0}


def test_everything_that_differs_is_found_and_nothing_is_touched(
    lab: labs.Lab, reconcile: Runner, deployed_apps: dict[str, int], pve: Pve
) -> None:
    pve.put(f"/nodes/pve1/lxc/{deployed_apps['one']}/config", memory=384, tags="")
    pve.wait(pve.post(f"/nodes/pve1/lxc/{deployed_apps['two']}/status/stop"))
    plant_app(lab, 8950, "stranger")
    lab.advance(15)
    before = {vmid: pve.config(vmid) for vmid in pve.vmids()}
    apps = [{**DECLARED[0], "resources": {"memory_mb": 256}}, *DECLARED[1:], {"name": "four", "catalog_id": "hello"}]
    result = reconcile(apps=apps)
    assert not result["changed"]
    assert _kinds(result) == {"four": "missing", "one": "drifted", "two": "drifted", "stranger": "unexpected"}
    assert {row["name"]: row["what"] for row in result["findings"] if row["what"]} == {"one": ["memory_mb", "tags"], "two": ["live state"]}
    assert result["counts"] == {"missing": 1, "drifted": 2, "unexpected": 1}
    assert result["in_order"] == 1
    assert {vmid: pve.config(vmid) for vmid in pve.vmids()} == before


def test_drift_is_repaired_when_told_to(lab: labs.Lab, reconcile: Runner, deployed_apps: dict[str, int], pve: Pve) -> None:
    pve.put(f"/nodes/pve1/lxc/{deployed_apps['one']}/config", memory=384, onboot=0)
    plant_app(lab, 8950, "stranger")
    apps = [{**DECLARED[0], "resources": {"memory_mb": 256}, "onboot": True}, *DECLARED[1:]]
    real = reconcile.four_times(apps=apps, repair=["missing", "drifted"])
    assert {row["name"]: row["deed"] for row in real["findings"]} == {"one": "repair", "stranger": "left"}
    assert (pve.config(deployed_apps["one"])["memory"], pve.config(deployed_apps["one"])["onboot"]) == (256, 1)
    assert pve.record(8950)["name"] == "stranger"


def test_missing_apps_are_made_when_told_to(reconcile: Runner, deployed_apps: dict[str, int], pve: Pve) -> None:
    apps = [*DECLARED, {"name": "four", "catalog_id": "hello"}]
    made = reconcile(apps=apps, repair=["missing"])
    assert made["converge"] == ["four"]
    assert len(pve.vmids()) == 4


def test_only_what_is_named_is_removed(lab: labs.Lab, reconcile: Runner, deployed_apps: dict[str, int], pve: Pve) -> None:
    plant_app(lab, 8950, "stranger")
    plant_app(lab, 8951, "guest-of-honour")
    real = reconcile.four_times(remove=["stranger"])
    assert {row["name"]: row["deed"] for row in real["findings"]} == {"stranger": "remove", "guest-of-honour": "left"}
    assert pve.vmids() == sorted([*deployed_apps.values(), 8951])
    assert "both declared and in remove" in reconcile(remove=["one"])["msg"]


def test_copies_leases_and_damage(lab: labs.Lab, reconcile: Runner, deployed_apps: dict[str, int], pve: Pve) -> None:
    copied = pve.config(deployed_apps["one"])["description"]
    plant_app(lab, 8950, "elsewhere", config={"description": copied})
    plant_app(lab, 8951, "broken", config={"description": "<!-- proximity {broken} -->"})
    plant_app(lab, 8952, "busy", status="updating", lease=lease_of(20))
    result = reconcile(apps=[*DECLARED, {"name": "busy", "catalog_id": "hello"}], repair=["missing", "drifted", "unwanted"])
    assert _kinds(result) == {"elsewhere": "copy", "broken": "damaged", "busy": "busy"}
    assert not result["changed"]


def test_offline_nodes_are_unknown_and_never_gone(
    three_nodes: labs.Lab,
    connection_of: Callable[[labs.Lab], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant_app(three_nodes, 8200, "one", node="pve1")
    plant_app(three_nodes, 8201, "two", node="pve2")
    plant_app(three_nodes, 8202, "stranger", node="pve2")
    three_nodes.fault("node-down", node="pve2", seconds=0)
    apps = [{"name": "one"}, {"name": "two"}]
    run = Runner(proximity_reconcile, {**connection_of(three_nodes), "apps": apps}, capsys, monkeypatch)
    result = run(repair=["missing", "drifted", "unwanted"], remove=["stranger"])
    assert _kinds(result) == {"two": "unknown", "guest-8202": "unknown"}
    assert (result["changed"], result["in_order"]) == (False, 1)
    assert set(three_nodes.cluster.guests) == {8200, 8201, 8202}


def test_a_repair_that_fails_is_told_and_the_others_are_done(
    lab: labs.Lab, reconcile: Runner, deployed_apps: dict[str, int], pve: Pve
) -> None:
    lab.fault("500", method="PUT", path=f".*/lxc/{deployed_apps['one']}/config", times=0)
    apps = [{**each, "resources": {"memory_mb": 300}} for each in DECLARED]
    result = reconcile(apps=apps, repair=["drifted"])
    assert result["failed"]
    assert "1 of 3 failed" in result["msg"]
    assert {row["name"]: row["deed"] for row in result["findings"]} == {"one": "failed", "two": "repair", "three": "repair"}
    assert {pve.config(vmid)["memory"] for name, vmid in deployed_apps.items() if name != "one"} == {300}
