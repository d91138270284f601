# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What modules tell about slots: who has which pair of ports, and how much room is left."""

from __future__ import annotations

from typing import Any

from .claims import Ledger, PortRange
from .desired import DesiredAdoption, DesiredApp, DesiredPort
from .model import Guest, Observed
from .planner.detection import detect
from .planner.facts import CLUSTER, ledger_fact, live_fact, observed_config
from .planner.ports import holders, slot_of_guest
from .planner.records import address_of, url_of
from .plans import AppPlan, Plan
from .wire.notes import record_data

Holders = dict[int, dict[str, Any]]


def describe_port(wish: DesiredPort, plan: Plan, observed: Observed) -> dict[str, Any]:
    slots, cluster = wish.port_range, observed.facts[CLUSTER]
    ledger: Ledger = observed.facts[ledger_fact(slots.ledger)]
    held = holders(slots, cluster, ledger)
    reserved = (claim.slot for claim in ledger.claims if (claim.name, claim.vmid) == (wish.name, 0) and claim.slot in held)
    own = slot_of_guest(wish.name, slots, cluster) or next(reserved, None) if wish.name else None
    asked = own if wish.slot is None or wish.state == "present" else wish.slot
    return {
        "port": _pair(asked, held, slots) | {"name": wish.name or held.get(asked or 0, {}).get("name")},
        "usage": {key: _span(first, held, slots) for key, first in (("public", slots.public_first), ("internal", slots.internal_first))},
        "pairs": [{**_pair(slot, held, slots), "name": holder["name"]} for slot, holder in held.items()],
    }


def _pair(slot: int | None, held: Holders, slots: PortRange) -> dict[str, Any]:
    """A slot with its ports; `by` says what holds it: number, adopted, reserved, or nothing."""
    if slot is None:
        return {"slot": None, "public": None, "internal": None, "by": None, "vmid": None, "free": None}
    holder = held.get(slot, {})
    return {"slot": slot, **slots.ports(slot), "by": holder.get("by"), "vmid": holder.get("vmid"), "free": not holder}


def _span(first: int, held: Holders, slots: PortRange) -> dict[str, int]:
    return {"first": first, "last": first + slots.size - 1, "used": len(held), "free": slots.size - len(held)}


def describe_adoption(wish: DesiredAdoption, plan: Plan, observed: Observed) -> dict[str, Any]:
    if wish.state == "discovered":
        return {"guests": _unmanaged(wish, observed)}
    return {"apps": [_adopted(each, observed) for each in plan.apps]}


def _unmanaged(wish: DesiredAdoption, observed: Observed) -> list[dict[str, Any]]:
    asked = {each.vmid for each in wish.guests}
    guests = observed.facts[CLUSTER].guests.values()
    free = (guest for guest in guests if guest.kind == "lxc" and not guest.template and "proximity" not in guest.tags)
    chosen = sorted((guest for guest in free if not asked or guest.vmid in asked), key=lambda guest: guest.vmid)
    return [_seen(guest, wish) for guest in chosen]


def _seen(guest: Guest, wish: DesiredAdoption) -> dict[str, Any]:
    """A container that is no app, with what a look into it told."""
    found = detect(wish.looks.get(guest.vmid), wish.entries)
    return {
        "vmid": guest.vmid,
        "node": guest.node,
        "name": guest.name,
        "status": guest.status,
        "catalog_id": found.entry.id if found.entry else None,
        "service": found.service or None,
        "project": found.project or None,
        "port": found.web.port if found.web else None,
    }


def _adopted(plan: AppPlan, observed: Observed) -> dict[str, Any]:
    """An app like the `app` of proximity_app, as far as an adopted one has its parts."""
    config = observed_config(observed, plan.node, plan.vmid)
    record = config.notes.record if config else None
    if not config or not record or record.vmid != plan.vmid:
        return {"vmid": plan.vmid, "node": plan.node or None, "status": "absent", "name": None, "record": None}
    live = observed.facts.get(live_fact(plan.node, plan.vmid))
    address = address_of(config, live)
    return {
        "name": record.name,
        "vmid": plan.vmid,
        "node": plan.node,
        "status": "running" if live and live.running else "stopped",
        "entry": record.entry,
        "service": (record.adopted or {}).get("service"),
        "web": (record.adopted or {}).get("web"),
        "ports": dict(record.ports),
        "address": address or None,
        "url": url_of(DesiredApp(record.name), address, record) or None,
        "record": record_data(record),
    }
