# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans adoption: a guest that somebody else made becomes an app by its tags and notes alone, and is what it was when it is forgotten."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

from ..claims import Claim, PortRange
from ..desired import Adoptee, DesiredAdoption, DesiredApp, Web
from ..errors import PlanError
from ..model import BUSY, Cluster, Fact, FactsNeeded, Guest, GuestConfig, Live, Notes, Observed, Record, name_of_host
from ..plans import AppPlan, Plan, Step
from . import facts
from .collection import collect
from .detection import Detected, detect
from .ports import claim_step, release_step
from .records import OUR_TAG, address_of, changed_config, next_record, notes_of, refuse_leased, tags_of, taken_lease
from .search import Found
from .slots import first_free

NOTES_LIMIT = 8192
UPDATING = "updating"
Planner = Callable[[Adoptee, DesiredAdoption, Observed], AppPlan]
RECORD_SIZE = 1600
"""What summary and record take beside the notes that they keep, with an error of the usual length."""


@dataclass
class Others:
    """What guests adopted in the same plan have taken."""

    names: dict[str, int] = field(default_factory=dict)
    slots: set[int] = field(default_factory=set)


def plan_adoptions(wish: DesiredAdoption, observed: Observed) -> Plan | FactsNeeded:
    """Plan all guests; what one of them will claim is not free for the next."""
    others = Others()
    adopt: Planner = partial(_plan_adoption, others=others)
    planners = {"present": adopt, "absent": _plan_forgetting, "discovered": _plan_look}
    planner = planners[wish.state]
    return collect((str(each.vmid), partial(planner, each, wish, observed)) for each in wish.guests or (Adoptee(0),))


def _plan_look(adoptee: Adoptee, wish: DesiredAdoption, observed: Observed) -> AppPlan:
    facts.cluster(observed)
    return AppPlan(str(adoptee.vmid))


def _plan_adoption(adoptee: Adoptee, wish: DesiredAdoption, observed: Observed, others: Others) -> AppPlan:
    guest = _guest(adoptee.vmid, facts.cluster(observed))
    config = facts.configs(observed, [guest])[guest.vmid]
    live, ledger = facts.known(observed, facts.live_fact(guest.node, guest.vmid), facts.ledger_fact(wish.port_range.ledger))
    record = _own_record(guest, config)
    noted = adoptee.updated or adoptee.updating is not None
    if noted and not (record and record.adopted):
        raise PlanError(f"Guest {guest.vmid} is not adopted, so that an update of it cannot be noted. Adopt it first.")
    if record and not record.adopted:
        told = f"Guest {guest.vmid} is app {record.name} already, which Proximity has made: there is nothing to adopt."
        return AppPlan(str(guest.vmid), guest.vmid, guest.node, warnings=(told,))
    name = _name(guest, config, observed, others)
    slot = _slot(name, guest, record, wish.port_range, observed, others)
    app = DesiredApp(name, take_over_lease=wish.take_over_lease, timeouts=wish.timeouts)
    after = _record(record or _new_record(name, config, live, observed), record, name, slot, adoptee, wish, observed)
    after = _held(app, after, adoptee, live, observed)
    wished: dict[str, Any] = {"tags": tags_of(after, _users_tags(config, after))}
    if after is not record:
        wished["notes"] = notes_of(app, after, config.notes, address_of(config, live))
    steps = (*_claim_steps(name, slot, guest.vmid, wish.port_range, ledger.claims), *changed_config(config, wished))
    if steps and record:
        refuse_leased(app, record, observed)
    if steps and config.lock:
        raise _locked("adopt", guest, config)
    return AppPlan(str(guest.vmid), guest.vmid, guest.node, config.digest, steps)


def _held(app: DesiredApp, record: Record, adoptee: Adoptee, live: Live, observed: Observed) -> Record:
    """An app whose images are being renewed says so, and whose work that is; so others leave it alone."""
    if adoptee.updating:
        if record.status in BUSY - {UPDATING}:
            raise PlanError(f"App {app.name} (guest {record.vmid}) is not updated: it is {record.status}. Finish that first.")
        return next_record(record, observed, status=UPDATING, lease=taken_lease(app, record, observed))
    if adoptee.updating is False and record.status == UPDATING:
        return next_record(record, observed, status="running" if live.running else "stopped", lease=None)
    return record


