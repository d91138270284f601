"""The deeds that faults are crossed with: the calls of the module that role `app` makes, and what is to be there afterwards."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from faults.play import Play
from integration.definition import DEFINITION

ASKED, NODE, STORAGE = "pve1", "pve2", "local-btrfs"
"""The app is not on the node that is asked."""
PLACE = {"node": NODE, "storage": STORAGE}


def version(number: str) -> dict[str, Any]:
    """The entry in another version, which is another revision."""
    return {**copy.deepcopy(DEFINITION), "version": number}


WISH: dict[str, Any] = {**PLACE, "definition": DEFINITION}


@dataclass(frozen=True)
class Told:
    """What a run tells: nothing when all went well, else the sentence with which it failed; `recorded`: the record tells it, too."""

    failure: str = ""
    changed: bool = False
    results: tuple[Mapping[str, Any], ...] = ()
    recorded: bool = False


@dataclass(frozen=True)
class Guest:
    """What becomes of the work in the guest: it succeeds, fails with a message, or is not finished, since the controller dies.

    `touched`: it fails after something was changed there. `comes_back`: the previous revision becomes healthy again.
    """

    error: str = ""
    dies: bool = False
    touched: bool = True
    comes_back: bool = True


WELL = Guest()
SICK = Guest(error="no answer after 60 s")


@dataclass(frozen=True)
class Deed:
    """`wish` are the parameters of `proximity_app`, `name` among them; `before` is the state of the lab that it begins with.

    The rest is the app's state afterwards: whether it is there, runs, on which node, with which version and options. `returns`: what is
    wished does not become healthy, and the run fails after it has gone back.
    """

    name: str
    wish: Mapping[str, Any]
    before: str = "settled"
    guest: Guest = WELL
    there: bool = True
    running: bool = True
    node: str = NODE
    entry_version: str = "1.0.0"
    config: Mapping[str, Any] = field(default_factory=dict)
    returns: bool = False

    @property
    def app(self) -> str:
        return str(self.wish.get("name", "hello"))


def perform(play: Play, deed: Deed, guest: Guest | None = None) -> Told:
    """As role `app` does it: the container, the work in the guest, its report; what fails is reported, taken back, and fails."""
    guest = guest or deed.guest
    made = play(**deed.wish)
    if made.get("failed"):
        return Told(made["msg"], made["changed"], (made,))
    app = made["app"]
    if not app["converge"]:
        return Told("", made["changed"], (made,))
    if app["status"] == "restoring":
        return _come_back(play, deed, guest, (made, made))
    if guest.dies:
        return Told("The controller died.", made["changed"], (made,))
    about = {key: deed.wish[key] for key in ("definition", "options", "environment") if key in deed.wish} | {"name": deed.app}
    step, error = "Roll out the stack", guest.error
    told: tuple[Mapping[str, Any], ...] = (made,)
    if not error:
        recorded = play(**about, report={**_where(app), "healthy": True})
        told = (*told, recorded)
        if not recorded.get("failed"):
            return Told("", True, told)
        step, error = "Record that the app runs", recorded["msg"]
    untouched = not guest.touched and bool(guest.error) and (app.get("rollout") or {}).get("settled", False)
    bad = {"healthy": False, "untouched": untouched, "step": step, "error": error}
    rescued = play(**about, report={**_where(app), **bad})
    told = (*told, rescued)
    if not rescued.get("failed") and rescued["app"]["status"] == "restoring":
        return _come_back(play, deed, guest, told)
    return Told(error, True, told, recorded=not rescued.get("failed"))


def _come_back(play: Play, deed: Deed, guest: Guest, told: tuple[Mapping[str, Any], ...]) -> Told:
    """The container has gone back to its safety point; its previous revision is proven, and the run fails with both stories."""
    where = {**_where(told[0]["app"]), "address": told[-1]["app"]["address"] or ""}
    sick = {} if guest.comes_back else {"step": "Wait for the previous revision", "error": "no answer"}
    returned = play(name=deed.app, report={**where, "healthy": guest.comes_back, "restored": True, **sick})
    if returned.get("failed"):
        play(name=deed.app, report={**where, "healthy": False, "restored": True, "step": "Record", "error": returned["msg"]})
        return Told(f"Whether it came back could not be recorded: {returned['msg']}", True, (*told, returned))
    return Told(returned["app"]["record"]["error"], True, (*told, returned), recorded=True)


def _where(app: Mapping[str, Any]) -> dict[str, Any]:
    lease = (app["record"] or {}).get("lease") or {}
    where = {key: app[key] for key in ("vmid", "node", "revision")}
    return {**where, "address": app["address"] or "", "epoch": lease.get("epoch", 0)}


UPDATE: dict[str, Any] = {**WISH, "definition": version("2.0.0")}
PLAIN: dict[str, Any] = {**WISH, "storage": "local-lxc"}
"""On a storage that takes no snapshots."""
PLAIN_UPDATE: dict[str, Any] = {**UPDATE, "storage": "local-lxc"}
COPY: dict[str, Any] = {"name": "copy", "clone_from": "hello", "definition": DEFINITION}
RESIZED = {"resources": {"memory_mb": 384, "disk_gb": 3}, "tags": ["mine"], "onboot": False}

DEEDS: dict[str, Deed] = {
    deed.name: deed
    for deed in (
        Deed("deploy", WISH, before="empty"),
        Deed("update", UPDATE, entry_version="2.0.0"),
        Deed("update with a backup", PLAIN_UPDATE, before="plain", entry_version="2.0.0"),
        Deed("rollback", UPDATE, guest=SICK, returns=True),
        Deed("rollback to a backup", PLAIN_UPDATE, before="plain", guest=SICK, returns=True),
        Deed("change", {**WISH, **RESIZED}, config={"memory": 384, "onboot": 0}),
        Deed(
            "restart for a change", {**WISH, "network": {"dns": ["10.231.0.1"]}, "restart": "allowed"}, config={"nameserver": "10.231.0.1"}
        ),
        Deed("stop", {"state": "stopped"}, running=False),
        Deed("start", WISH, before="stopped"),
        Deed("clone", COPY),
        Deed("clone to another node", {**COPY, "node": "pve1"}, node="pve1"),
        Deed("linked clone", {**COPY, "clone_mode": "linked"}, before="stopped"),
        Deed("move", {**WISH, "node": "pve1", "restart": "allowed"}, node="pve1"),
        Deed("delete", {"state": "absent"}, there=False),
    )
}
