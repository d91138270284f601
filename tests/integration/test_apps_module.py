"""proximity_apps: many apps against one look, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_apps
from integration.definition import DEFINITION
from integration.modules import Runner
from integration.planting import plant_app
from integration.pve import Pve, Result, Run

Connect = Callable[[labs.Lab], dict[str, Any]]
SIX = [{"name": f"app-{number}", "catalog_id": "hello"} for number in range(6)]


@pytest.fixture
def fleet(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_apps, {**connection, "definitions": {"hello": DEFINITION}, "apps": SIX}, capsys, monkeypatch)


@pytest.fixture
def settle(app: Run) -> Callable[[Result], None]:
    """Report each app of a result as healthy, as role app does."""

    def report(result: Result) -> None:
        for row in result["apps"]:
            where = {"vmid": row["vmid"], "node": row["node"], "healthy": True, "address": row["address"]}
            assert not app(name=row["name"], report=where).get("failed")

    return report


def test_six_are_made_side_by_side_and_then_left_alone(lab: labs.Lab, fleet: Runner, pve: Pve, settle: Callable[[Result], None]) -> None:
    check, real = fleet(check=True), fleet()
    assert not real.get("failed"), real["msg"]
    assert pve.vmids() == sorted(row["vmid"] for row in real["apps"])
    assert [(row["name"], row["vmid"], row["converge"]) for row in check["apps"]] == [
        (row["name"], row["vmid"], row["converge"]) for row in real["apps"]
    ]
    assert real["counts"] == {"apps": 6, "changed": 6, "failed": 0, "converge": 6}
    assert real["converge"] == [f"app-{number}" for number in range(6)]
    assert {row["record"]["status"] for row in real["apps"]} == {"deploying"}
    assert all(row["address"] and row["log"] for row in real["apps"])
    settle(real)
    lab.advance(15)
    quiet = fleet()
    assert (quiet["changed"], quiet["converge"], quiet["plan"]) == (False, [], [])
    assert quiet["calls"] == {"reads": 1, "writes": 0, "polls": 0}
    assert {row["status"] for row in quiet["apps"]} == {"running"}


@pytest.mark.parametrize(("depth", "reads"), [("tags", 1), ("record", 7), ("full", 13)])
def test_each_depth_reads_as_much_as_it_says(
    lab: labs.Lab, fleet: Runner, settle: Callable[[Result], None], depth: str, reads: int
) -> None:
    settle(fleet())
    lab.advance(15)
    quiet = fleet(depth=depth)
    assert not quiet["changed"]
    assert quiet["calls"]["reads"] == reads
    assert [bool(row["address"]) for row in quiet["apps"]] == [depth == "full"] * 6


def test_an_update_under_way_is_never_taken_for_settled(lab: labs.Lab, fleet: Runner, settle: Callable[[Result], None]) -> None:
    """The old revision is wished again while a new one is being rolled out: the tags must not say that it is there."""
    settle(fleet())
    first = {**SIX[0], "options": {"greeting": "hi"}}
    begun = fleet(apps=[first, *SIX[1:]])
    assert begun["converge"] == ["app-0"]
    lab.advance(15)
    again = fleet()
    assert again["converge"] == ["app-0"]
    assert again["counts"]["changed"] == 1


def test_a_wish_that_the_list_does_not_show_is_read(lab: labs.Lab, fleet: Runner, pve: Pve, settle: Callable[[Result], None]) -> None:
    settle(fleet())
    lab.advance(15)
    changed = fleet(common={"resources": {"memory_mb": 300}}, apps=[{**SIX[0], "resources": {"cores": 2}}, *SIX[1:]])
    assert not changed.get("failed")
    assert changed["counts"]["changed"] == 6
    rows = {row["name"]: pve.config(row["vmid"]) for row in changed["apps"]}
    assert {config["memory"] for config in rows.values()} == {300}
    assert rows["app-0"]["cores"] == 2


def test_one_that_fails_does_not_stop_the_others(lab: labs.Lab, fleet: Runner, pve: Pve) -> None:
    """A wish without sense, a node that is not there, and a task that fails, beside three that go well."""
    lab.fault("task-fails", type="vzcreate", text="no space left on device", at="work", times=1)
    apps = [SIX[0], {**SIX[1], "node": "nowhere"}, {**SIX[2], "tags": ["NO"]}, *SIX[3:]]
    result = fleet(apps=apps)
    assert result["failed"]
    assert "3 of 6 failed" in result["msg"]
    assert "there is no node 'nowhere'" in result["msg"]
    assert "no space left on device" in result["msg"]
    assert sum(row["failed"] for row in result["apps"]) == len(result["failures"]) == 3
    assert len(pve.vmids()) == 3
    good = [row for row in result["apps"] if not row["failed"]]
    assert result["converge"] == [row["name"] for row in good]
    assert fleet(apps=apps, check=True)["failed"]


def test_an_app_whose_node_is_offline_fails_alone(
    three_nodes: labs.Lab, connection_of: Connect, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        plant_app(three_nodes, 8200 + number, f"app-{number}", node=f"pve{number + 1}")
    three_nodes.fault("node-down", node="pve3", seconds=0)
    apps = [{"name": f"app-{number}"} for number in range(3)]
    result = Runner(proximity_apps, {**connection_of(three_nodes), "apps": apps}, capsys, monkeypatch)()
    assert result["failures"] == ["app-2"]
    assert "its node pve3 is offline" in result["msg"]
    assert not result["changed"]


def test_secrets_stay_out_of_the_result(fleet: Runner) -> None:
    told = str(fleet(apps=[{**SIX[0], "environment": {"EXTRA": "s3cret-value"}, "options": {"pin": "s3cret-pin"}}]))
    assert "s3cret" not in told


def test_what_makes_no_sense_for_all_is_said(fleet: Runner) -> None:
    assert "Declared twice: app-0" in fleet(apps=[SIX[0], SIX[0]])["msg"]
    assert "threads is 99" in fleet(threads=99)["msg"]
    assert "has no name" in fleet(apps=[{"catalog_id": "hello"}])["msg"]
    assert "App app-0 has no option nonsense" in fleet(apps=[{**SIX[0], "nonsense": 1}])["msg"]
