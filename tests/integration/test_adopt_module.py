"""Adopting and forgetting, each as check / real / check again / real again, with the configuration read back past our own code."""

from __future__ import annotations

import json
import re
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.module_utils import executor
from ansible_collections.proximity.platform.plugins.modules import proximity_adopt, proximity_backup
from integration.modules import Runner
from integration.pve import Pve, Result, Run
from integration.test_port_module import ledger, port

__all__ = ["port"]
VMID = 105
CONFLICT = "detected modified configuration - file changed by other user? Try again."
ENTRIES = [
    {
        "id": "miniflux",
        "name": "Miniflux",
        "version": "2.3.3",
        "images": {"miniflux": "miniflux/miniflux:2.3.3", "db": "postgres:17"},
        "web": {"service": "miniflux", "port": 8080},
    },
    {
        "id": "gitea",
        "name": "Gitea",
        "version": "1.24",
        "images": {"gitea": "docker.io/gitea/gitea:1.24"},
        "web": {"service": "gitea", "port": 3000},
    },
]
COMPOSE = """== tcp
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0000000000000000 100 0 0 10 0
== names
/proc/77/comm:docker-proxy
== fds
/proc/77/fd:
lrwx------ 1 root root 64 Jan 1 00:00 3 -> socket:[4711]
== containers
docker.io/miniflux/miniflux:2.3.0\trunning\tfeeds\tminiflux\t/opt/feeds\t0.0.0.0:8081->8080/tcp, [::]:8081->8080/tcp
postgres:16\trunning\tfeeds\tdb\t/opt/feeds\t5432/tcp
"""
LOOKS = {str(VMID): COMPOSE}
DESCRIPTIONS = ["", "Mine", "Mine\n", "a <b>bold</b> Nöte\r\nsecond line \U0001f600\r\n", "\n\n  indented\n\nand more\n\n\n"]


@pytest.fixture
def adopt(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_adopt, {**connection, "entries": ENTRIES}, capsys, monkeypatch)


@pytest.fixture
def shop(pve: Pve, lab: labs.Lab) -> dict[str, Any]:
    """A container of somebody, running, with tags and notes; its configuration."""
    pve.make_guest(VMID, hostname="shop", tags="b;a;proxy", description="Mine\n", net0="name=eth0,bridge=vmbr0,ip=dhcp", start=1, onboot=1)
    lab.advance(60)
    return pve.config(VMID)


def _guests(*vmids: int, **more: Any) -> list[dict[str, Any]]:
    return [{"vmid": vmid, **more} for vmid in vmids or (VMID,)]


def _differing(before: dict[str, Any], after: dict[str, Any]) -> set[str]:
    return {key for key in {*before, *after} if before.get(key) != after.get(key)} - {"digest"}


