"""The fault table: each call of each deed, with each fault of the lab. Nothing is lost, and one more run converges."""

from __future__ import annotations

import lab as labs
import pytest
from faults.afterwards import failure_is_told, is_recorded, nothing_is_lost
from faults.choice import chosen
from faults.deeds import DEEDS, Deed, Told, perform
from faults.moments import IN_THE_GUEST, Case, enumerate_cases
from faults.play import run_of_ansible
from faults.runs import Circumstances, converges
from faults.world import calm_down, lab_in, things

SHORT_LIVED = {
    *("reset", "timeout", "500", "595", "596", "malformed", "slow-body", "latency", "refuse"),
    *("task-warns", "task-hangs", "config-changed", "clock-jump"),
}


@pytest.mark.parametrize("case", chosen(enumerate_cases("faults")), ids=lambda case: case.id)
def test_fault(case: Case) -> None:
    deed = DEEDS[case.deed]
    with lab_in(deed.before) as lab:
        before = things(lab)
        told = run_with_fault(lab, deed, case)
        calm_down(lab)
        power = case.kind == "task-loses-power" or bool(case.arguments.get("power"))
        about = Circumstances(power=power, late=is_late(case))
        nothing_is_lost(lab, deed, before, about.power)
        if told.recorded:
            is_recorded(lab, deed)
        if told.failure and case.moment and not deed.returns:
            failure_is_told(told.failure)
            assert not must_be_ridden_out(case), f"nobody should notice this: {told.failure}"
        converges(lab, deed, before, about)


def is_late(case: Case) -> bool:
    """Whether a snapshot comes about when all has long been done without it."""
    return case.kind == "latency" and case.arguments["seconds"] > 1 and bool(case.moment and case.moment.path.endswith("/snapshot"))


def must_be_ridden_out(case: Case) -> bool:
    """Whether a run has to do its work in spite of a fault: it is over soon, and says nothing about whether the work can be done."""
    if case.kind == "malformed" and case.moment and case.moment.reads:
        return False  # who has not made sense yet is taken for something else than Proxmox
    return case.kind.removesuffix("-after") in SHORT_LIVED and case.arguments.get("times", 1) != 0 and case.arguments.get("seconds", 1) != 0


def run_with_fault(lab: labs.Lab, deed: Deed, case: Case) -> Told:
    """The first run; the fault must have struck."""
    with run_of_ansible(lab, patient=False) as play:
        if not case.moment:
            return perform(play, deed, IN_THE_GUEST[case.kind])
        scope = {} if "type" in case.arguments else {"method": case.moment.method, "path": case.moment.path, "nth": case.moment.nth}
        fault = lab.fault(case.kind, **scope, **case.arguments)
        told = perform(play, deed)
    assert fault.struck, "the fault has struck nothing"
    return told
