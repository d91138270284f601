# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans reservations of slots: pairs of ports for names that have no guest yet, and the sweeping away of claims without an owner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ..claims import Claim, Ledger, PortRange
from ..desired import DesiredPort
from ..errors import PlanError
from ..model import Cluster, Fact, FactsNeeded, Guest, Observed
from ..plans import AppPlan, Plan, Step
from . import facts
from .collection import collect
from .slots import first_free


def plan_port(wish: DesiredPort, observed: Observed) -> Plan | FactsNeeded:
    return collect([(wish.name, partial(PLANNERS[wish.state], wish, observed))])


def _plan_reservation(wish: DesiredPort, observed: Observed) -> AppPlan:
    cluster, ledger = _seen(wish, observed)
    held = slot_of_guest(wish.name, wish.port_range, cluster)
    if held:
        if wish.slot not in (None, held):
            raise PlanError(f"App {wish.name} has slot {held} already, by its container; it cannot have {wish.slot}.")
        return AppPlan(wish.name)
    own = [claim for claim in ledger.claims if claim.name == wish.name and not claim.vmid]
    kept = [claim.slot for claim in own if claim.slot in wish.port_range.slots and wish.slot in (None, claim.slot)]
    taken = {*cluster.guests, *cluster.announced, *(claim.slot for claim in ledger.claims if claim not in own)}
    slot = next((each for each in kept if not _is_lost(each, wish, cluster, observed)), None) or _free_slot(wish, taken, ledger, cluster)
    claims = [] if slot in [claim.slot for claim in own] else [claim_step(Claim(slot, wish.name), wish.port_range)]
    steps = [*(release_step(claim, wish.port_range) for claim in own if claim.slot != slot), *claims]
    return AppPlan(wish.name, slot, steps=(*_announcement(wish.port_range, slot, cluster), *steps))


def _plan_release(wish: DesiredPort, observed: Observed) -> AppPlan:
    _cluster, ledger = _seen(wish, observed)
    own = [claim for claim in ledger.claims if claim.name == wish.name and not claim.vmid]
    return AppPlan(wish.name, steps=tuple(release_step(claim, wish.port_range) for claim in own))


def _plan_sweep(wish: DesiredPort, observed: Observed) -> AppPlan:
    return AppPlan(wish.name, steps=tuple(release_step(claim, wish.port_range) for claim in find_ownerless(wish, observed)))


def _plan_look(wish: DesiredPort, observed: Observed) -> AppPlan:
    _seen(wish, observed)
    return AppPlan(wish.name)


PLANNERS = {"present": _plan_reservation, "absent": _plan_release, "swept": _plan_sweep, "queried": _plan_look}


def find_ownerless(wish: DesiredPort, observed: Observed) -> list[Claim]:
    """Claims of guests that are gone or no longer adopted, and names that nobody has deployed for as long as the wish says."""
    cluster, ledger = _seen(wish, observed)
    candidates = [claim for claim in ledger.claims if _looks_ownerless(claim, wish, cluster, observed)]
    unseen = [Fact("taken", (claim.vmid,)) for claim in candidates if claim.vmid and claim.vmid not in cluster.guests]
    taken = dict(zip(unseen, facts.known(observed, *unseen), strict=True))
    return [claim for claim in candidates if not taken.get(Fact("taken", (claim.vmid,)))]


def _looks_ownerless(claim: Claim, wish: DesiredPort, cluster: Cluster, observed: Observed) -> bool:
    age = observed.now - claim.made if claim.made else wish.min_age
    if claim.vmid:
        guest = cluster.guests.get(claim.vmid)
        return age >= wish.min_age and (guest is None or guest.slot != claim.slot)
    return wish.unused_after is not None and age >= wish.unused_after and claim.name not in cluster.containers


def slot_of_guest(name: str, slots: PortRange, cluster: Cluster) -> int | None:
    """The slot that an app of this name has by its container: by its number, or announced after adoption."""
    ours = (guest for guest in cluster.containers.get(name, []) if "proximity" in guest.tags)
    return next((slot for guest in ours for slot in (guest.slot, guest.vmid) if slot in slots.slots), None)


def holders(slots: PortRange, cluster: Cluster, ledger: Ledger) -> dict[int, dict[str, Any]]:
    """Who holds which slot: `by` its number, `adopted`, or `reserved`. Where several do, the one with the number has it."""
    numbered = {vmid: _holder("number", guest) for vmid, guest in cluster.guests.items() if vmid in slots.slots}
    adopted = {slot: _holder("adopted", guest) for slot, guest in cluster.announced.items() if slot in slots.slots}
    claims = {claim.slot: _claimant(claim) for claim in ledger.claims if claim.slot in slots.slots}
    return dict(sorted({**claims, **adopted, **numbered}.items()))


def claim_step(claim: Claim, slots: PortRange) -> Step:
    return Step("claim", "slot", claim.slot, None, _said(claim, slots))


def release_step(claim: Claim, slots: PortRange) -> Step:
    return Step("release", "slot", claim.slot, _said(claim, slots), None)


def _said(claim: Claim, slots: PortRange) -> Mapping[str, Any]:
    return {"name": claim.name, **({"vmid": claim.vmid} if claim.vmid else {}), **slots.ports(claim.slot)}


def _holder(by: str, guest: Guest) -> dict[str, Any]:
    return {"by": by, "name": guest.name, "vmid": guest.vmid}


def _claimant(claim: Claim) -> dict[str, Any]:
    return {"by": "adopted" if claim.vmid else "reserved", "name": claim.name, "vmid": claim.vmid or None}


def _seen(wish: DesiredPort, observed: Observed) -> tuple[Cluster, Ledger]:
    cluster, ledger = facts.known(observed, facts.CLUSTER, facts.ledger_fact(wish.port_range.ledger))
    return cluster, ledger


def _is_lost(slot: int, wish: DesiredPort, cluster: Cluster, observed: Observed) -> bool:
    """Whether a guest that is not the app has the number: who claimed without one gives way."""
    guest = cluster.guests.get(slot)
    if guest is None:
        return slot in cluster.announced
    if guest.kind != "lxc" or not cluster.is_online(guest.node):
        return guest.kind != "lxc"
    config = facts.configs(observed, [guest])[slot]
    record = config.notes.record
    return (record.name if record else config.hostname) != wish.name


def _free_slot(wish: DesiredPort, taken: Iterable[int], ledger: Ledger, cluster: Cluster) -> int:
    if wish.slot is None:
        return first_free(wish.name, wish.port_range, frozenset(taken), deed="keep ports for")
    if wish.slot in taken:
        holder = holders(wish.port_range, cluster, ledger)[wish.slot]
        who = (
            f"{holder['name']} (guest {holder['vmid']})"
            if holder["name"] and holder["vmid"]
            else holder["name"] or f"guest {holder['vmid']}"
        )
        raise PlanError(f"Slot {wish.slot} is not free for {wish.name}: {who} holds it. Choose another port, or none.")
    return wish.slot


def _announcement(slots: PortRange, slot: int, cluster: Cluster) -> Iterator[Step]:
    if slots.ledger not in cluster.pools:
        yield Step("announce", "slot", slot, None, {"pool": slots.ledger})
