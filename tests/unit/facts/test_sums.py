"""Who holds which pair of ports, and whether new apps find their bridge."""

from __future__ import annotations

from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.claims import Claim, PortRange
from ansible_collections.proximity.platform.plugins.module_utils.facts.sums import count_ports, judge_bridge, slot_of_tags

SLOTS = PortRange(8100, 10, 8100, 9100)


def _guest(vmid: int, *tags: str) -> dict[str, Any]:
    return {"vmid": vmid, "name": f"guest-{vmid}", "tags": list(tags)}


def test_a_number_comes_before_what_is_announced_and_that_before_a_claim() -> None:
    guests = [_guest(8100), _guest(105, "proximity", "slot-8101"), _guest(106, "proximity", "slot-8100")]
    claims = [Claim(8101, "guest-105", 105), Claim(8102, "feeds"), Claim(8103, "old", 107), Claim(20000, "elsewhere")]
    ports = count_ports(guests, claims, SLOTS)
    assert [(pair["public"], pair["by"], pair["vmid"]) for pair in ports["pairs"]] == [
        (8100, "number", 8100),
        (8101, "adopted", 105),
        (8102, "reserved", None),
        (8103, "adopted", 107),
    ]
    assert ports["internal"] == {"first": 9100, "last": 9109, "used": 4, "free": 6}


def test_a_slot_is_announced_by_apps_only() -> None:
    assert slot_of_tags(["proximity", "slot-8101"]) == 8101
    assert slot_of_tags(["slot-8101"]) == 0
    assert slot_of_tags(["proximity", "slot-machine"]) == 0


def test_a_bridge_that_some_node_has_is_enough() -> None:
    assert judge_bridge(None, {"pve1": ["vmbr0"], "pve2": ["vmbr1"]})["ok"]
    assert judge_bridge("vmbr1", {"pve1": ["vmbr0"], "pve2": ["vmbr1"]})["problems"] == [
        "Node pve1 has no bridge 'vmbr1' (it has vmbr0): no new app is put there."
    ]
    assert not judge_bridge(None, {"pve1": []})["ok"]
    assert not judge_bridge(None, {})["ok"], "no node is online"
