"""The fault table of backups: each call of each deed with each fault of the lab, and `kill -9` at every write.

Nothing is lost, and one more run converges.
"""

from __future__ import annotations

from dataclasses import replace

import lab as labs
import pytest
from faults.afterwards import failure_is_told
from faults.backup_deeds import DEEDS, BackupDeed, act, lab_in, perform
from faults.backup_moments import cases
from faults.backup_runs import converges, look, nothing_is_lost
from faults.choice import chosen
from faults.deeds import Told
from faults.moments import Case
from faults.play import run_of_ansible
from faults.victim import kill_at
from faults.world import calm_down


@pytest.mark.parametrize("case", chosen(cases("faults"), few=60), ids=lambda case: case.id)
def test_backup_fault(case: Case) -> None:
    deed = DEEDS[case.deed]
    with lab_in(deed.before) as lab:
        before = look(lab)
        told = _run_with_fault(lab, deed, case)
        calm_down(lab)
        power = case.kind == "task-loses-power" or bool(case.arguments.get("power"))
        before = replace(before, power=power, late=_is_late(deed, case))
        nothing_is_lost(lab, deed, before)
        if told.failure and not deed.returns:
            failure_is_told(told.failure)
        converges(lab, deed, before)


def _is_late(deed: BackupDeed, case: Case) -> bool:
    """Whether a call may come about when all is done: of a trial, whose number is free again, or to stop an app that runs again."""
    stops = bool(case.moment and case.moment.path.endswith("/shutdown"))
    return (deed.kind == "trial" or stops) and case.kind == "latency" and case.arguments["seconds"] > 1


def _run_with_fault(lab: labs.Lab, deed: BackupDeed, case: Case) -> Told:
    assert case.moment
    with run_of_ansible(lab, patient=False) as play:
        scope = {} if "type" in case.arguments else {"method": case.moment.method, "path": case.moment.path, "nth": case.moment.nth}
        fault = lab.fault(case.kind, **scope, **case.arguments)
        told = perform(play, deed)
    assert fault.struck, "the fault has struck nothing"
    return told


@pytest.mark.parametrize("case", chosen(cases("kills"), few=10), ids=lambda case: case.id)
def test_backup_kill(case: Case) -> None:
    deed = DEEDS[case.deed]
    with lab_in(deed.before) as lab:
        before = look(lab)
        kill_at(lab, case, act)
        if case.kind == "latency":
            lab.faults.clear()  # the call arrives while the next run is at work, or after it
            before = replace(before, late=_is_late(deed, case))
        else:
            calm_down(lab)
            nothing_is_lost(lab, deed, before)
        converges(lab, deed, before)