def _plan_forgetting(adoptee: Adoptee, wish: DesiredAdoption, observed: Observed) -> AppPlan:
    vmid = adoptee.vmid
    claims = release_claims(vmid, wish.port_range, observed)
    if vmid not in facts.cluster(observed).guests:
        if facts.known(observed, Fact("taken", (vmid,)))[0]:
            raise PlanError(f"Cannot forget guest {vmid}: it exists, and this token does not see it. Give the token VM.Audit on it.")
        return AppPlan(str(vmid), vmid, steps=claims)
    guest = _guest(vmid, facts.cluster(observed))
    config = facts.configs(observed, [guest])[vmid]
    record = _own_record(guest, config)
    if record is None:
        return AppPlan(str(vmid), vmid, guest.node, config.digest, claims)
    if not record.adopted:
        raise PlanError(f"Guest {vmid} is app {record.name}, which Proximity has made: remove it with proximity_app, or leave it.")
    refuse_leased(DesiredApp(record.name, take_over_lease=wish.take_over_lease), record, observed)
    return forget(str(vmid), Found(guest, config, record), wish.port_range, observed)


def forget(name: str, found: Found, slots: PortRange, observed: Observed) -> AppPlan:
    """The guest as it was before it was adopted; what its user has written since then stays."""
    guest, config, record = found.guest, found.config, found.record
    before = record.adopted or {}
    if config.lock:
        raise _locked("forget", guest, config)
    text = config.notes.head + config.notes.tail
    untouched = text in (before["description"], f"{before['description']}\n")
    marks = {tag for tag in before["tags"] if OUR_TAG.fullmatch(tag)}
    wished = {
        "tags": tuple(sorted({*_users_tags(config, record), *marks})),
        "notes": Notes(head=before["description"] if untouched else text),
    }
    steps = (*release_claims(guest.vmid, slots, observed), *changed_config(config, wished))
    edited = f"The notes of guest {guest.vmid} were edited since it was adopted: they stay as they are now."
    return AppPlan(name, guest.vmid, guest.node, config.digest, steps, warnings=() if untouched else (edited,))


def release_claims(vmid: int, slots: PortRange, observed: Observed) -> tuple[Step, ...]:
    claims = facts.ledger(observed, slots.ledger).claims
    return tuple(release_step(claim, slots) for claim in claims if claim.vmid == vmid)


def _guest(vmid: int, cluster: Cluster) -> Guest:
    guest = cluster.guests.get(vmid)
    if guest is None:
        raise PlanError(f"There is no guest {vmid}, or this token does not see it.")
    if guest.kind != "lxc" or guest.template:
        what = "a template" if guest.template else "a virtual machine"
        raise PlanError(f"Guest {vmid} on node {guest.node} is {what}: only containers can be apps.")
    if not cluster.is_online(guest.node):
        raise PlanError(f"Guest {vmid} is on node {guest.node}, which is offline. Run again when it is back.")
    return guest


def _own_record(guest: Guest, config: GuestConfig) -> Record | None:
    """The guest's record; one that was copied with the container says nothing about it."""
    if config.notes.damage:
        raise PlanError(
            f"The record in the notes of guest {guest.vmid} on node {guest.node} is damaged: {config.notes.damage}. "
            "Mend or remove that line."
        )
    record = config.notes.record
    return record if record and record.vmid == guest.vmid else None


def _name(guest: Guest, config: GuestConfig, observed: Observed, others: Others) -> str:
    name = name_of_host(config.hostname)
    if not name:
        raise PlanError(f"Guest {guest.vmid} has no hostname that an app can have: give it one of letters, digits and hyphens.")
    apps = (each for each in facts.cluster(observed).containers.get(name, ()) if "proximity" in each.tags and each.vmid != guest.vmid)
    owner = next((each.vmid for each in apps), others.names.setdefault(name, guest.vmid))
    if owner != guest.vmid:
        raise PlanError(f"Cannot adopt guest {guest.vmid}: the name {name} is that of guest {owner}. Change the hostname of one of them.")
    return name


