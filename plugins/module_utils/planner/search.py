# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which guest is the app? Names in the cluster's list lag, so that only a record in a guest's notes confirms it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..desired import DesiredApp
from ..errors import PlanError, Unseen
from ..model import Cluster, Guest, GuestConfig, Observed, Record
from . import facts
from .slots import held_slots, probe_run


@dataclass(frozen=True)
class Found:
    guest: Guest
    config: GuestConfig
    record: Record


@dataclass(frozen=True)
class Search:
    """`copies` carry the record of another guest, `strangers` the app's name and no record; nobody finishes what is `half_made`."""

    found: Found | None = None
    copies: tuple[Found, ...] = ()
    strangers: tuple[Guest, ...] = ()
    half_made: tuple[Guest, ...] = ()


def told_half_made(search: Search) -> tuple[str, ...]:
    return tuple(
        f"Guest {each.vmid} on node {each.node} was never finished, and no task makes it any more: it is left alone. "
        f"Remove it with `pct unlock {each.vmid}` and `pct destroy {each.vmid}` on its node."
        for each in search.half_made
    )


def find_app(app: DesiredApp, observed: Observed) -> Search:
    """Look at guests of that name first, and only without success at those whose listed name may be wrong."""
    cluster = facts.cluster(observed)
    named = cluster.containers.get(app.name, [])
    search = _confirm(app, named, cluster, observed)
    if search.found:
        return search
    doubtful = _confirm(app, _doubtful(app, observed), cluster, observed)
    return replace(search, found=doubtful.found, half_made=doubtful.half_made)


def _doubtful(app: DesiredApp, observed: Observed) -> list[Guest]:
    """Guests that may be the app although they are listed under another name, or none."""
    cluster, held = facts.cluster(observed), held_slots(app.name, app.port_range, observed)
    run = probe_run(app.name, app.port_range, {*cluster.guests, *held.slots}, held.own)
    on_run = {vmid: cluster.guests[vmid] for vmid in run if vmid in cluster.guests and cluster.guests[vmid].kind == "lxc"}

    def may_be(guest: Guest) -> bool:
        if guest.lock == "create":  # it has no tags yet
            return guest.vmid in on_run
        signs = (app.entry is None or app.entry in guest.tags, guest.vmid in cluster.nameless, guest.vmid in on_run)
        return "proximity" in guest.tags and sum(signs) >= 2

    return [guest for guest in {**cluster.nameless, **on_run}.values() if guest.name != app.name and may_be(guest)]


def _confirm(app: DesiredApp, guests: Sequence[Guest], cluster: Cluster, observed: Observed) -> Search:
    for guest in guests:
        if not cluster.is_online(guest.node) and "proximity" in guest.tags:
            raise Unseen(
                f"Cannot tell whether guest {guest.vmid} is app {app.name}: its node {guest.node} is offline. Run again when it is back.",
                guest.vmid,
            )
    configs = facts.configs(observed, (guest for guest in guests if cluster.is_online(guest.node)))
    found: list[Found] = []
    copies: list[Found] = []
    strangers: list[Guest] = []
    for guest in guests:
        if guest.vmid not in configs:
            continue
        config = configs[guest.vmid]
        record = config.notes.record
        if config.notes.damage and guest.name == app.name:
            raise PlanError(
                f"The record in the notes of guest {guest.vmid} on node {guest.node} is damaged: {config.notes.damage}. "
                "Mend or remove that line."
            )
        if record is None:
            strangers += [guest] if config.hostname == app.name else []
        elif record.name == app.name:
            (found if record.vmid == guest.vmid else copies).append(Found(guest, config, record))
    _refuse_wrong(app, found)
    half_made = tuple(guest for guest in guests if guest.vmid in configs and configs[guest.vmid].lock == "create")
    return Search(found[0] if found else None, tuple(copies), tuple(strangers), half_made)


def _refuse_wrong(app: DesiredApp, found: Sequence[Found]) -> None:
    for each in found:
        if app.entry not in (None, each.record.entry):
            raise PlanError(
                f"The name {app.name} is taken: guest {each.guest.vmid} is an app of entry {each.record.entry or 'unknown'}, "
                f"not {app.entry}. "
                "Choose another name."
            )
    if len(found) > 1:
        both = " and ".join(str(each.guest.vmid) for each in found)
        raise PlanError(f"Guests {both} both carry a record of app {app.name}. Remove the one that is not wanted.")
