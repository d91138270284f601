# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects on backups, and of a backup that is brought back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime

from ...archives import Archive, Label
from ...model import Fact, Guest, GuestConfig, Live
from ...plans import Step
from ..facts import CLUSTER, live_fact
from .guests import Effect, Facts

JUST_NOW = datetime.max.replace(tzinfo=UTC)
"""When a backup was made that is yet to be made: after all others."""


def _created(node: str, step: Step, known: Facts) -> Facts:
    """It has no name yet. It is where its node sees it; what all nodes share may have been read through another one."""
    after = step.after or {}
    storage, said = after["storage"], after["label"]
    shelves = sorted((fact for fact in known if fact.kind == "archives" and fact.key[1] == storage), key=lambda fact: fact.key[0] != node)
    label = Label(**{**said, "excluded": tuple(said.get("excluded", ()))})
    archive = Archive("", storage, node, step.id, JUST_NOW, JUST_NOW, protected=after["protected"], label=label)
    return {fact: (archive, *known[fact]) for fact in shelves[:1]}


def _updated(node: str, step: Step, known: Facts) -> Facts:
    after = step.after or {}

    def change(archive: Archive) -> Archive:
        if archive.volume != after["volume"]:
            return archive
        if "verdict" in after and archive.label:
            return replace(archive, label=replace(archive.label, verdict=after["verdict"], proven=JUST_NOW))
        return replace(archive, protected=after["protected"])

    return _each(known, change)


def _deleted(node: str, step: Step, known: Facts) -> Facts:
    return _each(known, lambda archive: None if archive.volume == (step.before or {})["volume"] else archive)


def _each(known: Facts, change: Callable[[Archive], Archive | None]) -> Facts:
    shelves = {fact: map(change, known[fact]) for fact in known if fact.kind == "archives"}
    return {fact: tuple(archive for archive in changed if archive) for fact, changed in shelves.items()}


def _restored(node: str, step: Step, known: Facts) -> Facts:
    """As it was saved, but for what was given; stopped."""
    after = step.after or {}
    saved = next((known[fact] for fact in known if fact.kind == "archived" and fact.key[1] == after["archive"]), GuestConfig(step.id))
    names = {field.name for field in fields(GuestConfig)}
    given = {key: value for key, value in after.items() if key in names}
    config = replace(saved, vmid=step.id, digest="", lock="", disk_storage=after["storage"], **given)
    guest = Guest(step.id, node, name=config.hostname, status="stopped", tags=config.tags)
    listed = {**known[CLUSTER].guests, step.id: guest}
    configs = {Fact(kind, (node, step.id)): config for kind in ("config", "settled")}
    return {CLUSTER: replace(known[CLUSTER], guests=listed), live_fact(node, step.id): Live(False), **configs}


ARCHIVE_EFFECTS: dict[tuple[str, str], Effect] = {
    ("create", "archive"): _created,
    ("update", "archive"): _updated,
    ("delete", "archive"): _deleted,
    ("restore", "guest"): _restored,
}
