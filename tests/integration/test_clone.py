"""Copies of apps on simulated guests: what is made, what it takes, and what is left when something goes wrong."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import lab as labs
import pytest
from integration.definition import DEFINITION
from integration.pve import Pve, Result, Run

Begin = Callable[..., "subprocess.Popen[str]"]
POLL = re.compile(r"/tasks/|/interfaces$")


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    """Three nodes, with a storage that takes snapshots."""
    with labs.start(seed="fleet", guests="simulated") as server:
        yield server


@pytest.fixture
def source(app: Run) -> Result:
    """The app `hello`, running on a storage that takes snapshots."""
    made = app(node="pve1", storage="local-btrfs", tags=["mine"], owner="ada")["app"]
    return dict(app(report={"vmid": made["vmid"], "node": made["node"], "healthy": True, "address": made["address"]})["app"])


def _clone(app: Run, name: str = "hello-test", **params: Any) -> Result:
    """A whole clone, as the role does it; the first failure ends it."""
    made = app(name=name, entry=False, clone_from="hello", **params)
    if made.get("failed") or not made["app"]["converge"]:
        return made
    return app(name=name, entry=False, report={"vmid": made["app"]["vmid"], "node": made["app"]["node"], "healthy": True})


def _snapshots(pve: Pve, vmid: int, node: str = "pve1") -> list[str]:
    return [each["name"] for each in pve.get(f"/nodes/{node}/lxc/{vmid}/snapshot") if each["name"] != "current"]


def test_running_app_is_copied_check_and_real_and_again(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    before = pve.config(source["vmid"])
    check = app(check=True, name="hello-test", entry=False, clone_from="hello")
    assert len(pve.vmids()) == 1
    real = app(name="hello-test", entry=False, clone_from="hello")
    assert not real.get("failed"), real
    assert (check["changed"], check["plan"], check["diff"]) == (real["changed"], real["plan"], real["diff"])
    assert [step["verb"] for step in real["plan"]] == ["clone", "update", "start"]
    made = real["app"]
    assert (made["status"], made["converge"], made["first"], made["address"] is not None) == ("cloning", True, True, True)
    config, record = pve.config(made["vmid"]), pve.record(made["vmid"])
    assert (record["status"], record["name"], record["vmid"], record["owner"]) == ("cloning", "hello-test", made["vmid"], "ada")
    assert record["source"] == {"vmid": source["vmid"], "name": "hello", "app": source["record"]["app"], "secrets": "keep"}
    assert (record["wanted"], record["revision"], record["app"] != source["record"]["app"]) == (source["revision"], "", True)
    assert record["ports"] == {"public": made["vmid"], "internal": made["vmid"] + 1000}
    assert (config["hostname"], config["tags"]) == ("hello-test", "hello;mine;proximity")
    assert config["net0"].split("hwaddr=")[1][:17] != before["net0"].split("hwaddr=")[1][:17]
    assert _snapshots(pve, source["vmid"]) == []
    done = app(name="hello-test", entry=False, report={"vmid": made["vmid"], "node": "pve1", "healthy": True})
    assert (done["app"]["status"], pve.record(made["vmid"])["revision"]) == ("running", source["revision"])
    for again in (app(check=True, name="hello-test", entry=False, clone_from="hello"), _clone(app)):
        assert (again["changed"], again["plan"]) == (False, [])
    assert {**pve.config(source["vmid"]), "digest": ""} == {**before, "digest": ""}
    assert pve.status(source["vmid"]) == "running"


def test_calls_of_a_clone(app: Run, lab: labs.Lab, source: Result) -> None:
    """Ten of a running source beyond polls: five reads, snapshot, copy, the snapshot's end, settings, start. A stopped one saves three."""
    lab.journal_book.clear()
    made = app(name="hello-test", entry=False, clone_from="hello")
    calls = [
        f"{entry.method} {re.sub(r'[0-9]{4}', 'V', entry.path)}"
        for entry in lab.journal()
        if not POLL.search(entry.path) or entry.method != "GET"
    ]
    assert [call.replace("px-clone-V", "S").replace("/pending", "/config") for call in calls] == [
        "GET /cluster/resources",
        "GET /nodes/pve1/lxc/V/config",
        "GET /nodes/pve1/lxc/V/snapshot",
        "GET /nodes/pve1/lxc/V/feature",
        "POST /nodes/pve1/lxc/V/snapshot",
        "POST /nodes/pve1/lxc/V/clone",
        "DELETE /nodes/pve1/lxc/V/snapshot/S",
        "PUT /nodes/pve1/lxc/V/config",
        "POST /nodes/pve1/lxc/V/status/start",
    ]
    assert sum(made["calls"].values()) == len(lab.journal())


