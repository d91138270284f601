"""Enumerates the cases of backups, as `moments.py` does those of apps."""

from __future__ import annotations

from functools import cache

from faults.backup_deeds import DEEDS, BackupDeed, lab_in, perform
from faults.moments import REHEARSALS, Case, Journal, faults_at, found_once, journal_of, kills_of, moments_of, shared_file
from faults.play import run_of_ansible


@cache
def cases(what: str) -> list[Case]:
    return found_once(shared_file("backups"), _enumerated)[what]


def _enumerated() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {"faults": [], "kills": []}
    for deed in DEEDS.values():
        moments = moments_of([_rehearse(deed) for _time in range(REHEARSALS)])
        found["faults"] += [Case(deed.name, moment, kind, arguments) for moment in moments for kind, arguments in faults_at(moment)]
        found["kills"] += kills_of(deed.name, moments)
    return found


def _rehearse(deed: BackupDeed) -> Journal:
    with lab_in(deed.before) as lab, run_of_ansible(lab) as play:
        return journal_of(lab, lambda: perform(play, deed), deed.returns)
