"""Reserving and releasing pairs of ports, with the ledger read back past our own code; and what deployments make of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.module_utils import executor
from ansible_collections.proximity.platform.plugins.modules import proximity_port
from integration.modules import Runner
from integration.pve import Pve, Run

SMALL = {"public": "8100-8104", "internal": "9100-9104"}
CONFLICT = "detected modified configuration - file changed by other user? Try again."


@pytest.fixture
def port(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    yield Runner(proximity_port, connection, capsys, monkeypatch)


def ledger(pve: Pve) -> dict[str, str]:
    """Slot -> holder, as the mappings' comments say."""
    pages = [row.get("description", "") for row in pve.get("/cluster/mapping/dir") if row["id"].startswith("proximity-ports")]
    words = [word for page in pages for word in page.partition(":")[2].split()]
    return {slot: holder.rpartition(".")[0] for slot, _sign, holder in (word.partition("=") for word in words)}


def test_reserve_and_release(port: Runner, pve: Pve) -> None:
    made = port.four_times(name="feeds")
    pair = made["port"]
    assert ledger(pve) == {str(pair["slot"]): "feeds"}
    assert (pair["by"], pair["free"], pair["internal"] - pair["public"]) == ("reserved", False, 1000)
    assert [step["verb"] for step in made["plan"]] == ["announce", "claim"]
    assert (made["usage"]["public"]["used"], made["usage"]["internal"]["free"]) == (1, 899)
    port.four_times(name="feeds", state="absent")
    assert ledger(pve) == {}


def test_certain_port_is_moved_to(port: Runner, pve: Pve) -> None:
    port(name="feeds")
    assert port.four_times(name="feeds", port=8123)["port"]["public"] == 8123
    assert port.four_times(name="feeds", port=9200)["port"]["public"] == 8200, "an internal port names its pair"
    assert ledger(pve) == {"8200": "feeds"}


def test_taken_port_is_refused(port: Runner, pve: Pve, lab: labs.Lab) -> None:
    pve.make_guest(8123, hostname="mine")
    assert "guest 8123 holds it" in port(name="feeds", port=8123)["msg"], "it has no name in the list yet"
    lab.advance(15)
    assert "mine (guest 8123) holds it" in port(name="feeds", port=8123)["msg"]
    assert "Port 80 is neither public nor internal" in port(name="feeds", port=80)["msg"]
    port(name="wiki", port=8124)
    assert port(name="feeds", port=8124, check=True)["failed"]
    asked = port(state="queried", port=8124)
    assert (asked["port"]["name"], asked["port"]["free"], asked["changed"]) == ("wiki", False, False)
    assert port(state="queried", port=8125)["port"]["free"]


def test_full_range_is_refused(port: Runner, pve: Pve) -> None:
    for name in "abcde":
        assert port(name=name, port_range=SMALL)["changed"]
    assert len(ledger(pve)) == 5
    assert "all 5 slots from 8100 to 8104 are taken" in port(name="f", port_range=SMALL)["msg"]


def test_ledger_grows_by_pages(port: Runner, pve: Pve) -> None:
    full = " ".join(f"{slot}={'n' * 60}-{slot - 8100}.htk6z5" for slot in range(8100, 8153))
    pve.post("/cluster/mapping/dir", id="proximity-ports", map="node=x,path=/x", description=f"proximity ports 1: {full}")
    slot = port.four_times(name="w" * 50)["port"]["slot"]
    rows = {row["id"]: row for row in pve.get("/cluster/mapping/dir")}
    assert rows["proximity-ports-2"]["description"].startswith(f"proximity ports 1: {slot}={'w' * 50}.")
    port.four_times(name="n" * 60 + "-3", state="absent")
    rows = {row["id"]: row for row in pve.get("/cluster/mapping/dir")}
    assert rows["proximity-ports"]["map"] == ["node=x,path=/x"], "what the administrator maps stays"


