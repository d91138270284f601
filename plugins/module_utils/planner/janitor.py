# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finds what interrupted work has left behind: apps whose work nobody goes on with, snapshots and clones of ours that lead nowhere.

Nothing is touched without proof that it is ours: the record of the guest itself, and for snapshots their name besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

from ..desired import DesiredApp
from ..fleets import DesiredTidiness
from ..model import Fact, FactsNeeded, Guest, GuestConfig, Lease, Observed, Record
from ..plans import AppPlan, Plan, Step
from . import facts
from .collection import collect
from .deletion import delete_found
from .findings import OURS, Finding, asking, containers_of_ours, label, row
from .interrupted import pending_of
from .records import changed_config, held_by_us, is_unfinished_clone, next_record, notes_of, restore_command, shortened, tags_of, users_tags
from .rollback import is_going_back
from .search import Found

UNDER_WAY = frozenset({"deploying", "cloning", "updating", "restoring", "removing"})
FIRST = frozenset({"deploying", "cloning", "removing"})
"""What is under way with an app that never ran."""
TRIAL = "px-trial-"
HALF_MADE = frozenset({"create", "disk"})
"""Locks that Proxmox leaves on a guest whose making broke off."""
SNAPSHOT = re.compile(r"px-(?:safety-[0-9a-f]+|clone-(\d+))")


def plan_tidiness(wish: DesiredTidiness, observed: Observed) -> Plan | FactsNeeded:
    return asking(partial(_plan, wish, observed))


def _plan(wish: DesiredTidiness, observed: Observed) -> Plan | FactsNeeded:
    cluster = facts.cluster(observed)
    ours = containers_of_ours(cluster)
    half = [each for each in cluster.guests.values() if _is_half_made(each) and each.vmid in wish.port_range.slots]
    reached = [guest for guest in ours if cluster.is_online(guest.node)]
    facts.known(observed, *(_config_fact(guest) for guest in reached))  # all at once, so that they are read side by side
    return collect((label(guest), partial(_plan_guest, guest, wish, observed)) for guest in [*ours, *half])


def _is_half_made(guest: Guest) -> bool:
    """A guest in the making has no tags yet."""
    return guest.kind == "lxc" and guest.lock in HALF_MADE and OURS not in guest.tags


def _config_fact(guest: Guest) -> Fact:
    """As it is now: whoever still makes a guest is not waited for."""
    return Fact("config", (guest.node, guest.vmid))


def _plan_guest(guest: Guest, wish: DesiredTidiness, observed: Observed) -> AppPlan:
    if not facts.cluster(observed).is_online(guest.node):
        return _left(row("unknown", guest, f"Node {guest.node} is offline: what is there cannot be told, and is left alone."), guest)
    if guest.lock in HALF_MADE:
        return _left(row("locked", guest, _half_made(guest)), guest)
    config: GuestConfig = facts.known(observed, _config_fact(guest))[0]
    record = config.notes.record
    if record is None or record.vmid != guest.vmid:
        return AppPlan(label(guest))  # a copy, or damaged: nothing here proves what it is
    found = Found(guest, config, record)
    stuck = _stuck(found, wish, observed)
    if stuck and any(step.verb == "delete" and step.kind == "guest" for step in stuck.steps):
        return stuck
    strays = list(_strays(found, wish, observed))
    rows = (*(stuck.rows if stuck else ()), *strays)
    remove = [Step("delete", "snapshot", guest.vmid, {"name": each["snapshot"]}, None) for each in strays if each["deed"] == "remove"]
    plan = stuck or Finding(label(guest), guest.vmid, guest.node, config.digest)
    return replace(plan, steps=(*plan.steps, *remove), rows=rows)


def _left(found: dict[str, Any], guest: Guest) -> Finding:
    return Finding(label(guest), guest.vmid, guest.node, rows=(found,))


def _half_made(guest: Guest) -> str:
    return (
        f"Its making is under way, or broke off: it is locked ({guest.lock}), and Proxmox lets nobody unlock it over the API. "
        f"If no task works on it, run `pct unlock {guest.vmid}` on node {guest.node}, and remove it."
    )


