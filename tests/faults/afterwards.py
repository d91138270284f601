"""What must hold after a run that met a fault, and after one more run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import lab as labs
from faults.deeds import Deed
from faults.world import KEPT, MINE, NEIGHBOUR, Thing, app_of, apps, record_in, stray_disks, things
from lab.containers import remove_container
from lab.disks import free_volumes
from lab.model import Guest

OURS = "px-"
NAMES_WHAT_WAS_TRIED = re.compile(r"\b[Aa]pp \w+\b|\bCannot \w+ [\w-]+ \d+\b|(GET|POST|PUT|DELETE) /\S+ failed|https://\S+")
MOVES_ON = ("cpuunits", "parent", "lock")
"""What the lab itself changes, as somebody else would; the name of the latest snapshot, which may be one that is still to be removed; and
a lock that a worker of Proxmox has left behind."""


def remove_with_disks(lab: labs.Lab, guest: Guest) -> None:
    """What a person does: `pct unlock`, `pct rescan`, `pct destroy`."""
    with lab.cluster.lock:
        guest.config.pop("lock", None)
        leftover = [volume for volume in lab.cluster.volumes.values() if volume.content == "rootdir" and volume.vmid == guest.vmid]
    remove_container(lab.cluster, guest)
    with lab.cluster.lock:
        free_volumes(lab.cluster, [volume for volume in leftover if volume in lab.cluster.volumes.values()])


def is_in_its_backup(lab: labs.Lab, vmid: int) -> bool:
    """Whether a guest is only a lock, since a backup of it was being unpacked; that one is there, and a pool tells of it."""
    if not is_half_made(lab.cluster.guests[vmid]):
        return False
    told = [pool.comment for id, pool in lab.cluster.pools.items() if id.startswith(f"px-restore-{vmid}-")]
    archives = [volume.volid for volume in lab.cluster.volumes.values() if volume.content == "backup"]
    return any(f"archive={archive}" in comment.split() for comment in told for archive in archives)


def nothing_is_lost(lab: labs.Lab, deed: Deed, before: Mapping[int, Thing], power: bool = False) -> None:
    """With no further run: what existed before is there, with its records, snapshots and disks; and runs, unless its node lost power."""
    now = things(lab)
    for vmid, thing in before.items():
        own = (record_in(thing.config) or {}).get("name") == deed.app and vmid not in (MINE,)
        if own and not deed.there:
            continue
        assert vmid in now, f"guest {vmid} is gone"
        if own and is_in_its_backup(lab, vmid):
            continue
        assert now[vmid].snapshots >= {KEPT} & thing.snapshots, f"guest {vmid} has lost a snapshot of its owner"
        assert len(now[vmid].disks) >= len(thing.disks), f"guest {vmid} has lost a disk"
        if own:
            _still_itself(vmid, thing, now[vmid])
        else:
            assert (now[vmid].node, _lasting(now[vmid].config)) == (thing.node, _lasting(thing.config)), f"guest {vmid} was changed"
            assert now[vmid].running == thing.running or power, f"guest {vmid} has been started or stopped"


def _still_itself(vmid: int, thing: Thing, now: Thing) -> None:
    """The record goes on, and belongs to the same app; what the user wrote beside it is there."""
    old, new = record_in(thing.config), record_in(now.config)
    assert old, "there was a record"
    assert new, f"guest {vmid} has lost its record"
    assert [new[key] for key in ("app", "vmid", "name", "entry")] == [old[key] for key in ("app", "vmid", "name", "entry")]
    assert new["revision"] or not old["revision"], "what runs is no longer known"


def _lasting(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in MOVES_ON}


def failure_is_told(failure: str) -> None:
    assert NAMES_WHAT_WAS_TRIED.search(failure), f"this says not what was tried: {failure!r}"
    assert "Traceback" not in failure


def is_recorded(lab: labs.Lab, deed: Deed) -> None:
    """A failure that was reported frees the app for others, whatever machine they are on."""
    for guest in apps(lab, deed.app):
        record = record_in(guest.config) or {}
        assert record["lease"] is None, "the app is held by a run that has said that it is done"


def stray_snapshots(lab: labs.Lab) -> list[tuple[int, str]]:
    """Snapshots of ours that their app's record does not know, and those that only it knows."""
    found: list[tuple[int, str]] = []
    for guest in lab.cluster.guests.values():
        points = {point["name"] for point in (record_in(guest.config) or {}).get("safety", ()) if point["kind"] == "snapshot"}
        found += [(guest.vmid, name) for name in points ^ {name for name in guest.snapshots if name.startswith(OURS)}]
    return found


def is_half_made(guest: Guest) -> bool:
    """What Proxmox leaves behind where the worker that makes a guest dies: nothing but a lock, with which its API removes nothing."""
    return guest.config == {"lock": "create"}


def all_is_as_wished(lab: labs.Lab, deed: Deed, before: Mapping[int, Thing]) -> None:
    """One container with one slot and the right record, and nothing that was only meant for a while."""
    assert not stray_disks(lab), f"disks without a guest: {stray_disks(lab)}"
    whole = [guest for guest in lab.cluster.guests.values() if not is_half_made(guest)]
    for guest in whole:
        assert "lock" not in guest.config, f"guest {guest.vmid} is locked: {guest.config['lock']}"
    assert not (stray := stray_snapshots(lab)), f"snapshots that no record knows, or that are gone: {stray}"
    assert len(apps(lab, NEIGHBOUR)) == 1
    expected = {vmid for vmid, thing in before.items() if (record_in(thing.config) or {}).get("name") != deed.app}
    assert {guest.vmid for guest in whole} - {guest.vmid for guest in apps(lab, deed.app)} == expected, "guests that nobody wanted"
    if not deed.there:
        assert not apps(lab, deed.app)
        return
    guest = app_of(lab, deed.app)
    record = record_in(guest.config) or {}
    status = "running" if deed.running else "stopped"
    assert (record["status"], record["lease"], record["vmid"], bool(record["error"])) == (status, None, guest.vmid, deed.returns)
    assert (record["entry_version"], record["revision"]) == (deed.entry_version, record["wanted"])
    assert record["ports"] == {"public": guest.vmid, "internal": guest.vmid + 1000}
    assert {"proximity", f"rev-{record['revision']}"} <= set(str(guest.config["tags"]).split(";"))
    assert lab.cluster.running(guest) == deed.running
    assert (guest.node, guest.config["hostname"]) == (deed.node, deed.app)
    assert {key: guest.config[key] for key in deed.config} == deed.config
