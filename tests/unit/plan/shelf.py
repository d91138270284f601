"""Backups in the world of a case: what lies on storages, what is in it, what is being made, and what is to be brought back."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.archives import Archive, Label, Rescue, Work, rescue_pool
from ansible_collections.proximity.platform.plugins.module_utils.model import Cluster, Fact, GuestConfig
from ansible_collections.proximity.platform.plugins.module_utils.wire.times import parse_time

APP = "5d0f1f3e-0000-4000-8000-000000000000"


def shelved(given: dict[str, Any], cluster: Cluster, saved: Any, now: datetime) -> dict[Fact, Any]:
    """Facts of `archives`: each is of app feeds on pve1/local unless it says otherwise. `saved(vmid, app)` is the configuration in one."""
    facts: dict[Fact, Any] = {}
    for storage in cluster.storages:
        if "backup" in storage.content:
            facts[Fact("archives", (storage.node, storage.name))] = ()
    for each in given.get("archives", ()):
        archive = _archive(each)
        readers = [
            storage.node
            for storage in cluster.storages
            if storage.name == archive.storage and (storage.shared or storage.node == archive.node)
        ]
        for node in readers:
            fact = Fact("archives", (node, archive.storage))
            facts[fact] = (*facts[fact], archive)
            facts[Fact("archived", (node, archive.volume))] = _saved(each, archive, saved)
    for guest in cluster.guests.values():
        works = given.get("works", {}).get(guest.vmid, ())
        facts[Fact("works", (guest.node, guest.vmid))] = tuple(
            Work(each["upid"], guest.node, guest.vmid, each["status"], now) for each in works
        )
        facts[Fact("backup_broke_off", (guest.node, guest.vmid))] = guest.vmid in given.get("broke_off", ())
    facts |= {Fact("rescue", (pool,)): _rescue(pool, told) for pool, told in given.get("rescues", {}).items()}
    possible = given.get("rescue_possible", True)
    facts |= {Fact("rescue_possible", (rescue_pool(guest.name, guest.vmid),)): possible for guest in cluster.guests.values()}
    works = tuple(work for fact, found in facts.items() if fact.kind == "works" for work in found)
    uncovered = frozenset(given["uncovered"]) if "uncovered" in given else None
    return facts | {Fact("all works"): (), Fact("running works"): works, Fact("uncovered"): uncovered}


def _rescue(pool: str, told: dict[str, str] | None) -> Rescue | None:
    return Rescue(pool, **{"node": "pve1", "storage": "local-lxc", **told}) if told else None


def _archive(each: dict[str, Any]) -> Archive:
    made, storage, vmid = parse_time(each["at"]), each.get("storage", "local"), each.get("vmid", 8181)
    local = made + timedelta(hours=each.get("hours_ahead", 0))
    label = Label(**{"app": APP, "name": "feeds", "vmid": vmid, **(each.get("label") or {})})
    return Archive(
        volume=f"{storage}:backup/vzdump-lxc-{vmid}-{local:%Y_%m_%d-%H_%M_%S}.tar.zst",
        storage=storage,
        node=each.get("node", "pve1"),
        vmid=vmid,
        made=made,
        local=local,
        size=each.get("size_mb", 100) << 20,
        protected=each.get("protected", False),
        label=None if each.get("label", "") is None else label,
    )


def _saved(each: dict[str, Any], archive: Archive, saved: Any) -> GuestConfig:
    """What is in it; `holds` says what differs from the app as a case has it by default."""
    name = archive.label.name if archive.label else "feeds"
    app = archive.label.app if archive.label else APP
    holds = each.get("holds", {})
    config: GuestConfig = saved(archive.vmid, {"name": name, **holds, "record": {"app": app, **holds.get("record", {})}})
    return config
