"""What is observed, when several apps are planned at once, and when guests come and go meanwhile."""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import Any

import lab as labs
from ansible_collections.proximity.platform.plugins.module_utils.api import Client
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.controller import identify
from ansible_collections.proximity.platform.plugins.module_utils.observer import nothing_observed, observe
from ansible_collections.proximity.platform.plugins.module_utils.planner.apps import plan_apps
from ansible_collections.proximity.platform.plugins.module_utils.resources.guests import making_has_ended, observe_config
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app
from integration.definition import DEFINITION
from integration.pve import Pve, Result, Run

TEMPLATE = "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"


def _client(connection: dict[str, Any]) -> Client:
    defaults = {name: spec.get("default") for name, spec in connection_arguments().items()}
    return Client(connection_of({**defaults, **connection}), read_only=True)


def test_apps_share_one_observation(app: Run, lab: labs.Lab, connection: dict[str, Any]) -> None:
    names = [f"app{number}" for number in range(5)]
    for name in names:
        made = app(name=name)["app"]
        app(name=name, report={"vmid": made["vmid"], "node": "pve1", "healthy": True})
    wishes = [desired_app({"name": name, "state": "started", "definition": DEFINITION}) for name in (*names, "new", "newer")]
    client = _client(connection)
    plan, _observed = observe(client, partial(plan_apps, wishes), nothing_observed(identify()))
    assert [[step.verb for step in each.steps] for each in plan.apps] == [[]] * 5 + [["create"]] * 2
    assert len({each.vmid for each in plan.apps}) == 7
    assert client.calls == {"reads": 1 + 2 * 5 + 2, "writes": 0, "polls": 0}


def test_guest_that_goes_while_it_is_looked_at(app: Run, lab: labs.Lab, pve: Pve, deployed: Result) -> None:
    lab.fault("latency", method="GET", path=".*/pending", seconds=1)
    path = f"/nodes/pve1/lxc/{deployed['vmid']}"

    def destroy() -> None:
        deadline = time.monotonic() + 5
        while not lab.faults._faults[0].struck and time.monotonic() < deadline:
            time.sleep(0.02)
        pve.wait(pve.delete(path, force=1))

    thread = threading.Thread(target=destroy)
    thread.start()
    result = app(check=True)
    thread.join()
    assert [step["verb"] for step in result["plan"]] == ["create"]
    assert "Looking again" in result["log"][0]["message"]


def test_failed_read_of_a_guest_that_is_there_is_an_error(app: Run, lab: labs.Lab, deployed: Result) -> None:
    lab.fault("status", method="GET", path=".*/pending", status=500, reason="disk read error")
    result = app()
    assert result["failed"]
    assert "500 disk read error" in result["msg"]


def test_guest_in_the_making_is_waited_for(app: Run, lab: labs.Lab, pve: Pve) -> None:
    """Another controller creates our slot's guest, slowly; it turns out to be somebody else's."""
    slot = app(check=True)["app"]["vmid"]
    template = pve.get("/nodes/pve1/storage/local/content", content="vztmpl")[0]["volid"]
    upid = pve.post("/nodes/pve1/lxc", vmid=slot, ostemplate=template, rootfs="local-lxc:1", hostname="other", bwlimit=40000)
    assert pve.config(slot)["lock"] == "create"
    result = app(check=True)
    assert result["app"]["vmid"] == slot + 1
    assert result["calls"]["polls"] > 1
    pve.wait(upid)


def test_guest_whose_making_broke_off_is_told_from_one_in_the_making(app: Run, lab: labs.Lab, pve: Pve, connection: dict[str, Any]) -> None:
    client = _client(connection)
    slot = app(check=True)["app"]["vmid"]
    assert not making_has_ended(client, "pve1", slot), "nobody makes it"
    lab.fault("task-hangs", type="vzcreate", at="begin", seconds=0)
    upid = pve.post("/nodes/pve1/lxc", vmid=slot, ostemplate=TEMPLATE, rootfs="local-lxc:1")
    assert not making_has_ended(client, "pve1", slot)
    lab.cluster.tasks[upid].stopping = True
    pve.wait(upid)
    assert making_has_ended(client, "pve1", slot)
    assert observe_config(client, "pve1", slot).lock == "create", "this is what it leaves behind"
