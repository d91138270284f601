"""Create, update, delete, each as check / real / check again / real again, with the state read back past our own code."""

from __future__ import annotations

from typing import Any

import pytest
from integration.pve import Pve, Result, Run


def _verbs(result: Result) -> list[str]:
    return [step["verb"] for step in result["plan"]]


def _four_times(app: Run, **params: Any) -> list[Result]:
    """Check, real, check again, real again: only the first two change anything, and both tell the same plan."""
    check, real, check_again, real_again = (app(check=check, **params) for check in (True, False, True, False))
    assert not [result["msg"] for result in (check, real, check_again, real_again) if result.get("failed")]
    assert (check["changed"], real["changed"], check_again["changed"], real_again["changed"]) == (True, True, False, False)
    assert (check["plan"], check["diff"]) == (real["plan"], real["diff"])
    assert check_again["plan"] == real_again["plan"] == []
    return [check, real, check_again, real_again]


def test_create(app: Run, pve: Pve) -> None:
    wish = {
        "resources": {"memory_mb": 300},
        "owner": "ada",
        "tags": ["mine"],
        "options": {"greeting": "hi"},
        "environment": {"EXTRA": "more"},
    }
    before = pve.vmids()
    assert app(check=True, **wish)["app"]["status"] == "deploying"
    assert pve.vmids() == before, "a check does nothing"
    check, real, _check_again, again = _four_times(app, **wish)
    vmid = real["app"]["vmid"]
    assert check["app"]["vmid"] == vmid
    config, record = pve.config(vmid), pve.record(vmid)
    assert (config["hostname"], config["memory"], config["cores"], config["swap"]) == ("hello", 300, 1, 0)
    assert (config["features"], config["unprivileged"], config["onboot"]) == ("nesting=1", 1, 1)
    assert config["tags"] == "hello;mine;proximity"
    assert record["environment"] == ["EXTRA"]
    assert (record["vmid"], record["status"], record["revision"], record["owner"]) == (vmid, "deploying", "", "ada")
    assert record["ports"] == {"public": vmid, "internal": vmid + 1000}
    assert pve.status(vmid) == "running"
    assert real["app"]["converge"]
    assert real["app"]["first"]
    assert real["app"]["url"] == f"http://{real['app']['address']}:8080/"
    assert again["app"]["record"] == real["app"]["record"] == record, "what is returned is what is there"


def test_report_completes_the_record(app: Run, pve: Pve) -> None:
    made = app()["app"]
    report = {"vmid": made["vmid"], "node": made["node"], "healthy": True, "revision": made["revision"], "address": made["address"]}
    result = _four_times(app, report=report)[1]
    record = pve.record(made["vmid"])
    assert (record["status"], record["revision"], record["lease"]) == ("running", made["revision"], None)
    assert pve.config(made["vmid"])["tags"] == f"hello;proximity;rev-{made['revision']}"
    assert f"http://{made['address']}:8080/" in pve.config(made["vmid"])["description"]
    assert (result["app"]["status"], result["app"]["converge"], result["app"]["url"]) == ("running", False, made["url"])


def test_update_in_place(app: Run, pve: Pve, deployed: Result) -> None:
    vmid, before = deployed["vmid"], pve.config(deployed["vmid"])
    wish = {
        "resources": {"memory_mb": 512, "cores": 2, "swap_mb": 128, "disk_gb": 3},
        "network": {"address": "10.231.0.20/24", "gateway": "10.231.0.1", "mtu": 1400, "dns": ["10.231.0.1"], "search_domain": "home.arpa"},
        "onboot": False,
        "startup": "order=3",
        "protection": True,
        "tags": ["mine"],
        "owner": "grace",
        "restart": "allowed",
    }
    result = _four_times(app, **wish)[1]
    assert _verbs(result) == ["update", "grow", "restart"]
    assert [row for row in pve.get(f"/nodes/pve1/lxc/{vmid}/pending") if "pending" in row] == []
    after = pve.config(vmid)
    assert (after["memory"], after["cores"], after["swap"], after["onboot"], after["startup"], after["protection"]) == (
        512,
        2,
        128,
        0,
        "order=3",
        1,
    )
    assert "size=3G" in after["rootfs"]
    mac = next(part for part in before["net0"].split(",") if part.startswith("hwaddr="))
    assert mac in after["net0"]
    assert "ip=10.231.0.20/24" in after["net0"]
    assert (after["nameserver"], after["searchdomain"]) == ("10.231.0.1", "home.arpa")
    assert after["tags"] == f"hello;mine;proximity;rev-{deployed['revision']}"
    assert pve.record(vmid)["owner"] == "grace"
    assert result["app"]["converge"] is False


def test_taking_away(app: Run, pve: Pve, deployed: Result) -> None:
    app(startup="order=3", tags=["mine"], network={"dns": ["10.231.0.1"], "search_domain": "home.arpa"}, protection=True, restart="allowed")
    assert pve.config(deployed["vmid"])["searchdomain"] == "home.arpa"
    _four_times(app, startup="", tags=[], network={"dns": [], "search_domain": ""}, protection=False, restart="allowed")
    config = pve.config(deployed["vmid"])
    assert not {"startup", "nameserver", "searchdomain"} & set(config)
    assert config["protection"] == 0
    assert config["tags"] == f"hello;proximity;rev-{deployed['revision']}"