def test_stopped_app_is_copied_as_it_is(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    app(state="stopped", entry=False)
    lab.journal_book.clear()
    result = _clone(app)
    assert (result["app"]["status"], pve.status(source["vmid"])) == ("running", "stopped")
    assert lab.journal("POST", "/snapshot") == []


def test_linked_copy_of_a_stopped_app(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    assert "stop it first, or set clone_mode: full" in app(name="linked", entry=False, clone_from="hello", clone_mode="linked")["msg"]
    app(state="stopped", entry=False)
    result = _clone(app, clone_mode="linked")
    assert result["app"]["status"] == "running"
    assert lab.journal("POST", "/clone")[-1].params["full"] in (0, "0")


def test_copy_of_an_app_on_a_storage_without_snapshots(app: Run, pve: Pve) -> None:
    made = app(node="pve1", storage="local-lxc")["app"]
    app(report={"vmid": made["vmid"], "node": "pve1", "healthy": True})
    for check in (True, False):
        refused = app(check=check, name="hello-test", entry=False, clone_from="hello")
        assert "storage 'local-lxc' on node pve1 takes no snapshots. Stop it" in refused["msg"]
    app(state="stopped", entry=False)
    assert _clone(app)["app"]["status"] == "running"


def test_copy_on_another_storage_and_node(app: Run, pve: Pve, source: Result) -> None:
    result = _clone(app, storage="local-lxc", node="pve3")
    assert not result.get("failed"), result
    assert (result["app"]["node"], result["app"]["status"]) == ("pve3", "running")
    config = pve.get(f"/nodes/pve3/lxc/{result['app']['vmid']}/config")
    assert config["rootfs"].startswith("local-lxc:")
    assert _clone(app, storage="local-lxc", node="pve3")["changed"] is False


def test_copy_with_an_entry_is_brought_to_that(app: Run, pve: Pve, source: Result) -> None:
    made = app(name="hello-test", clone_from="hello", options={"greeting": "bonjour"}, clone_secrets="renew", resources={"memory_mb": 512})[
        "app"
    ]
    record = pve.record(made["vmid"])
    assert (made["converge"], record["wanted"] != source["revision"], record["source"]["secrets"]) == (True, True, "renew")
    assert pve.config(made["vmid"])["memory"] == 512
    other = app(name="other", definition={**DEFINITION, "id": "other"}, clone_from="hello")
    assert "it is of entry hello, not other" in other["msg"]
    assert "clone_secrets is renew: give catalog_id" in app(name="x", entry=False, clone_from="hello", clone_secrets="renew")["msg"]


def test_number_that_is_taken_leads_to_the_next(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    slot = app(check=True, name="hello-test", entry=False, clone_from="hello")["app"]["vmid"]
    lab.fault("status", method="POST", path=".*/clone", status=500, reason=f"CT {slot} already exists on node 'pve2'", times=2)
    result = _clone(app)
    assert result["app"]["vmid"] == slot + 1
    assert pve.record(slot + 1)["ports"]["public"] == slot + 1
    assert _snapshots(pve, source["vmid"]) == []


def test_four_copies_of_one_source_at_once(app: Run, pve: Pve, lab: labs.Lab, source: Result, process: Begin) -> None:
    """Proxmox locks a source while it is copied: who comes late waits."""
    lab.fault("task-hangs", type="vzclone", at="work", seconds=1, times=0)
    names = [f"copy-{number}" for number in range(4)]
    children = [process(name=name, definition=None, clone_from="hello") for name in names]
    results = [_result(child) for child in children]
    assert [result.get("msg") for result in results] == [None] * 4
    assert sorted(result["app"]["name"] for result in results) == names
    assert len({result["app"]["vmid"] for result in results}) == 4
    assert len(pve.vmids()) == 5
    assert _snapshots(pve, source["vmid"]) == []
    refused = [call.reason for call in lab.journal("POST", "/clone") if call.status != 200]
    failed = [task.exitstatus for task in lab.cluster.tasks.values()]
    assert "CT is locked" in str([refused, failed]), "they did meet"


def test_two_controllers_copy_to_one_name(app: Run, pve: Pve, lab: labs.Lab, source: Result, process: Begin) -> None:
    lab.fault("latency", method="GET", path=".*/tasks/.*vzclone.*", seconds=3, times=1)
    results = [_result(child) for child in [process(definition=None, name="hello-test", clone_from="hello") for _number in range(2)]]
    lost = [result["msg"] for result in results if result.get("failed")]
    assert len(lost) == 1 and "works on it, until" in lost[0], results
    assert len(pve.vmids()) == 2
    assert _snapshots(pve, source["vmid"]) == []


def test_source_that_is_worked_on_is_waited_for(app: Run, pve: Pve, lab: labs.Lab, source: Result, process: Begin) -> None:
    """A lease of another run: the clone waits, and goes on as soon as it is given back."""
    description = pve.config(source["vmid"])["description"]
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 600))
    lease = f'"lease":{{"epoch":1,"holder":"them@there","run":"there:7:7","until":"{until}"}}'
    busy = description.replace('"lease":null', lease).replace('"status":"running"', '"status":"updating"')
    assert busy != description
    pve.put(f"/nodes/pve1/lxc/{source['vmid']}/config", description=busy)
    refused = app(name="hello-test", entry=False, clone_from="hello", timeouts={"copy_s": 1})
    assert "yet: it is updating, and them@there works on it, until" in refused["msg"]
    lab.journal_book.clear()
    child = process(definition=None, name="hello-test", clone_from="hello")
    deadline = time.monotonic() + 60
    while len(lab.journal("GET", "/cluster/resources")) < 3:  # it has looked, and looks again
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert (child.poll(), lab.journal("POST")) == (None, [])
    pve.put(f"/nodes/pve1/lxc/{source['vmid']}/config", description=description)
    result = _result(child)
    assert (result.get("msg"), result["app"]["status"]) == (None, "cloning")
    assert "works on it" in str(result["log"])


def test_locked_source_is_waited_for(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    lab.fault("backup-lock", vmid=source["vmid"], seconds=3)
    assert "is still locked after 1 s" in app(name="hello-test", entry=False, clone_from="hello", timeouts={"copy_s": 1})["msg"]
    result = _clone(app)
    assert not result.get("failed"), result
    assert len(pve.vmids()) == 2


def test_copy_that_fails_is_cleaned_away_and_the_source_untouched(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    lab.fault("task-fails", type="vzclone", at="work", text="no space left on device")
    result = app(name="hello-test", entry=False, clone_from="hello")
    assert "no space left on device" in result["msg"]
    assert pve.vmids() == [source["vmid"]]
    assert (_snapshots(pve, source["vmid"]), pve.status(source["vmid"])) == ([], "running")


def test_copy_whose_start_fails_is_kept_when_asked(app: Run, pve: Pve, lab: labs.Lab, source: Result) -> None:
    lab.fault("task-fails", type="vzstart", at="begin", text="out of memory")
    assert "out of memory. Guest" in app(name="hello-test", entry=False, clone_from="hello")["msg"]
    assert pve.vmids() == [source["vmid"]]
    lab.fault("task-fails", type="vzstart", at="begin", text="out of memory")
    assert "out of memory." in app(name="hello-test", entry=False, clone_from="hello", on_failure="keep")["msg"]
    assert len(pve.vmids()) == 2
    assert _clone(app)["app"]["status"] == "running"
    assert len(pve.vmids()) == 2


@pytest.mark.parametrize("nth", range(1, 13))
@pytest.mark.parametrize("kind", ["reset", "reset-after", "status", "malformed"])
def test_after_any_fault_one_more_run_converges(app: Run, pve: Pve, lab: labs.Lab, source: Result, kind: str, nth: int) -> None:
    """Each call that is no poll in turn; a permanent refusal, a lost answer and nonsense."""
    arguments = {"status": 500, "reason": "something broke"} if kind == "status" else {}
    before = pve.config(source["vmid"])
    lab.fault(kind, nth=nth, path="/(cluster|nodes/[^/]+/lxc).*", **arguments)
    _clone(app)
    lab.faults.clear()
    result = _clone(app)
    assert not result.get("failed"), result
    (copy,) = [vmid for vmid in pve.vmids() if vmid != source["vmid"]]
    record = pve.record(copy)
    assert (record["status"], record["lease"], record["revision"], record["name"]) == ("running", None, record["wanted"], "hello-test")
    assert pve.config(copy)["tags"] == f"hello;mine;proximity;rev-{record['revision']}"
    assert (pve.status(copy), pve.status(source["vmid"])) == ("running", "running")
    assert _snapshots(pve, source["vmid"]) == []
    assert {**pve.config(source["vmid"]), "digest": ""} == {**before, "digest": ""}
    assert _clone(app)["changed"] is False


KILLED_AT = {
    "its snapshot": ("POST", "/snapshot"),
    "the snapshot's task": ("GET", "/tasks/.*vzsnapshot"),
    "the copy": ("POST", "/clone"),
    "the copy's task": ("GET", "/tasks/.*vzclone"),
    "the snapshot's end": ("DELETE", "/snapshot/"),
    "settings": ("PUT", "/config"),
    "start": ("POST", "/start"),
    "address": ("GET", "/interfaces"),
}


@pytest.mark.parametrize("place", KILLED_AT)
def test_killed_copy_is_finished_by_the_next_run(app: Run, pve: Pve, lab: labs.Lab, source: Result, process: Begin, place: str) -> None:
    method, path = KILLED_AT[place]
    lab.journal_book.clear()
    nth = 2 if place == "address" else 1  # the first one is the source's
    lab.fault("slow-body" if method != "GET" else "latency", method=method, path=f".*{path}.*", seconds=30, nth=nth)
    child = process(definition=None, name="hello-test", clone_from="hello")
    deadline = time.monotonic() + 20
    while not any(fault.struck for fault in lab.faults.all()):
        assert time.monotonic() < deadline, f"{method} {path} was never called"
        time.sleep(0.02)
    time.sleep(0.3)
    child.kill()
    child.wait()
    lab.faults.clear()
    result = _clone(app)
    assert not result.get("failed"), result
    (copy,) = [vmid for vmid in pve.vmids() if vmid != source["vmid"]]
    assert (pve.record(copy)["status"], pve.record(copy)["vmid"]) == ("running", copy)
    assert _snapshots(pve, source["vmid"]) == []
    assert (pve.status(copy), pve.status(source["vmid"])) == ("running", "running")


def _result(child: subprocess.Popen[str]) -> Result:
    assert child.stdout
    return dict(json.loads(child.stdout.read().strip().splitlines()[-1]))
