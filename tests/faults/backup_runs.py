"""What must hold of backups and their apps after a run that met a fault, and the runs that follow it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import lab as labs
from ansible_collections.proximity.platform.plugins.modules import proximity_janitor
from faults.afterwards import OURS, is_half_made, remove_with_disks
from faults.backup_deeds import NAME, NOW_MB, THEN_MB, TRIAL, BackupDeed, perform
from faults.deeds import Told
from faults.play import run_of_ansible
from faults.world import Thing, app_of, apps, record_in, stray_disks, things
from lab.model import Guest, Volume

MOVES_ON = ("cpuunits", "lock")
"""What the lab itself changes, as somebody else would; and a lock that a worker of Proxmox has left behind."""
OLD_S = 1
KEPT = ("app", "vmid", "name", "owner", "ports")
TOLD_LOCK = re.compile(r"pct unlock|is locked|still being created|being backed up or restored")


@dataclass(frozen=True)
class Before:
    """What there was, and whether a node has lost its power since then.

    `late`: a call came when all had long been done without it, and has made a container anew, or stopped one.
    """

    things: Mapping[int, Thing]
    archives: frozenset[str]
    power: bool = False
    late: bool = False


def look(lab: labs.Lab) -> Before:
    return Before(things(lab), frozenset(volume.volid for volume in archives(lab)))


def archives(lab: labs.Lab, kind: str = "") -> list[Volume]:
    """Backups, or those whose notes tell of this kind; oldest first."""
    with lab.cluster.lock:
        every = [volume for volume in lab.cluster.volumes.values() if volume.content == "backup"]
    fitting = every if not kind else [each for each in every if (f"kind={kind}" in each.notes) == bool(kind)]
    return sorted(fitting, key=lambda each: (each.ctime, each.volid))


def plain_backups(lab: labs.Lab) -> list[Volume]:
    return [each for each in archives(lab) if "kind=safety" not in each.notes]


def own(before: Before) -> int:
    """The number of the app, or 0 where it was gone."""
    found = [vmid for vmid, thing in before.things.items() if (record_in(thing.config) or {}).get("name") == NAME]
    return found[0] if found else 0


def nothing_is_lost(lab: labs.Lab, deed: BackupDeed, before: Before) -> None:
    """With no further run: others are as they were, backups are there, and what the app held is in its container or in a safety backup."""
    now = things(lab)
    for vmid, thing in before.things.items():
        if vmid != own(before):
            assert vmid in now, f"guest {vmid} is gone"
            assert _lasting(now[vmid].config) == _lasting(thing.config), f"guest {vmid} was changed"
            assert now[vmid].running == thing.running or before.power, f"guest {vmid} has been started or stopped"
            assert (now[vmid].snapshots, now[vmid].disks) == (thing.snapshots, thing.disks)
    gone = before.archives - {volume.volid for volume in archives(lab)}
    assert len(gone) <= (1 if deed.kind in ("remove", "prune") else 2 if deed.kind == "back up" else 0), f"backups are gone: {gone}"
    assert plain_backups(lab), "no backup is left"
    if own(before):
        _app_is_somewhere(lab, deed, own(before))
    _nothing_half_restored_runs(lab, deed)


def _lasting(config: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in config.items() if key not in MOVES_ON}


def _app_is_somewhere(lab: labs.Lab, deed: BackupDeed, vmid: int) -> None:
    guest = lab.cluster.guests.get(vmid)
    if guest and not is_half_made(guest) and guest.config["memory"] == NOW_MB:
        assert record_in(guest.config), "the app has lost its record"
        return
    saved = [each for each in archives(lab, "safety") if each.facts["config"]["memory"] == NOW_MB]
    assert deed.kind == "restore" and saved, "what the app held is nowhere"


def _nothing_half_restored_runs(lab: labs.Lab, deed: BackupDeed) -> None:
    """What nobody has looked into does not call itself running."""
    for guest in lab.cluster.guests.values():
        record = record_in(guest.config) or {}
        if " " in record.get("restored", "") or record.get("step") == "start":
            assert record["status"] not in ("running", "stopped"), record
        if deed.sick and record.get("name") == NAME and guest.config["memory"] == THEN_MB:
            assert record["status"] != "running", "what is not healthy is said to run"


def all_is_as_wished(lab: labs.Lab, deed: BackupDeed, before: Before) -> None:
    assert not stray_disks(lab), stray_disks(lab)
    assert not [pool for pool in lab.cluster.pools if pool.startswith(OURS)], "a pool tells of a restore that is done"
    whole = {guest.vmid: guest for guest in lab.cluster.guests.values() if not is_half_made(guest)}
    assert not [guest.vmid for guest in whole.values() if "lock" in guest.config]
    made = [guest.vmid for guest in apps(lab, deed.made)] if deed.made else []
    assert len(made) == bool(deed.made)
    hello = app_of(lab, NAME)
    others = {vmid for vmid in before.things if vmid != own(before)}
    assert set(whole) == others | {hello.vmid, *made}, "guests that nobody wanted"
    assert not apps(lab, TRIAL)
    _is_the_app(lab, hello, deed, before)
    _backups_are_as_wished(lab, deed)


def _is_the_app(lab: labs.Lab, guest: Guest, deed: BackupDeed, before: Before) -> None:
    """Running, itself, and protected as it was: a restore lifts that for a while."""
    record = record_in(guest.config) or {}
    assert (record["status"], record["lease"], record["error"]) == ("running", None, "")
    assert record["revision"] == record["wanted"] != ""
    assert guest.config["memory"] == deed.memory_mb
    # What was locked when its node came back was not started with it, and a backup starts nothing; a call to stop it may come too late.
    assert lab.cluster.running(guest) or before.late or (before.power and deed.kind != "restore")
    if thing := before.things.get(own(before)):
        old = record_in(thing.config) or {}
        assert [record[key] for key in ("app", "vmid", "name", "owner", "ports")] == [
            old[key] for key in ("app", "vmid", "name", "owner", "ports")
        ]
        keys = ("hostname", "net0", "tags", "protection", "onboot")
        assert [guest.config.get(key) for key in keys] == [thing.config.get(key) for key in keys]


def _backups_are_as_wished(lab: labs.Lab, deed: BackupDeed) -> None:
    plain, safety = plain_backups(lab), archives(lab, "safety")
    unlabelled = [each for each in plain if "app=" not in each.notes]
    assert len(plain) - len(unlabelled) == deed.kept, [each.volid for each in plain]
    if deed.kind == "restore" and deed.before == "saved":
        assert any(each.facts["config"]["memory"] == NOW_MB for each in safety)
    else:
        assert not safety
    if deed.kind == "trial":
        assert "verdict=ok" in plain[-1].notes


def converges(lab: labs.Lab, deed: BackupDeed, before: Before) -> None:
    """One more run, after a person has done what it asked for; then one that finds nothing to do."""
    if unlock(lab, deed, before):
        before = replace(before, power=True)
    again = run_again(lab, deed)
    assert bool(again.failure) == deed.returns, f"one more run: {again.failure or 'went well'}"
    if before.late and deed.kind == "trial":
        _tidy_up(lab)
    all_is_as_wished(lab, deed, before)
    nothing_is_lost(lab, deed, before)
    if deed.sick:
        deed = replace(deed, sick=False, memory_mb=THEN_MB)
        assert not run_again(lab, deed).failure
        all_is_as_wished(lab, deed, before)
    further = run_again(lab, deed)
    assert (further.failure, further.changed) == ("", False), further


def _tidy_up(lab: labs.Lab) -> None:
    time.sleep(OLD_S + 0.1)  # by the controller's clock, whatever the lab's says
    with run_of_ansible(lab) as play:
        told = play.task(proximity_janitor, older_than_s=OLD_S, clones="remove")
    assert not told.get("failed"), told["msg"]


def unlock(lab: labs.Lab, deed: BackupDeed, before: Before) -> bool:
    """Locks that nobody takes away: a run says what to do, a person does it. Answers whether there were any."""
    stuck = [guest for guest in lab.cluster.guests.values() if "lock" in guest.config]
    if any(guest.vmid == own(before) or not own(before) for guest in stuck):
        with run_of_ansible(lab, patient=False) as play:
            told = perform(play, deed).failure
        assert TOLD_LOCK.search(told), f"this does not say what is in the way: {told!r}"
    for guest in stuck:
        if is_half_made(guest):
            remove_with_disks(lab, guest)
        else:
            del guest.config["lock"]
    return bool(stuck)


def run_again(lab: labs.Lab, deed: BackupDeed) -> Told:
    with run_of_ansible(lab) as play:
        return perform(play, deed)


__all__ = ["Before", "all_is_as_wished", "archives", "converges", "look", "nothing_is_lost", "run_again"]
