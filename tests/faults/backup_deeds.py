"""What is done with backups, as role `backup` does it: the calls of its modules, and what is to be there afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import lab as labs
from ansible_collections.proximity.platform.plugins.modules import proximity_backup
from faults import victim
from faults.deeds import PLAIN, Told
from faults.play import SHORT, Play, run_of_ansible
from faults.world import SEED, SINCE_S, states
from integration.definition import DEFINITION

NAME, SECOND, TRIAL = "hello", "second", "px-trial-hello"
THEN_MB, NOW_MB = 300, 400
"""The memory of the app in its backup, and since then: so one is told from the other in containers that hold no data."""
TOLD = {"timeouts": {"backup_s": 60, **{key: SHORT[key] for key in ("start_s", "shutdown_s", "address_s")}}}
BEHIND_S = 1200
"""The lab's clock is behind when a deed begins: backups from the future would be as good as new. Those in its states are a day old."""
WITHOUT_CABLE = {"link_down": True, "address": "192.0.2.2/30"}


@dataclass(frozen=True)
class BackupDeed:
    """`before` is the state of the lab that it begins with; `sick`: what is restored does not become healthy, and gives way.

    `memory_mb` is that of the app afterwards, `made` the app that there is besides; `kept` how many backups there are, safety backups
    apart.
    """

    name: str
    kind: str
    before: str = "saved"
    sick: bool = False
    memory_mb: int = NOW_MB
    made: str = ""
    kept: int = 2

    @property
    def returns(self) -> bool:
        return self.sick


DEEDS: dict[str, BackupDeed] = {
    deed.name: deed
    for deed in (
        BackupDeed("back up", "back up", kept=1),
        BackupDeed("restore in place", "restore", memory_mb=THEN_MB),
        BackupDeed("restore what is not healthy", "restore", sick=True),
        BackupDeed("revive", "restore", before="gone", memory_mb=THEN_MB),
        BackupDeed("restore as a new app", "copy", made=SECOND),
        BackupDeed("trial", "trial"),
        BackupDeed("remove a backup", "remove", kept=1),
        BackupDeed("prune", "prune", kept=1),
    )
}


def perform(play: Play, deed: BackupDeed) -> Told:
    deeds = {"restore": _restore, "copy": _copy, "trial": _try, "back up": _back_up, "remove": _remove, "prune": _prune}
    return deeds[deed.kind](play, deed)


def _backup(play: Play, **params: Any) -> dict[str, Any]:
    return play.task(proximity_backup, **{"name": NAME, **(TOLD if not play.patient else {}), **params})


def _told(result: Mapping[str, Any]) -> Told:
    return Told(result["msg"] if result.get("failed") else "", result["changed"], (result,))


def _back_up(play: Play, deed: BackupDeed) -> Told:
    return _told(_backup(play, max_age="12h", keep={"last": 1}))


def _copy(play: Play, deed: BackupDeed) -> Told:
    return _told(_backup(play, state="restored", backup="latest", restore_as=SECOND))


def _remove(play: Play, deed: BackupDeed) -> Told:
    listed = _backup(play, state="listed")
    if listed.get("failed") or len(listed["backups"]) < 2:
        return _told(listed)
    return _told(_backup(play, state="absent", backup=listed["backups"][-1]["volume"]))


def _prune(play: Play, deed: BackupDeed) -> Told:
    return _told(_backup(play, state="absent", keep={"last": 1}))