def test_only_what_differs_is_sent(app: Run, lab: Any, deployed: Result) -> None:
    app(resources={"memory_mb": 512, "cores": 1}, onboot=True)
    put = lab.journal("PUT", f"/lxc/{deployed['vmid']}/config")[-1]
    assert set(put.params) == {"memory", "digest"}


def test_new_option_is_a_new_revision(app: Run, pve: Pve, deployed: Result) -> None:
    result = _four_times(app, options={"greeting": "good day"})[1]
    record = pve.record(deployed["vmid"])
    assert result["app"]["converge"]
    assert not result["app"]["first"]
    assert (record["status"], record["revision"], record["wanted"]) == ("updating", deployed["revision"], result["app"]["revision"])
    assert record["wanted"] != record["revision"]


def test_users_notes_and_tags_are_kept(app: Run, pve: Pve, deployed: Result) -> None:
    vmid = deployed["vmid"]
    description = pve.config(vmid)["description"]
    pve.put(f"/nodes/pve1/lxc/{vmid}/config", description=f"Mine, first.\n{description}Mine, last.", tags=f"own;{pve.config(vmid)['tags']}")
    app(options={"greeting": "good day"})
    after = pve.config(vmid)
    assert after["description"].startswith("Mine, first.\n<!-- proximity -->\n")
    assert after["description"].endswith("-->\nMine, last.\n")
    assert "own" in after["tags"].split(";")


def test_stop_and_start(app: Run, pve: Pve, deployed: Result) -> None:
    vmid = deployed["vmid"]
    stopped = _four_times(app, state="stopped", entry=False)[1]
    assert (pve.status(vmid), pve.record(vmid)["status"], stopped["app"]["status"]) == ("stopped", "stopped", "stopped")
    assert app(state="present")["changed"] is False
    assert pve.status(vmid) == "stopped"
    started = _four_times(app, state="started")[1]
    assert (pve.status(vmid), pve.record(vmid)["status"], started["app"]["status"]) == ("running", "running", "running")
    assert started["app"]["converge"] is False
    assert started["app"]["address"]


def test_created_stopped_is_deployed_when_it_starts(app: Run, pve: Pve) -> None:
    made = _four_times(app, state="stopped")[1]["app"]
    assert pve.status(made["vmid"]) == "stopped"
    assert made["converge"] is False
    started = _four_times(app)[1]["app"]
    assert started["vmid"] == made["vmid"]
    assert (started["converge"], started["first"]) == (True, True)


def test_restart_is_a_condition(app: Run, pve: Pve, lab: Any, deployed: Result) -> None:
    lab.advance(3600)
    uptime = pve.get(f"/nodes/pve1/lxc/{deployed['vmid']}/status/current")["uptime"]
    assert uptime >= 3600
    moment = time_before(seconds=60)
    assert _verbs(_four_times(app, state="restarted", restarted_after=moment)[1]) == ["restart"]
    assert pve.get(f"/nodes/pve1/lxc/{deployed['vmid']}/status/current")["uptime"] < 60
    assert app(state="restarted", restarted_after=time_before(seconds=7200))["changed"] is False


def time_before(seconds: int) -> str:
    from datetime import UTC, datetime, timedelta

    return (datetime.now(UTC) - timedelta(seconds=seconds)).isoformat()


@pytest.mark.parametrize("state", ["running", "stopped"])
def test_delete(app: Run, pve: Pve, deployed: Result, state: str) -> None:
    if state == "stopped":
        app(state="stopped", entry=False)
    result = _four_times(app, state="absent", entry=False)[1]
    assert _verbs(result)[0] == "update"
    assert _verbs(result)[-1] == "delete"
    assert result["app"]["status"] == "absent"
    assert deployed["vmid"] not in pve.vmids()


def test_record_says_removing_before_anything_is_destroyed(app: Run, lab: Any, pve: Pve, deployed: Result) -> None:
    lab.fault("status", method="DELETE", status=500, reason="no space left on device")
    failed = app(state="absent", entry=False)
    assert failed["failed"]
    assert "Cannot delete guest" in failed["msg"]
    assert "no space left on device" in failed["msg"]
    assert failed["changed"]
    assert (pve.record(deployed["vmid"])["status"], pve.status(deployed["vmid"])) == ("removing", "stopped")
    assert failed["steps"] == {
        "done": [f"update config {deployed['vmid']}", f"stop guest {deployed['vmid']}"],
        "failed": [f"delete guest {deployed['vmid']}"],
        "not_started": [],
    }
    assert app(state="absent", entry=False)["app"]["status"] == "absent"


def test_deaf_guest_is_stopped_by_force(app: Run, lab: Any, pve: Pve, deployed: Result) -> None:
    lab.cluster.runtime.scripts[deployed["vmid"]] = type(lab.cluster.runtime.scripts[0])(deaf=True)
    assert app(state="absent", entry=False, timeouts={"shutdown_s": 1})["app"]["status"] == "absent"
    assert deployed["vmid"] not in pve.vmids()
