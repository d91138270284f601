"""Each impossible wish ends in one clear sentence, in a check as in a real run, and nothing is left behind."""

from __future__ import annotations

import socket
from typing import Any

import lab as labs
import pytest
from integration.definition import DEFINITION
from integration.pve import Pve, Result, Run

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"api_token_secret": "00000000-0000-0000-0000-000000000000"}, "refuses token proximity@pve!demo"),
    ({"api_token_id": "nobody@pve!none"}, "refuses token nobody@pve!none"),
    ({"ca_path": None}, "is not trusted: "),
    ({"definition": None, "catalog_id": "nope"}, "Entry nope was not read from a catalog"),
    ({"name": "a;reboot"}, "The app's name 'a;reboot' cannot be used"),
    ({"name": "a" * 64}, "it takes 1 to 63 lower-case letters"),
    ({"resources": {"memory_mb": "lots"}}, "memory_mb"),
    ({"network": {"address": "10.0.0.300/24"}}, "network.address is '10.0.0.300/24'"),
    ({"network": {"address": "10.0.0.5/24", "gateway": "10.9.9.9"}}, "network.gateway 10.9.9.9 is no other host of the subnet 10.0.0.0/24"),
    ({"node": "pve9"}, "there is no node 'pve9'. The cluster has pve1."),
    ({"storage": "nope"}, "node pve1 has no storage 'nope' (it has local-lxc)"),
    ({"storage": "local"}, "takes no disks of containers"),
    ({"template": "slackware"}, "node pve1 has no template 'slackware'"),
    ({"network": {"bridge": "vmbr9"}}, "node pve1 has no bridge 'vmbr9' (it has vmbr0)"),
    ({"state": "restarted"}, "State restarted needs restarted_after"),
]


def _refused(app: Run, sentence: str, **params: Any) -> None:
    said = []
    for check in (True, False):
        result = app(check=check, **params)
        assert result["failed"]
        assert not result.get("changed")
        assert sentence in result["msg"]
        assert "Traceback" not in result["msg"]
        assert len(result["msg"]) < 500
        said.append(result["msg"])
    assert said[0] == said[1], "a check says what the real run says"


@pytest.mark.parametrize(("params", "sentence"), REFUSED, ids=lambda value: "" if isinstance(value, dict) else value[:40])
def test_impossible_wish(app: Run, pve: Pve, params: dict[str, Any], sentence: str) -> None:
    before = pve.vmids()
    _refused(app, sentence, **params)
    assert pve.vmids() == before


def test_unreachable_api(app: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        _refused(app, "Connection refused. Check api_host and api_port", api_port=free.getsockname()[1], api_retry_s=1)


def test_range_without_room(app: Run, pve: Pve) -> None:
    pve.make_guest(8100, hostname="other")
    _refused(app, "all 1 slots from 8100 to 8100 are taken", port_range={"public": "8100-8100", "internal": "9100-9100"})


def test_smaller_disk(app: Run, deployed: Result) -> None:
    _refused(app, "Cannot shrink the disk of app hello", resources={"disk_gb": 1})


def test_name_of_another_entry(app: Run, deployed: Result) -> None:
    _refused(app, "is an app of entry hello, not other", definition={**DEFINITION, "id": "other"})


def test_guest_without_a_record_is_not_deleted(app: Run, pve: Pve, lab: labs.Lab) -> None:
    pve.make_guest(150, hostname="mine")
    lab.advance(15)
    left = app(name="mine", state="absent", entry=False)
    assert (left["changed"], left["app"]["status"]) == (False, "absent")
    assert "Guest 150 on node pve1 is named mine and is no app of Proximity: it is left alone." in str(left["warnings"])
    said = "Guest 150 on node pve1 is named mine and carries no record of an app: it is not deleted."
    _refused(app, said, name="mine", state="absent", entry=False, destroy_adopted=True)
    pve.put("/nodes/pve1/lxc/150/config", tags="proximity;miniflux")
    _refused(app, said, name="mine", state="absent", entry=False)
    assert 150 in pve.vmids()


def test_copy_is_neither_trusted_nor_deleted(app: Run, pve: Pve, lab: labs.Lab, deployed: Result) -> None:
    pve.make_guest(150, hostname="hello", description=pve.config(deployed["vmid"])["description"])
    lab.advance(15)
    warned = app()
    assert warned["changed"] is False
    assert "it is left alone" in str(warned["warnings"])
    app(state="absent", entry=False)
    assert pve.vmids() == [150]
    _refused(app, "Guest 150 on node pve1 carries a copy of the record of app hello")
    again = app(state="absent", entry=False)
    assert again["changed"] is False
    assert "it is left alone" in str(again["warnings"])
    assert pve.vmids() == [150]


def test_protected_app(app: Run, pve: Pve, deployed: Result) -> None:
    app(protection=True)
    _refused(app, "is protected: it is not deleted", state="absent", entry=False)
    assert app(state="absent", entry=False, ignore_protection=True)["changed"]
    assert pve.vmids() == []


def test_locked_guest(app: Run, pve: Pve, lab: labs.Lab, deployed: Result) -> None:
    pve.put(f"/nodes/pve1/lxc/{deployed['vmid']}/config", lock="backup")
    assert app()["changed"] is False, "nothing to do is no reason to complain"
    _refused(app, "is locked (backup)", resources={"memory_mb": 512})
    _refused(app, "is locked (backup)", state="absent", entry=False)


def test_token_without_a_privilege(app: Run, pve: Pve, lab: labs.Lab) -> None:
    lab.cluster.roles["ProximityGuests"].discard("VM.Config.Options")
    result = app()
    assert "403 Permission check failed (/vms/" in result["msg"]
    assert result["msg"].endswith("VM.Config.Options). Give the token this privilege.")
    assert pve.vmids() == []
