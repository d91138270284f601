"""Two controllers that renew the same adopted app exclude each other, and what a killed one has left is taken up."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_adopt, proximity_app
from faults.play import Play, run_of_ansible
from integration.pve import Pve

VMID = 105
BEGIN = {"guests": [{"vmid": VMID, "updating": True}]}
END = {"guests": [{"vmid": VMID, "updating": False, "updated": ""}]}
RENEWED = {"guests": [{"vmid": VMID, "updating": False, "updated": "2026-03-01T11:00:00Z"}]}
ENTRIES: list[dict[str, Any]] = []


@pytest.fixture
def box(pve: Pve, lab: labs.Lab) -> Iterator[int]:
    """An adopted container that runs."""
    pve.make_guest(VMID, hostname="box", net0="name=eth0,bridge=vmbr0,ip=dhcp", start=1)
    lab.advance(60)
    with run_of_ansible(lab) as play:
        assert not adopt(play, guests=[{"vmid": VMID}]).get("failed")
    yield VMID


def adopt(play: Play, **params: Any) -> dict[str, Any]:
    return play.task(proximity_adopt, entries=ENTRIES, **params)


def test_one_controller_keeps_the_other_off(lab: labs.Lab, pve: Pve, box: int) -> None:
    before = pve.record(box)
    with run_of_ansible(lab) as one, run_of_ansible(lab) as other:
        begun = adopt(one, **BEGIN)
        assert (begun.get("failed", False), pve.record(box)["status"]) == (False, "updating")
        assert not adopt(one, **BEGIN)["changed"], "it holds it already"
        for refused in (adopt(other, **BEGIN), adopt(other, **RENEWED), adopt(other, state="absent", guests=[{"vmid": box}])):
            assert "App box (guest 105) is updating: " in refused["msg"] and "works on it" in refused["msg"]
        stopped = other.task(proximity_app, name="box", state="stopped")
        assert "works on it" in stopped["msg"]
        assert not adopt(other, guests=[{"vmid": box}])["changed"], "whoever wishes for nothing new is in nobody's way"
        assert adopt(one, **RENEWED)["changed"]
        after = pve.record(box)
        assert (after["status"], after["lease"]) == ("running", None)
        assert after["adopted"] == {**before["adopted"], "updated": "2026-03-01T11:00:00+00:00"}
        assert not adopt(other, **BEGIN).get("failed")
        assert not adopt(other, **END).get("failed")
        assert pve.record(box)["adopted"] == after["adopted"], "nothing was renewed by that one"


def test_killed_controller_is_followed_at_once(lab: labs.Lab, pve: Pve, box: int) -> None:
    with run_of_ansible(lab) as gone:
        adopt(gone, **BEGIN)
    assert pve.record(box)["status"] == "updating"
    with run_of_ansible(lab) as next_one:
        assert not adopt(next_one, **BEGIN).get("failed")
        assert pve.record(box)["lease"]["epoch"] == 2
        adopt(next_one, **END)
    assert (pve.record(box)["status"], pve.record(box)["lease"]) == ("running", None)


def test_controller_of_another_machine_is_overruled_on_request(lab: labs.Lab, pve: Pve, box: int) -> None:
    with run_of_ansible(lab) as one, run_of_ansible(lab) as other:
        adopt(one, **BEGIN)
        assert not adopt(other, **BEGIN, take_over_lease=True).get("failed")
        assert "works on it" in adopt(one, **RENEWED)["msg"], "what was overtaken notes nothing"


def test_app_that_is_being_worked_on_otherwise_is_refused(lab: labs.Lab, pve: Pve, box: int) -> None:
    config = pve.config(box)["description"]
    pve.put(f"/nodes/pve1/lxc/{box}/config", description=config.replace('"status":"running"', '"status":"restoring"'))
    with run_of_ansible(lab) as play:
        assert "App box (guest 105) is not updated: it is restoring. Finish that first." in adopt(play, **BEGIN)["msg"]


def test_check_takes_no_lease(lab: labs.Lab, pve: Pve, box: int) -> None:
    before = pve.config(box)
    with run_of_ansible(lab) as play:
        assert adopt(play, **BEGIN, _ansible_check_mode=True)["changed"]
        assert not adopt(play, **END, _ansible_check_mode=True)["changed"]
    assert pve.config(box) == before