def _stuck(found: Found, wish: DesiredTidiness, observed: Observed) -> Finding | None:
    guest, config, record = found.guest, found.config, found.record
    begun = record.status == "removing" and not record.revision and held_by_us(record, observed)  # by this very plan
    if not begun and (record.status not in UNDER_WAY or observed.now - record.changed < wish.older_than):
        return None
    step = f", at step '{record.step}'" if record.step else ""
    told = row("stuck", guest, f"It is {record.status}{step}, and nobody is at work.", status=record.status, since=record.changed)
    plan = Finding(label(guest), guest.vmid, guest.node, config.digest, rows=(told,))
    if not begun and (holder := _holder(record, observed)):
        why = f"It is {record.status}: {holder.holder} works on it, until {holder.until:%Y-%m-%d %H:%M} UTC at most."
        return replace(plan, rows=({**told, "kind": "working", "why": why},))
    if record.status == "restoring" and record.restored and not is_going_back(record) and not _goes(record, wish):
        return replace(plan, rows=({**told, "why": f"{told['why']} {_finish_restore(record)}"},))
    if config.lock:
        return replace(plan, rows=({**told, "why": f"{told['why']} It is locked ({config.lock}) by work in Proxmox, and left."},))
    if _goes(record, wish):
        if config.protection:
            return replace(plan, rows=({**told, "why": f"{told['why']} It is protected, and left."},))
        removal = delete_found(_app(record, wish), found, observed)
        return replace(plan, steps=removal.steps, rows=({**told, "deed": "cleanup"},))
    after = next_record(record, observed, status="error", error=_story(record), lease=None)
    wished = {"tags": tags_of(after, users_tags(config.tags, record)), "notes": notes_of(_app(record, wish), after, config.notes)}
    return replace(plan, steps=tuple(changed_config(config, wished)), rows=({**told, "deed": "error"},))


def _finish_restore(record: Record) -> str:
    """It knows how far it has come, which an error in its place would hide from the run that goes on with it."""
    if _is_trial(record):
        return "It is the container of a trial that broke off: the next trial of that app removes it."
    volume = pending_of(record).volume
    return f"Its restore from {volume} is finished by {restore_command(record.name, volume)}."


def _holder(record: Record, observed: Observed) -> Lease | None:
    """Whose work goes on: a lease that has not ended, of a run that is not known to be gone."""
    lease = record.lease
    return lease if lease and lease.until > observed.now and lease.run not in observed.dead_runs else None


def _goes(record: Record, wish: DesiredTidiness) -> bool:
    """Whether it never ran, and is to be removed: a clone that was not finished, or a first deployment."""
    if record.revision or record.adopted or not (record.status in FIRST or _is_trial(record)):
        return False
    return wish.clones == "remove" if record.source else wish.first_deployments == "cleanup"


def _is_trial(record: Record) -> bool:
    """Whether role `backup` has made it, to throw it away."""
    return record.name.startswith(TRIAL) and record.source is not None


def _app(record: Record, wish: DesiredTidiness) -> DesiredApp:
    return DesiredApp(record.name, port_range=wish.port_range, timeouts=wish.timeouts)


def _story(record: Record) -> str:
    """What was known before stays."""
    last = f"It was {record.status} since {record.changed:%Y-%m-%d %H:%M} UTC, and nobody was at work any more."
    return shortened(f"{record.error} {last}".strip()) if len(record.error) < 150 else f"{shortened(record.error)} {last}"


def _strays(found: Found, wish: DesiredTidiness, observed: Observed) -> Iterator[dict[str, Any]]:
    """Snapshots of ours that nobody needs: safety points that the record does not know, and those of clones that are made or gone."""
    guest, config, record = found.guest, found.config, found.record
    if not config.parent:
        return
    marks: tuple[tuple[str, datetime], ...] = facts.known(observed, Fact("marks", (guest.node, guest.vmid)))[0]
    known = {point.name for point in record.safety}
    for name, made in marks:
        match = SNAPSHOT.fullmatch(name)
        if not match or name in known or observed.now - made < wish.older_than or (match[1] and _is_being_cloned(int(match[1]), observed)):
            continue
        what = f"of a clone (guest {match[1]}) that is made or gone" if match[1] else "that the app's record does not know"
        told = row("snapshot", guest, f"Snapshot {name} is one {what}.", status=record.status, since=made, snapshot=name)
        held = config.lock or _holder(record, observed)
        yield told if wish.snapshots != "remove" or held else {**told, "deed": "remove"}


def _is_being_cloned(vmid: int, observed: Observed) -> bool:
    """Whether a clone of that number is not finished, as far as can be told."""
    cluster = facts.cluster(observed)
    guest = cluster.guests.get(vmid)
    if guest is None or guest.kind != "lxc":
        return False
    if guest.lock or not cluster.is_online(guest.node):
        return True
    config: GuestConfig = facts.known(observed, _config_fact(guest))[0]
    record = config.notes.record
    return bool(record and is_unfinished_clone(record) and _holder(record, observed))
