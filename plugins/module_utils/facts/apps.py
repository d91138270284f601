# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Guests as apps, as unmanaged containers, and as copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..claims import PortRange
from ..model import GuestConfig, Live, Record
from ..wire.notes import record_data
from .question import Question
from .sums import slot_of_tags

Row = dict[str, Any]
MANAGED = "proximity"
URL = re.compile(r"https?://[^\s<>]+")
SETTLED = frozenset({"running", "stopped"})
"""Statuses of a record that say less than what its guest does right now."""


def describe_guest(guest: Row, slots: PortRange) -> Row:
    """An app as far as one call knows it: what its tags say, and its slot's ports."""
    slot = next((each for each in (slot_of_tags(guest["tags"]), guest["vmid"]) if each in slots.slots), None)
    entry, revision = _read_tags(guest["tags"])
    return {
        **guest,
        "entry": entry,
        "revision": revision,
        "ports": slots.ports(slot) if slot else None,
        "power": guest["status"],
        "owner": None,
        "address": None,
        "addresses": None,
        "url": None,
        "record": None,
        "problem": "",
    }


def _read_tags(tags: Iterable[str]) -> tuple[str | None, str | None]:
    """The entry is known where it is the only tag beside ours; else only the record tells it from tags of the user."""
    entry, revision, others = None, None, 0
    for tag in tags:
        if tag.startswith("rev-"):
            revision = tag[4:]
        elif tag != MANAGED and not tag.startswith("slot-"):
            entry = tag
            others += 1
    return (entry if others == 1 else None), revision


def add_record(app: Row, config: GuestConfig) -> None:
    """Complete an app by what its notes say. A record of another guest is left out: that one is a copy."""
    notes = config.notes
    if notes.damage:
        app["problem"] = f"Its record is damaged: {notes.damage}."
    record = notes.record
    if record is None or record.vmid != app["vmid"]:
        return
    links = (URL.search(line) for line in notes.summary)
    app |= {
        "name": record.name,
        "entry": record.entry,
        "revision": record.revision or app["revision"],
        "status": app["power"] if record.status in SETTLED else record.status,
        "owner": record.owner,
        "ports": dict(record.ports) or app["ports"],
        "url": next((link[0] for link in links if link), None),
        "record": record_data(record),
        "problem": f"Step {record.step or '?'}: {record.error}" if record.error else app["problem"],
    }


def add_live(app: Row, live: Live) -> None:
    addresses = [address for name, given in live.addresses.items() if name != "lo" for address in given]
    app |= {"addresses": addresses, "address": next((each for each in addresses if ":" not in each), next(iter(addresses), None))}


def copies_of(guests: Iterable[Row], configs: Mapping[int, GuestConfig]) -> list[Row]:
    """Guests whose record is another guest's: clones and restores carry it along."""
    found = []
    for guest in guests:
        record: Record | None = configs[guest["vmid"]].notes.record if guest["vmid"] in configs else None
        if record and record.vmid != guest["vmid"]:
            found.append({"vmid": guest["vmid"], "node": guest["node"], "name": guest["name"], "of": record.vmid, "app": record.name})
    return found


def first_choice(question: Question) -> Callable[[Row], bool]:
    """What can be judged before records are read, so that only those of the chosen guests are."""
    nodes, entries = question.chosen.get("node"), question.chosen.get("catalog_id")
    names = question.chosen.get("name")

    def keeps(guest: Row) -> bool:
        named = not names or guest["name"] in names or not guest["name"] or guest["status"] == "unknown"
        return bool(named and (not nodes or guest["node"] in nodes) and (not entries or not entries.isdisjoint(guest["tags"])))

    return keeps


def choice(question: Question) -> Callable[[Row], bool]:
    """What the question asks for, of guests that are known as far as they will be."""
    chosen, text = question.chosen, question.text

    def keeps(app: Row) -> bool:
        given = {"name": app["name"], "status": app["status"], "node": app["node"], "owner": app.get("owner")}
        if any(given[key] not in values for key, values in chosen.items() if key in given):
            return False
        if entries := chosen.get("catalog_id"):
            known = {app["entry"]} if app.get("entry") else set(app["tags"])
            if entries.isdisjoint(known):
                return False
        return not text or text in _searched(app)

    return keeps


def _searched(app: Row) -> str:
    words = (app["name"], app.get("entry"), app.get("owner"), app.get("url"), app.get("address"), app.get("problem"), *app["tags"])
    return " ".join(str(word).lower() for word in (*words, app["vmid"], app["node"]) if word)
