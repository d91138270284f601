"""proximity_janitor on the lab: what a cut-off run leaves behind is found, told, and ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lab as labs
import pytest
import requests
from ansible_collections.proximity.platform.plugins.modules import proximity_janitor
from integration.modules import Runner
from integration.planting import ago, lease_of, plant_app
from integration.pve import Pve

NEVER_RAN: dict[str, Any] = {"status": "deploying", "revision": "", "changed": ago(hours=3)}
UPDATING: dict[str, Any] = {"status": "updating", "wanted": "bbbbbbbbbb", "step": "stack", "error": "It was slow.", "changed": ago(hours=3)}
ALL = {"first_deployments": "cleanup", "clones": "remove", "snapshots": "remove"}


@pytest.fixture
def janitor(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_janitor, connection, capsys, monkeypatch)


def test_stuck_apps_become_errors_and_keep_their_story(lab: labs.Lab, janitor: Runner, pve: Pve) -> None:
    plant_app(lab, 8200, "one", **NEVER_RAN)
    plant_app(lab, 8201, "two", **UPDATING, lease=lease_of(-5))
    plant_app(lab, 8202, "three")
    real = janitor.four_times()
    assert [(row["name"], row["status"], row["deed"]) for row in real["findings"]] == [
        ("one", "deploying", "error"),
        ("two", "updating", "error"),
    ]
    record = pve.record(8201)
    assert (record["status"], record["step"], record["revision"], record["lease"]) == ("error", "stack", "aaaaaaaaaa", None)
    assert record["error"].startswith("It was slow. It was updating since ")
    assert pve.vmids() == [8200, 8201, 8202]
    assert pve.status(8200) == "running"


def test_what_never_ran_is_cleaned_up_by_choice(lab: labs.Lab, janitor: Runner, pve: Pve) -> None:
    plant_app(lab, 8200, "one", **NEVER_RAN)
    plant_app(lab, 8201, "two", **UPDATING)
    plant_app(lab, 8202, "three", running=False, **{**NEVER_RAN, "status": "cloning"}, source={"vmid": 8203, "name": "four", "app": "x"})
    plant_app(lab, 8203, "four")
    plant_app(lab, 8204, "five", config={"protection": 1}, **NEVER_RAN)
    real = janitor.four_times(**ALL)
    assert {row["name"]: row["deed"] for row in real["findings"]} == {"one": "cleanup", "two": "error", "three": "cleanup", "five": "left"}
    assert pve.vmids() == [8201, 8203, 8204]


def test_live_leases_and_young_work_are_respected(lab: labs.Lab, janitor: Runner, pve: Pve) -> None:
    plant_app(lab, 8200, "one", **NEVER_RAN, lease=lease_of(20))
    plant_app(lab, 8201, "two", **{**NEVER_RAN, "changed": ago(minutes=50)})
    result = janitor(**ALL)
    assert (result["changed"], result["counts"], result["left"]) == (False, {"working": 1}, 1)
    assert "them@there works on it" in result["findings"][0]["why"]
    assert janitor(**ALL, older_than_s=600)["changed"]
    assert pve.vmids() == [8200]


def test_stray_snapshots_are_removed_and_others_stay(
    three_nodes: labs.Lab,
    connection_of: Callable[[labs.Lab], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    janitor = Runner(proximity_janitor, connection_of(three_nodes), capsys, monkeypatch)
    plant_app(three_nodes, 8200, "one", storage="local-btrfs")
    three_nodes.advance(-7200)
    with requests.Session() as session:
        pve = Pve(three_nodes, session)
        for name in ("mine", "px-safety-69a40000", "px-clone-8300"):
            pve.wait(pve.post("/nodes/pve1/lxc/8200/snapshot", snapname=name))
        three_nodes.advance(7200)
        assert not janitor(snapshots="remove", older_than_s=10000)["findings"], "they are young"
        told = janitor()
        assert {row["snapshot"]: row["deed"] for row in told["findings"]} == {"px-safety-69a40000": "left", "px-clone-8300": "left"}
        real = janitor.four_times(snapshots="remove")
        assert [step["kind"] for step in real["plan"]] == ["snapshot", "snapshot"]
        assert sorted(row["name"] for row in pve.get("/nodes/pve1/lxc/8200/snapshot")) == ["current", "mine"]


def test_one_that_fails_does_not_stop_the_others(lab: labs.Lab, janitor: Runner, pve: Pve) -> None:
    plant_app(lab, 8200, "one", **NEVER_RAN)
    plant_app(lab, 8201, "two", **NEVER_RAN)
    lab.fault("task-fails", type="vzdestroy", path=".*/lxc/8200", text="dataset is busy", at="begin", times=1)
    result = janitor(**ALL)
    assert result["failed"]
    assert "dataset is busy" in result["msg"]
    assert {row["name"]: row["deed"] for row in result["findings"]} == {"one": "failed", "two": "cleanup"}
    assert pve.vmids() == [8200]
    lab.advance(7200)
    assert pve.record(8200)["status"] == "removing", "its deletion was begun, and is taken up by whoever deletes it"


def test_a_passing_fault_is_no_failure(lab: labs.Lab, janitor: Runner, pve: Pve) -> None:
    plant_app(lab, 8200, "one", **NEVER_RAN)
    lab.fault("reset-after", method="PUT", path=".*/lxc/8200/config")
    lab.fault("config-changed", method="PUT", path=".*/lxc/8200/config", nth=2)
    result = janitor(**ALL)
    assert not result.get("failed"), result["msg"]
    assert pve.vmids() == []


def test_an_offline_node_is_left_alone(
    three_nodes: labs.Lab,
    connection_of: Callable[[labs.Lab], dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plant_app(three_nodes, 8200, "one", node="pve2", **NEVER_RAN)
    plant_app(three_nodes, 8201, "two", node="pve1", **NEVER_RAN)
    three_nodes.fault("node-down", node="pve2", seconds=0)
    result = Runner(proximity_janitor, connection_of(three_nodes), capsys, monkeypatch)(**ALL)
    assert {(row["kind"], row["name"], row["deed"]) for row in result["findings"]} == {
        ("unknown", "guest-8200", "left"),
        ("stuck", "two", "cleanup"),
    }
    assert set(three_nodes.cluster.guests) == {8200}