def test_foreign_text_in_the_ledger_is_refused(port: Runner, app: Run, pve: Pve) -> None:
    pve.post("/cluster/mapping/dir", id="proximity-ports", map="node=x,path=/x", description="Do not touch")
    pve.post("/pools", poolid="proximity-ports")
    assert "is 'Do not touch', not" in port(name="feeds")["msg"]
    assert "The ledger cannot be read" in app()["msg"]


@pytest.mark.parametrize("kind", ["reset", "reset-after", "status", "timeout-after"])
@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_lost_and_lost_race(port: Runner, pve: Pve, lab: labs.Lab, kind: str, method: str) -> None:
    lab.fault(kind, method=method, path="/(cluster/mapping/dir|pools).*", status=500, reason=CONFLICT, seconds=3)
    made = port(name="feeds", api_timeout_s=1)
    assert made["changed"], made
    assert [step["verb"] for step in made["plan"]] == ["announce", "claim"]
    assert list(ledger(pve).values()) == ["feeds"]
    assert not port(name="feeds")["changed"]


def test_deployment_takes_what_is_reserved_for_its_name(port: Runner, app: Run, pve: Pve) -> None:
    port(name="hello", port=8555)
    assert app(check=True)["app"]["vmid"] == 8555
    assert app()["app"]["vmid"] == 8555
    assert not app()["changed"]
    assert port(name="hello")["port"]["by"] == "number"
    assert not port(name="hello")["changed"]


def test_deployment_passes_over_what_is_reserved_for_others(port: Runner, app: Run, pve: Pve) -> None:
    wished = app(check=True)["app"]["vmid"]
    port(name="feeds", port=wished)
    assert app()["app"]["vmid"] == wished + 1
    assert not app()["changed"]


def test_reservation_gives_way_to_a_number(port: Runner, pve: Pve) -> None:
    port(name="feeds", port=8123)
    pve.make_guest(8123, hostname="mine")
    moved = port.four_times(name="feeds")
    assert [step["verb"] for step in moved["plan"]] == ["release", "claim"]
    assert moved["port"]["slot"] != 8123
    assert ledger(pve) == {str(moved["port"]["slot"]): "feeds"}


def test_deployment_between_claim_and_second_look_wins(port: Runner, pve: Pve, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = executor.DEEDS["claim", "slot"]
    raced: list[int] = []

    def racing(task: Any, step: Any) -> list[str]:
        warnings = claim(task, step)
        if not raced:
            raced.append(step.id)
            pve.make_guest(step.id, hostname="faster")
        return warnings

    monkeypatch.setitem(executor.DEEDS, ("claim", "slot"), racing)
    made = port(name="feeds")
    assert made["port"]["slot"] != raced[0]
    assert ledger(pve) == {str(made["port"]["slot"]): "feeds"}


def test_sweep(port: Runner, pve: Pve) -> None:
    old = "0"
    text = f"proximity ports 1: 8101=gone@105.{old} 8102=unseen.{old} 8103=kept@104.zzzzz"
    pve.post("/cluster/mapping/dir", id="proximity-ports", map="node=x,path=/x", description=text)
    swept = port.four_times(state="swept")
    assert [step["id"] for step in swept["plan"]] == [8101]
    assert set(ledger(pve)) == {"8102", "8103"}
    assert [step["id"] for step in port.four_times(state="swept", unused_after_s=int(timedelta(days=30).total_seconds()))["plan"]] == [8102]


def test_deployment_takes_six_calls_and_a_seventh_where_names_are_reserved(port: Runner, app: Run, lab: labs.Lab) -> None:
    port(name="feeds")
    lab.journal_book.clear()
    made = app()["app"]
    app(report={"vmid": made["vmid"], "node": "pve1", "healthy": True})
    calls = [call for call in lab.journal() if "/tasks/" not in call.path and not call.path.endswith("/interfaces")]
    assert len(calls) == 7
    assert [call.path for call in calls].count("/cluster/mapping/dir") == 1
    lab.advance(15)
    lab.journal_book.clear()
    assert not app()["changed"]
    assert len(lab.journal()) == 3, "nothing to do takes no look at the ledger"
