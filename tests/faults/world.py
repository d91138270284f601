"""What there is before a deed, and the states of the lab in which deeds begin; made once for a process, then loaded."""

from __future__ import annotations

import json
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import lab as labs
from faults.deeds import PLACE, PLAIN, WISH
from faults.play import run_of_ansible
from integration.definition import DEFINITION
from lab.disks import disks_of
from lab.model import Guest, Snapshot
from lab.seeding import plant_guest

SEED = "fleet"
MINE, KEPT = 101, "before-christmas"
"""A container of the user's own, and a snapshot that he has made: of this and of the app."""
NEIGHBOUR = "neighbour"
CALM_S = 30.0
AGO_S, SINCE_S = 200_000, 100_000
"""The lab's clock is behind when states are made, and less so when deeds begin in them: so that its time, which is often moved on, never
comes to be that which is yet to come for a controller."""


@cache
def states() -> Path:
    """A folder with the lab's certificates, secrets, and a file for each state."""
    folder = Path(tempfile.mkdtemp(prefix="faults-"))
    with labs.start(seed=SEED, folder=folder) as lab:
        lab.advance(-AGO_S)
        options = {"hostname": "mine", "net0": "name=eth0,bridge=vmbr0,ip=dhcp", "onboot": 1, "description": "Mine."}
        with lab.cluster.lock:
            _snapshot(plant_guest(lab.cluster, MINE, PLACE["node"], PLACE["storage"], 1, options, running=True))
        with run_of_ansible(lab) as play:
            neighbour = {"name": NEIGHBOUR, "definition": {**DEFINITION, "id": NEIGHBOUR}, **PLACE}
            _deploy(play, neighbour)
            lab.advance(30)
            lab.save(folder / "empty.json")
            _deploy(play, PLAIN)
            lab.advance(30)
            lab.save(folder / "plain.json")
            lab.load(folder / "empty.json")
            _deploy(play, WISH)
            _snapshot(app_of(lab, "hello"))
            lab.advance(30)
            lab.save(folder / "settled.json")
            assert not play(state="stopped", onboot=False).get("failed")
            lab.advance(30)
            lab.save(folder / "stopped.json")
    return folder


def _deploy(play: Any, wish: dict[str, Any]) -> None:
    made = play(**wish)["app"]
    report = {"vmid": made["vmid"], "node": made["node"], "healthy": True, "address": made["address"]}
    done = play(name=made["name"], definition=wish["definition"], report=report)
    assert done["app"]["status"] == "running", done


def _snapshot(guest: Guest) -> None:
    guest.snapshots[KEPT] = Snapshot(KEPT, dict(guest.config), int(time.time()), "Mine, too.")
    guest.config["parent"] = KEPT


@contextmanager
def lab_in(state: str) -> Iterator[labs.Lab]:
    with labs.start(seed=SEED, folder=states(), load=states() / f"{state}.json") as lab:
        lab.advance(-SINCE_S)
        yield lab


# What is there, read from the lab's own state.


def record_in(config: dict[str, Any]) -> dict[str, Any] | None:
    found = re.search(r"<!-- proximity (\{.*\}) -->", str(config.get("description", "")))
    return dict(json.loads(found[1])) if found else None


def apps(lab: labs.Lab, name: str) -> list[Guest]:
    """The guests whose own record bears this name."""
    records = ((guest, record_in(guest.config)) for guest in lab.cluster.guests.values())
    return [guest for guest, record in records if record and record["name"] == name and record["vmid"] == guest.vmid]


def app_of(lab: labs.Lab, name: str) -> Guest:
    (guest,) = apps(lab, name)
    return guest


@dataclass(frozen=True)
class Thing:
    """What a guest is to its owner: its options, snapshots and disks."""

    node: str
    config: dict[str, Any]
    snapshots: frozenset[str]
    disks: frozenset[str]
    running: bool


def things(lab: labs.Lab) -> dict[int, Thing]:
    cluster = lab.cluster
    with cluster.lock:
        return {guest.vmid: _thing(lab, guest) for guest in cluster.guests.values()}


def _thing(lab: labs.Lab, guest: Guest) -> Thing:
    disks = frozenset(volume.volid for volume in disks_of(lab.cluster, guest))
    return Thing(guest.node, dict(guest.config), frozenset(guest.snapshots), disks, lab.cluster.running(guest))


def calm_down(lab: labs.Lab) -> None:
    """Every fault is gone, what was late has come, and every task has ended."""
    lab.faults.clear()
    lab.advance(700)
    deadline = time.monotonic() + CALM_S
    while any(task.running for task in list(lab.cluster.tasks.values())):
        assert time.monotonic() < deadline, [task.upid for task in lab.cluster.tasks.values() if task.running]
        time.sleep(0.01)


def stray_disks(lab: labs.Lab) -> list[str]:
    """Disks of guests that no guest has."""
    with lab.cluster.lock:
        guests = lab.cluster.guests.values()
        held = {volume.volid for guest in guests for volume in disks_of(lab.cluster, guest)}
        half_made = {guest.vmid for guest in guests if guest.config == {"lock": "create"}}  # what a worker that died was at, disk and all
        kept = (volume for volume in lab.cluster.volumes.values() if volume.content in ("images", "rootdir"))
        return [volume.volid for volume in kept if volume.volid not in held and volume.vmid not in half_made]