def test_adopt_and_forget(adopt: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    made = adopt.four_times(guests=_guests(), looks=LOOKS)
    after, record = pve.config(VMID), pve.record(VMID)
    (app,) = made["apps"]
    slot = app["record"]["adopted"]["slot"]
    assert _differing(shop, after) == {"tags", "description"}
    assert after["tags"] == f"a;b;miniflux;proximity;proxy;slot-{slot}"
    assert record == app["record"], "what is returned is what is there"
    assert (record["entry"], record["ports"], record["status"]) == ("miniflux", {"public": slot, "internal": slot + 1000}, "running")
    assert record["adopted"]["tags"] == ["a", "b", "proxy"]
    assert record["adopted"]["description"] == "Mine"
    assert app["web"] == {"scheme": "http", "port": 8081, "path": "/"}
    assert app["url"] == f"http://{app['address']}:8081/"
    assert app["url"] in after["description"]
    assert ledger(pve) == {str(slot): "shop@105"}
    forgotten = adopt.four_times(state="absent", guests=_guests())
    assert forgotten["apps"][0]["status"] == "absent"
    assert pve.config(VMID) == shop
    assert ledger(pve) == {}


@pytest.mark.parametrize("tags", ["", "a;b", "proximity", "miniflux;slot-3;rev-0123456789"])
@pytest.mark.parametrize("description", DESCRIPTIONS)
def test_forgetting_brings_back_every_byte(adopt: Runner, pve: Pve, description: str, tags: str) -> None:
    pve.make_guest(VMID, hostname="shop", **({"tags": tags} if tags else {}), **({"description": description} if description else {}))
    before = pve.config(VMID)
    assert adopt(guests=_guests(), looks=LOOKS)["changed"]
    assert not adopt(guests=_guests(), looks=LOOKS)["changed"]
    adopt(state="absent", guests=_guests())
    assert pve.config(VMID) == before


def test_what_was_written_since_then_stays(adopt: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    adopt(guests=_guests())
    now = pve.config(VMID)
    pve.put(f"/nodes/pve1/lxc/{VMID}/config", description=now["description"] + "and this", tags=now["tags"] + ";new")
    forgotten = adopt(state="absent", guests=_guests())
    assert "were edited since it was adopted" in json.dumps(forgotten["warnings"])
    assert pve.config(VMID)["description"] == "Mine\nand this\n"
    assert pve.config(VMID)["tags"] == "a;b;new;proxy"


def test_users_word_comes_first(adopt: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    (app,) = adopt.four_times(guests=_guests(catalog_id="gitea", port=4000), looks=LOOKS)["apps"]
    assert (app["entry"], app["service"], app["web"]["port"]) == ("gitea", "Gitea", 4000)
    assert not adopt(guests=_guests())["changed"], "nothing is taken back by saying nothing"
    (app,) = adopt.four_times(guests=_guests(catalog_id="miniflux"))["apps"]
    assert (app["entry"], "miniflux" in pve.config(VMID)["tags"].split(";")) == ("miniflux", True)
    assert "gitea" not in pve.config(VMID)["tags"].split(";")
    assert "There is no entry 'nope'" in adopt(guests=_guests(catalog_id="nope"))["msg"]


def test_update_is_noted_and_forgotten_with_the_rest(adopt: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    updated = "2026-03-01T11:00:00Z"
    assert "is not adopted, so that an update of it cannot be noted" in adopt(guests=_guests(updated=updated))["msg"]
    adopt(guests=_guests(), looks=LOOKS)
    adopt.four_times(guests=_guests(updated=updated))
    assert pve.record(VMID)["adopted"]["updated"] == "2026-03-01T11:00:00+00:00"
    assert not adopt(guests=_guests())["changed"], "it stays noted"
    adopt(state="absent", guests=_guests())
    assert pve.config(VMID) == shop


def test_several_at_once_and_stopped_ones(adopt: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    for number in (106, 107):
        pve.make_guest(number, hostname=f"box-{number}")
    made = adopt.four_times(guests=_guests(105, 106, 107))
    assert [app["status"] for app in made["apps"]] == ["running", "stopped", "stopped"]
    assert sorted(ledger(pve).values()) == ["box-106@106", "box-107@107", "shop@105"]
    assert (made["apps"][1]["entry"], made["apps"][1]["web"]) == ("", None)
    (app,) = adopt(guests=_guests(106), looks={"106": COMPOSE})["apps"]
    assert app["entry"] == "miniflux", "what was not known is learned later"
    adopt.four_times(state="absent", guests=_guests(105, 106, 107))
    assert ledger(pve) == {}


def test_one_that_cannot_be_keeps_all_from_being_changed(adopt: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    pve.make_guest(106, hostname="shop")
    assert "There is no guest 999" in adopt(guests=_guests(105, 999))["msg"]
    assert "the name shop is that of guest 105" in adopt(guests=_guests(105, 106))["msg"]
    assert pve.config(VMID) == shop
    assert ledger(pve) == {}


def test_app_of_ours_is_neither_adopted_nor_forgotten(adopt: Runner, pve: Pve, deployed: Result) -> None:
    told = adopt(guests=_guests(deployed["vmid"]))
    assert not told["changed"]
    assert "which Proximity has made" in json.dumps(told["warnings"])
    assert "which Proximity has made" in adopt(state="absent", guests=_guests(deployed["vmid"]))["msg"]


def test_container_in_the_range_has_the_slot_of_its_number(adopt: Runner, pve: Pve) -> None:
    pve.make_guest(8123, hostname="shop")
    (app,) = adopt.four_times(guests=_guests(8123))["apps"]
    assert (app["ports"]["public"], ledger(pve)) == (8123, {})


def test_reserved_slot_is_taken_over(adopt: Runner, port: Runner, pve: Pve, shop: dict[str, Any]) -> None:
    port(name="shop", port=8555)
    (app,) = adopt.four_times(guests=_guests())["apps"]
    assert app["ports"]["public"] == 8555
    assert ledger(pve) == {"8555": "shop@105"}
    assert port(name="shop")["changed"] is False, "it has its pair"


def test_discovery(adopt: Runner, pve: Pve, lab: labs.Lab, shop: dict[str, Any], deployed: Result) -> None:
    lab.journal_book.clear()
    (guest,) = adopt(state="discovered")["guests"]
    assert (guest["vmid"], guest["name"], guest["status"], guest["port"]) == (105, "shop", "running", None)
    assert [call.path for call in lab.journal()] == ["/cluster/resources"]
    (guest,) = adopt(state="discovered", guests=_guests(), looks=LOOKS)["guests"]
    assert (guest["catalog_id"], guest["project"], guest["port"]) == ("miniflux", "feeds", 8081)
    adopt(guests=_guests())
    assert adopt(state="discovered")["guests"] == []


def test_adopted_app_is_stopped_and_started(adopt: Runner, app: Run, pve: Pve, lab: labs.Lab, shop: dict[str, Any]) -> None:
    adopt(guests=_guests(), looks=LOOKS)
    adopted = pve.config(VMID)
    for state, status in (("stopped", "stopped"), ("started", "running")):
        check, real, again = (app(name="shop", state=state, entry=False, check=each) for each in (True, False, False))
        assert (check["changed"], real["changed"], again["changed"]) == (True, True, False), real
        assert check["plan"] == real["plan"]
        assert (pve.status(VMID), real["app"]["status"], real["app"]["converge"]) == (status, status, False)
        lab.advance(60)
    assert _differing(adopted, pve.config(VMID)) <= {"description"}
    assert app(name="shop", state="restarted", restarted_after="2020-01-01T00:00:00Z", entry=False)["changed"] is False
    assert "is an app of entry miniflux, not hello" in app(name="shop")["msg"]


def test_adopted_app_is_backed_up_and_restored(
    adopt: Runner,
    connection: dict[str, Any],
    pve: Pve,
    shop: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    adopt(guests=_guests(VMID))
    before = pve.record(VMID)
    backup = Runner(proximity_backup, connection | {"name": before["name"]}, capsys, monkeypatch)
    made = backup.four_times()
    assert (made["backup"]["app"], made["backup"]["vmid"]) == (before["name"], VMID)
    restored = backup(state="restored", backup=made["backup"]["volume"], confirm=True)
    assert not restored.get("failed"), restored["msg"]
    assert pve.record(VMID)["adopted"] == before["adopted"]


def test_nothing_is_rolled_out_over_an_adopted_app(adopt: Runner, app: Run, pve: Pve, shop: dict[str, Any]) -> None:
    hello = {"id": "hello", "name": "Hello", "version": "1.0.0", "images": {}}
    adopt(guests=_guests(catalog_id="hello"), entries=[hello])
    adopted = pve.config(VMID)
    assert "was adopted as it is, and nothing is rolled out over it" in app(name="shop")["msg"]
    assert pve.config(VMID) == adopted


def test_deleting_forgets(adopt: Runner, app: Run, pve: Pve, shop: dict[str, Any]) -> None:
    adopt(guests=_guests())
    assert app(name="shop", state="absent", entry=False, check=True)["changed"]
    gone = app(name="shop", state="absent", entry=False)
    assert [step["verb"] for step in gone["plan"]] == ["release", "update"]
    assert (gone["app"]["status"], pve.config(VMID), ledger(pve)) == ("absent", shop, {})
    again = app(name="shop", state="absent", entry=False)
    assert (again["changed"], pve.config(VMID)) == (False, shop), "what was forgotten is no app, and that is what was wished"
    assert "is no app of Proximity: it is left alone" in json.dumps(again["warnings"])
    assert "carries no record of an app: it is not deleted" in app(name="shop", state="absent", entry=False, destroy_adopted=True)["msg"]


def test_deleting_destroys_when_it_is_said(adopt: Runner, app: Run, pve: Pve, shop: dict[str, Any]) -> None:
    adopt(guests=_guests())
    assert app(name="shop", state="absent", entry=False, destroy_adopted=True)["changed"]
    assert (VMID in pve.vmids(), ledger(pve)) == (False, {})
    assert not app(name="shop", state="absent", entry=False)["changed"]


def test_hostname_that_no_app_can_have(adopt: Runner, app: Run, pve: Pve, lab: labs.Lab) -> None:
    pve.make_guest(VMID, hostname="Shop.Example")
    lab.advance(60)
    (adopted,) = adopt.four_times(guests=_guests())["apps"]
    assert adopted["name"] == "shop-example"
    assert app(name="shop-example", state="started", entry=False)["changed"]
    assert pve.config(VMID)["hostname"] == "Shop.Example"


def test_deployment_never_takes_the_slot_of_an_adopted_container(adopt: Runner, app: Run, pve: Pve, shop: dict[str, Any]) -> None:
    wished = app(check=True)["app"]["vmid"]
    adopt(guests=_guests())
    (claimed,) = ledger(pve)
    text = pve.get("/cluster/mapping/dir/proximity-ports")["description"].replace(f"{claimed}=", f"{wished}=")
    pve.put("/cluster/mapping/dir/proximity-ports", map="node=x,path=/x", description=text)
    config = pve.config(VMID)
    described = config["description"].replace(f'"slot":{claimed}', f'"slot":{wished}')
    pve.put(f"/nodes/pve1/lxc/{VMID}/config", tags=config["tags"].replace(claimed, str(wished)), description=described)
    assert app()["app"]["vmid"] == wished + 1


def test_claimant_without_the_number_gives_way(adopt: Runner, pve: Pve, shop: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    claim = executor.DEEDS["claim", "slot"]
    raced: list[int] = []

    def racing(task: Any, step: Any) -> list[str]:
        warnings = claim(task, step)
        if not raced:
            raced.append(step.id)
            pve.make_guest(step.id, hostname="faster")
        return warnings

    monkeypatch.setitem(executor.DEEDS, ("claim", "slot"), racing)
    (app,) = adopt(guests=_guests())["apps"]
    assert app["ports"]["public"] not in raced
    assert ledger(pve) == {str(app["ports"]["public"]): "shop@105"}
    assert pve.config(VMID)["tags"].endswith(f"slot-{app['ports']['public']}")


def test_clone_of_an_app_can_be_adopted(adopt: Runner, pve: Pve, deployed: Result) -> None:
    config = pve.config(deployed["vmid"])
    pve.make_guest(VMID, hostname="copy", tags=config["tags"], description=config["description"])
    (app,) = adopt.four_times(guests=_guests())["apps"]
    assert (app["name"], pve.record(VMID)["vmid"]) == ("copy", VMID)
    assert len(re.findall("<!-- proximity {", pve.config(VMID)["description"])) == 1


@pytest.mark.parametrize("nth", range(1, 12))
@pytest.mark.parametrize("kind", ["reset", "reset-after", "status"])
@pytest.mark.parametrize("state", ["present", "absent"])
def test_after_any_fault_one_more_run_converges(
    adopt: Runner, pve: Pve, lab: labs.Lab, shop: dict[str, Any], state: str, kind: str, nth: int
) -> None:
    if state == "absent":
        adopt(guests=_guests())
    lab.fault(kind, nth=nth, **({"status": 500, "reason": "something broke"} if kind == "status" else {}))
    adopt(state=state, guests=_guests())
    lab.faults.clear()
    assert not adopt(state=state, guests=_guests()).get("failed")
    assert not adopt(state=state, guests=_guests())["changed"]
    if state == "absent":
        assert (pve.config(VMID), ledger(pve)) == (shop, {})
    else:
        assert list(ledger(pve).values()) == ["shop@105"]
        assert json.dumps(pve.record(VMID)["ports"]["public"]) in ledger(pve)


def test_long_notes_are_refused(adopt: Runner, pve: Pve) -> None:
    pve.make_guest(VMID, hostname="shop", description="x" * 4000)
    assert "have 4000 characters, too many to be kept in its record" in adopt(guests=_guests())["msg"]
