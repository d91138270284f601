"""Parameters of proximity_port and proximity_adopt."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.claim_spec import desired_adoption, desired_port
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError


@pytest.mark.parametrize("port", [8123, 9123])
def test_either_port_names_the_slot(port: int) -> None:
    assert desired_port({"state": "present", "name": "feeds", "port": port}).slot == 8123


def test_slot_of_a_range_of_ones_own() -> None:
    slots = {"public": "3000-3009", "internal": "4000-4009", "first_vmid": 500, "ledger": "mine"}
    wish = desired_port({"state": "queried", "port": 4001, "port_range": slots})
    assert (wish.slot, wish.port_range.ledger) == (501, "mine")


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"state": "present"}, "State present needs name"),
        ({"state": "absent"}, "State absent needs name"),
        ({"state": "swept", "name": "feeds"}, "State swept is about all claims"),
        ({"state": "present", "name": "Feeds"}, "The app's name 'Feeds' cannot be used"),
        (
            {"state": "present", "name": "feeds", "port": 80},
            "Port 80 is neither public nor internal: give one from 8100 to 8999 or 9100 to 9999.",
        ),
        ({"state": "queried", "port_range": {"ledger": "Not So"}}, "port_range.ledger is 'Not So'"),
    ],
)
def test_reservation_that_makes_no_sense(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence.replace("(", r"\(")):
        desired_port(params)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"state": "present", "guests": []}, "State present needs guests"),
        ({"state": "absent"}, "State absent needs guests"),
        ({"state": "present", "guests": [{"vmid": 105}, {"vmid": 105}]}, "Guest 105 is given twice."),
        ({"state": "present", "guests": [{"vmid": 105, "port": 70000}]}, "port of guest 105 is 70000"),
        ({"state": "present", "guests": [{"vmid": 105, "updated": "today"}]}, "updated of guest 105 is 'today': give a moment"),
        ({"state": "discovered", "looks": {"shop": ""}}, "looks has the key 'shop'"),
    ],
)
def test_adoption_that_makes_no_sense(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence):
        desired_adoption(params)


def test_looks_belong_to_guests() -> None:
    wish = desired_adoption({"state": "present", "guests": [{"vmid": 105, "catalog_id": ""}], "looks": {"105": ""}})
    assert (set(wish.looks), wish.guests[0].entry) == ({105}, None)
