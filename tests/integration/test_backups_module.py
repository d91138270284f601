"""Backups of many apps in one go: what is due is made once, one of each node at a time, and nobody waits for somebody else's failure."""

from __future__ import annotations

import json
import re
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_backups
from integration.fleet import plant_app, plant_nodes
from integration.modules import Runner, begin_module
from integration.pve import Pve

Batch = Callable[..., dict[str, Any]]
FIRST = 8100


def grow(lab: labs.Lab, apps: int, nodes: int) -> list[str]:
    plant_nodes(lab, nodes)
    names = [f"app-{number}" for number in range(apps)]
    for number, name in enumerate(names):
        plant_app(lab, FIRST + number, name, node=f"pve{number % nodes + 1}")
    return names


def params_of(connection: dict[str, Any], apps: list[Any], **common: Any) -> dict[str, Any]:
    rows = [app if isinstance(app, dict) else {"name": app} for app in apps]
    return {"common": common, "clusters": [{"connection": connection, "apps": rows}]}


@pytest.fixture
def batch(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Batch:
    """Run the module for apps of one cluster: `batch(["feeds", {"name": "wiki", "max_age": "1h"}], check=True, keep={"last": 1})`."""
    runner = Runner(proximity_backups, {}, capsys, monkeypatch)

    def run(apps: list[Any], check: bool = False, **common: Any) -> dict[str, Any]:
        return dict(runner(check=check, **params_of(connection, apps, **common))["answers"][0])

    return run


def archives(lab: labs.Lab) -> Counter[int]:
    """How many backups there are, by the number of their container."""
    with lab.cluster.lock:
        return Counter(volume.vmid for volume in lab.cluster.volumes.values() if volume.content == "backup")


def once(names: list[str]) -> Counter[int]:
    return Counter(range(FIRST, FIRST + len(names)))


def is_quiet(lab: labs.Lab) -> bool:
    """Whether no task runs, and no container is locked."""
    with lab.cluster.lock:
        return not any(task.running for task in lab.cluster.tasks.values()) and not any(
            guest.config.get("lock") for guest in lab.cluster.guests.values()
        )


def hours_ago(lab: labs.Lab, hours: float, work: Callable[[], Any]) -> None:
    """Do something while the clock of the nodes says that it is earlier."""
    lab.advance(-3600 * hours)
    work()
    lab.advance(3600 * hours)


def wait_until(what: Callable[[], bool], limit_s: float = 60) -> None:
    deadline = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def row_of(answer: dict[str, Any], name: str) -> dict[str, Any]:
    (row,) = (row for row in answer["apps"] if row["name"] == name)
    return dict(row)


def test_check_real_check_real(lab: labs.Lab, batch: Batch) -> None:
    names = grow(lab, 6, 3)
    hours_ago(lab, 2, lambda: batch(names))
    assert archives(lab) == once(names)
    check, real, check_again, real_again = (
        batch(names, check=check, max_age="1h", keep={"last": 1}) for check in (True, False, True, False)
    )
    assert [each["changed"] for each in (check, real, check_again, real_again)] == [True, True, False, False]
    assert (check["plan"], check["diff"], check["due"], check["counts"]) == (real["plan"], real["diff"], real["due"], real["counts"])
    assert [row["plan"] for row in check["apps"]] == [row["plan"] for row in real["apps"]]
    assert Counter(step["verb"] for step in real["plan"]) == {"create": 6, "delete": 6}
    assert archives(lab) == once(names)
    assert (check_again["due"], real_again["calls"]["writes"]) == ([], 0)
    row = row_of(real, "app-0")
    assert re.match(r"local:backup/vzdump-lxc-8100-", row["backup"]["volume"]) and row_of(check, "app-0")["backup"]["volume"] is None
    assert [line["step"] for line in row["log"]] == ["create", "delete"]


def test_one_that_fails_stops_no_other(lab: labs.Lab, batch: Batch) -> None:
    """Neither on its node nor elsewhere, be it refused by its policy, by its state, or by Proxmox."""
    names = grow(lab, 6, 2)
    lab.fault("task-fails", type="vzdump", text="No space left on device", at="work")
    wrong = {"name": "app-5", "window": "soon"}
    answer = batch([*names[:5], wrong, "unknown"])
    assert answer["failed"] and answer["counts"]["changed"] == 4
    reasons = {row["name"]: row["msg"] for row in answer["apps"] if row["failed"]}
    (full,) = (name for name, reason in reasons.items() if "No space left on device" in reason)
    assert full in names[:5] and set(answer["failures"]) == set(reasons) == {full, "app-5", "unknown"}
    assert "window of a backup policy is 'soon'" in reasons["app-5"] and "it does not exist" in reasons["unknown"]
    assert "3 of 7 failed." in answer["msg"]
    assert is_quiet(lab)
    again = batch(names)
    assert (again["counts"]["changed"], archives(lab)) == (2, once(names))


def test_an_app_that_somebody_works_on_is_left_alone(lab: labs.Lab, batch: Batch, pve: Pve) -> None:
    names = grow(lab, 3, 1)
    text = pve.config(8101)["description"]
    lease = '"lease":{"holder":"ben@elsewhere","run":"0:1:2","until":"2099-01-01T00:00:00Z","epoch":1},'
    pve.put("/nodes/pve1/lxc/8101/config", description=text.replace('"name":', f'{lease}"name":').replace('"running"', '"updating"'))
    checked, real = batch(names, check=True), batch(names)
    for answer in (checked, real):
        assert answer["failures"] == ["app-1"] and "ben@elsewhere works on it" in row_of(answer, "app-1")["msg"]
    assert archives(lab) == Counter([8100, 8102])


def test_nodes_side_by_side_and_one_at_a_time_on_each(lab: labs.Lab, batch: Batch) -> None:
    """The oldest backup first; no call begins a backup while another one of ours is being made on that node."""
    names = grow(lab, 9, 3)
    hours_ago(lab, 2, lambda: batch([names[4]]))
    hours_ago(lab, 1, lambda: batch([names[1]]))
    before = len(lab.journal("POST", "/vzdump"))
    lab.fault("task-hangs", type="vzdump", seconds=0.5, times=9)
    assert batch(names, max_age="1m")["counts"]["changed"] == 9
    with lab.cluster.lock:
        tasks = [task for task in lab.cluster.tasks.values() if task.type == "vzdump"][2:]
    assert [int(task.id) for task in tasks if task.node == "pve2"] == [8107, 8104, 8101], (
        "the oldest first, and before them one without any"
    )
    spans = {node: [(task.starttime, task.endtime) for task in tasks if task.node == node] for node in ("pve1", "pve2", "pve3")}
    for each in spans.values():
        assert all(earlier[1] <= later[0] for earlier, later in pairwise(each))
    begun = lab.journal("POST", "/vzdump")[before:]
    assert {call.path.split("/")[2] for call in begun[:3]} == {"pve1", "pve2", "pve3"}, "each node begins at once"


def test_jobs_windows_and_hooks(lab: labs.Lab, batch: Batch, pve: Pve) -> None:
    names = grow(lab, 5, 2)
    pve.put("/access/acl", path="/", roles="PVEAuditor", users="proximity@pve")
    with lab.cluster.lock:
        lab.cluster.backup_jobs["nightly"] = {"vmid": "8100,8101", "schedule": "04:00", "storage": "local"}
    apps = [names[0], {"name": names[1], "jobs": "ignore"}, {"name": names[2], "hooks": True}, {"name": names[3], "window": "00:00-00:00"}]
    answer = batch([*apps, {"name": names[4], "trouble": "its entry is lost."}])
    assert {row["name"]: row["why"] for row in answer["apps"]} == {
        "app-0": "a backup job of the cluster covers it",
        "app-1": "it has no backup",
        "app-2": "it has no backup",
        "app-3": "it is not the time for it",
        "app-4": "it has no backup",
    }
    assert (answer["due"], answer["hooked"], answer["failures"]) == (["app-1", "app-2", "app-4"], ["app-2"], ["app-4"])
    assert row_of(answer, "app-4")["msg"] == "Cannot back up app app-4: its entry is lost."
    assert archives(lab) == Counter([8101])


def test_a_backup_that_others_have_made_will_do(lab: labs.Lab, batch: Batch, pve: Pve) -> None:
    """Such as a job of the cluster: its notes say nothing, but what is in it does."""
    names = grow(lab, 2, 1)
    pve.wait(pve.post("/nodes/pve1/vzdump", vmid=8100, storage="local"))
    checked, real = batch(names, check=True), batch(names)
    for answer in (checked, real):
        assert (row_of(answer, "app-0")["due"], row_of(answer, "app-0")["why"]) == (
            False,
            "there is a backup of it that somebody else has made",
        )
    assert archives(lab) == once(names)


def test_force_makes_one_of_each_whatever_there_is(lab: labs.Lab, batch: Batch) -> None:
    names = grow(lab, 4, 2)
    assert batch(names)["changed"]
    lab.advance(2)
    checked, real = batch(names, check=True, force=True), batch(names, force=True)
    assert (checked["plan"], checked["counts"]) == (real["plan"], real["counts"])
    assert archives(lab) == Counter(dict.fromkeys(once(names), 2))


def test_a_guest_that_moves_while_it_waits_for_its_turn(lab: labs.Lab, connection: dict[str, Any]) -> None:
    names = grow(lab, 4, 2)
    lab.fault("task-hangs", method="POST", path="/nodes/pve1/vzdump", seconds=2)
    child = begin_module("proximity_backups", params_of(connection, names))
    wait_until(lambda: bool(lab.journal("POST", "/nodes/pve1/vzdump")))
    with lab.cluster.lock:
        lab.cluster.guests[8102].node = "pve2"
    (answer,) = json.loads(child.communicate(timeout=60)[0])["answers"]
    assert answer["failures"] == [] and archives(lab) == once(names)
    assert row_of(answer, "app-2")["node"] == "pve2"


def test_clusters_are_worked_on_side_by_side(lab: labs.Lab, connection: dict[str, Any], connection_of: Any) -> None:
    """While a backup of the first one hangs, all of the second are made; and a third does not answer."""
    with labs.start(seed="demo", guests="simulated") as office:
        names = grow(lab, 2, 1)
        grow(office, 2, 1)
        lab.fault("task-hangs", type="vzdump", seconds=0)
        dead = {**connection, "api_port": "1", "api_retry_s": 1}
        apps = [{"name": name} for name in names]
        connections = (connection, connection_of(office), dead, {**connection, "api_port": "many"})
        child = begin_module("proximity_backups", {"clusters": [{"connection": each, "apps": apps} for each in connections]})
        wait_until(lambda: archives(office) == once(names) and is_quiet(office))
        assert archives(lab) == Counter()
        lab.faults.clear()
        home, away, lost, wrong = json.loads(child.communicate(timeout=60)[0])["answers"]
    assert archives(lab) == once(names)
    assert [each["counts"]["changed"] for each in (home, away)] == [2, 2]
    assert "cannot reach https://127.0.0.1:1" in lost["msg"] and "apps" not in lost
    assert "api_port" in wrong["msg"]


@pytest.mark.parametrize("made", [0, 5])
def test_killed_in_the_midst_and_run_again(lab: labs.Lab, batch: Batch, connection: dict[str, Any], made: int) -> None:
    """What Proxmox has begun goes on, and the next run waits for it: each due backup is made once, and nothing stays locked."""
    names = grow(lab, 12, 3)
    lab.fault("task-hangs", type="vzdump", seconds=0.6, times=0)
    child = begin_module("proximity_backups", params_of(connection, names))
    wait_until(lambda: sum(archives(lab).values()) >= made and not is_quiet(lab))
    child.kill()
    child.communicate()
    checked, real = batch(names, check=True), batch(names)
    assert real["failures"] == checked["failures"] == []
    assert archives(lab) == once(names)
    assert is_quiet(lab)
    assert not batch(names)["changed"]


def test_two_controllers_at_once(lab: labs.Lab, connection: dict[str, Any]) -> None:
    """Each due backup is made once; whoever begins a second one stops it, and waits for the first."""
    names = grow(lab, 24, 3)
    lab.fault("task-hangs", type="vzdump", seconds=0.4, times=0)
    children = [begin_module("proximity_backups", params_of(connection, names)) for _each in range(3)]
    answers = [json.loads(child.communicate(timeout=120)[0])["answers"][0] for child in children]
    assert [answer.get("msg") for answer in answers] == [None] * 3
    assert archives(lab) == once(names)
    assert sum(answer["counts"]["changed"] for answer in answers) == len(names)
    assert is_quiet(lab)


def test_the_batch_and_a_backup_of_one_at_once(lab: labs.Lab, connection: dict[str, Any]) -> None:
    names = grow(lab, 6, 1)
    lab.fault("task-hangs", type="vzdump", seconds=0.4, times=0)
    child = begin_module("proximity_backups", params_of(connection, names))
    singles = [begin_module("proximity_backup", {**connection, "name": name}) for name in names]
    told = [json.loads(each.communicate(timeout=120)[0]) for each in (*singles, child)]
    assert not [each["msg"] for each in told if each.get("failed")] and not told[-1]["answers"][0].get("failed")
    assert archives(lab) == once(names)