def _restore(play: Play, deed: BackupDeed) -> Told:
    """As restored.yml and proof.yml: unpacked, looked into, and told; or what was there before comes back, and is looked into."""
    restored = _backup(play, state="restored", backup="latest", confirm=True)
    if restored.get("failed") or not restored["app"]["converge"]:
        return _told(restored)
    if not deed.sick:
        return _record(play, restored)
    volume = restored["app"]["record"]["restored"]
    listed = _backup(play, state="listed")
    if listed.get("failed"):
        return replace(_told(listed), changed=True)
    safety = [each["volume"] for each in listed["backups"] if each["restores"] == volume]
    if not safety:
        play(name=NAME, on_failure="keep", report={**_where(restored), "healthy": False, "step": "restored", "error": "no answer"})
        return Told(f"App {NAME} is not healthy after backup {volume} was restored.", True, (restored,))
    returned = _backup(play, state="restored", backup=safety[0], confirm=True, safety_backup=False)
    if returned.get("failed"):
        return replace(_told(returned), changed=True)
    recorded = _record(play, returned)
    return recorded if recorded.failure else Told(f"App {NAME} is not healthy after backup {volume} was restored.", True, (restored,))


def _record(play: Play, restored: Mapping[str, Any]) -> Told:
    return replace(_told(play(name=NAME, report={**_where(restored), "healthy": True})), changed=True)


def _where(restored: Mapping[str, Any]) -> dict[str, Any]:
    return {**{key: restored["app"][key] for key in ("vmid", "node")}, "address": restored["app"]["address"] or ""}


def _try(play: Play, deed: BackupDeed) -> Told:
    """As trial.yml and try.yml; the container has been looked into when it is there."""
    listed = _backup(play, state="listed")
    if listed.get("failed"):
        return _told(listed)
    volume = next(each["volume"] for each in listed["backups"] if each["kind"] == "backup")
    verdict = {"state": "proven", "backup": volume, "verdict": "ok", "max_age": "7d"}
    due = _backup(play, **verdict, _ansible_check_mode=True)
    if due.get("failed") or not due["plan"]:
        return _told(due)
    thrown = play(name=TRIAL, state="absent", ignore_protection=True)
    if thrown.get("failed"):
        return _told(thrown)
    tried = _backup(play, state="restored", backup=volume, restore_as=TRIAL, network=WITHOUT_CABLE)
    thrown = play(name=TRIAL, state="absent", ignore_protection=True)
    failed = next((each for each in (tried, thrown) if each.get("failed")), None)
    return replace(_told(failed or _backup(play, **verdict)), changed=True)


def act(connection: Mapping[str, Any], deed: str) -> None:
    """All of a controller that is going to be killed."""
    perform(Play(connection, victim.clock(), patient=True), DEEDS[deed])


@cache
def backup_states() -> Path:
    """The folder of states, with two more: an app that has changed since it was backed up twice, and one that is gone since then."""
    folder = Path(tempfile.mkdtemp(prefix="faults-backups-"))
    shutil.copytree(states(), folder, dirs_exist_ok=True)
    with labs.start(seed=SEED, folder=folder, load=folder / "plain.json") as lab:
        lab.advance(-SINCE_S)
        with run_of_ansible(lab) as play:
            _change(play, THEN_MB)
            for _time in range(2):
                assert _backup(play, force=True)["changed"]
                lab.advance(7200)
            _change(play, NOW_MB, protection=True)
            lab.advance(30)
            lab.save(folder / "saved.json")
            assert play(name=NAME, state="absent", ignore_protection=True)["changed"]
            lab.advance(30)
            lab.save(folder / "gone.json")
    return folder


def _change(play: Play, memory_mb: int, **more: Any) -> None:
    changed = play(**{**PLAIN, "definition": DEFINITION, "resources": {"memory_mb": memory_mb}, **more})
    assert changed["changed"] and not changed["app"]["converge"], changed


@contextmanager
def lab_in(state: str) -> Iterator[labs.Lab]:
    """A lab in that state, with a folder of its own: archives are files."""
    with tempfile.TemporaryDirectory(prefix="faults-case-") as place:
        shutil.copytree(backup_states(), place, dirs_exist_ok=True)
        with labs.start(seed=SEED, folder=Path(place), load=Path(place) / f"{state}.json") as lab:
            lab.advance(-BEHIND_S)
            yield lab