def _slot(name: str, guest: Guest, record: Record | None, slots: PortRange, observed: Observed, others: Others) -> int:
    """The guest's number where that is a slot; else what it has, what is reserved for its name, or what is free."""
    if guest.vmid in slots.slots:
        return guest.vmid
    cluster, claims = facts.cluster(observed), facts.ledger(observed, slots.ledger).claims
    own = [claim for claim in claims if claim.vmid == guest.vmid or (claim.name, claim.vmid) == (name, 0)]
    has = [int(record.adopted["slot"])] if record and record.adopted else []
    elder = {each.slot for each in cluster.guests.values() if each.slot and each.vmid != guest.vmid and (not has or each.vmid < guest.vmid)}
    taken = {*cluster.guests, *elder, *others.slots, *(claim.slot for claim in claims if claim not in own)}
    kept = [slot for slot in (*has, *(claim.slot for claim in own)) if slot in slots.slots and slot not in taken]
    slot = kept[0] if kept else first_free(name, slots, {*taken, *cluster.announced}, deed="adopt")
    others.slots.add(slot)
    return slot


def _users_tags(config: GuestConfig, record: Record) -> tuple[str, ...]:
    """What was there before stays the user's, even where it is the word for an entry."""
    entries = {record.entry, config.notes.record.entry if config.notes.record else ""}
    before = (record.adopted or {})["tags"]
    return tuple(tag for tag in config.tags if not OUR_TAG.fullmatch(tag) and (tag in before or tag not in entries))


def _claim_steps(name: str, slot: int, vmid: int, slots: PortRange, claims: Sequence[Claim]) -> Iterable[Step]:
    """What has its slot by its number needs no claim."""
    wanted = Claim(slot, name, vmid)
    own = [claim for claim in claims if claim.vmid == vmid]
    kept = [claim for claim in own if claim.slot == slot != vmid]
    reserved = [claim for claim in claims if (claim.slot, claim.name, claim.vmid) == (slot, name, 0)]
    yield from (release_step(claim, slots) for claim in (*own, *reserved) if claim not in kept)
    if slot != vmid and not kept:
        yield claim_step(wanted, slots)


def _new_record(name: str, config: GuestConfig, live: Live, observed: Observed) -> Record:
    identity = uuid.uuid5(uuid.NAMESPACE_OID, f"{observed.controller.seed} {config.vmid}")
    description = config.notes.head + config.notes.tail
    _refuse_long(config.vmid, description)
    original = {"at": observed.now.isoformat(), "tags": list(config.tags), "description": description}
    status = "running" if live.running else "stopped"
    return Record(str(identity), config.vmid, name, "", status, observed.now, adopted=original)


def _record(
    base: Record, record: Record | None, name: str, slot: int, adoptee: Adoptee, wish: DesiredAdoption, observed: Observed
) -> Record:
    """The record with what is known now. What was known before is only overruled by the user's word."""
    named = next((entry for entry in wish.entries if entry.id == adoptee.entry), None)
    if adoptee.entry and named is None:
        raise PlanError(f"There is no entry '{adoptee.entry}' in the catalog, as guest {adoptee.vmid} is said to be.")
    before = dict(base.adopted or {})
    entry = adoptee.entry or base.entry
    detected = detect(wish.looks.get(adoptee.vmid), wish.entries, named)
    found, found_entry = _told(detected), detected.entry.id if detected.entry else ""
    if record is None or (adoptee.entry and (adoptee.vmid in wish.looks or adoptee.entry != record.entry)):
        known = {**before, **found, "slot": slot}
    else:
        known = {**before, **{key: before.get(key) or value for key, value in found.items()}, "slot": slot}
    if adoptee.port:
        known["web"] = {**(known["web"] or asdict(Web("http", 0))), "port": adoptee.port}
    if adoptee.updated:
        known["updated"] = adoptee.updated.isoformat()
    changes = {"entry": entry or found_entry, "ports": wish.port_range.ports(slot), "adopted": known}
    return next_record(base, observed, name=name, **changes)


def _told(found: Detected) -> dict[str, Any]:
    return {
        "by": found.by,
        "service": found.service,
        "project": found.project,
        "web": asdict(found.web) if found.web else None,
    }


def _locked(deed: str, guest: Guest, config: GuestConfig) -> PlanError:
    where = f"guest {guest.vmid} on node {guest.node}"
    return PlanError(f"Cannot {deed} {where}: it is locked ({config.lock}). Run again when that work has ended.")


def _refuse_long(vmid: int, description: str) -> None:
    """The record holds the notes once more, spelled for JSON within a comment."""
    size = len(description) + len(json.dumps(description)) + 5 * sum(description.count(sign) for sign in "<>") + RECORD_SIZE
    if size > NOTES_LIMIT:
        raise PlanError(
            f"The notes of guest {vmid} have {len(description)} characters, too many to be kept in its record. Shorten them, then adopt it."
        )
