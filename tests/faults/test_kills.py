"""`kill -9` of the controller at every write: before its effect, after it, while its task runs, and with the call still on its way."""

from __future__ import annotations

import pytest
from faults.afterwards import all_is_as_wished, nothing_is_lost
from faults.choice import chosen
from faults.deeds import DEEDS
from faults.moments import Case, enumerate_cases
from faults.runs import converges
from faults.victim import kill_at
from faults.world import calm_down, lab_in, things


@pytest.mark.parametrize("case", chosen(enumerate_cases("kills"), few=10), ids=lambda case: case.id)
def test_kill(case: Case) -> None:
    deed = DEEDS[case.deed]
    with lab_in(deed.before) as lab:
        before = things(lab)
        kill_at(lab, case)
        if case.kind == "latency":
            lab.faults.clear()  # the call arrives while the next run is at work
        else:
            calm_down(lab)
            nothing_is_lost(lab, deed, before)
        deed = converges(lab, deed, before)
        if case.kind == "latency":
            calm_down(lab)
            all_is_as_wished(lab, deed, before)
            nothing_is_lost(lab, deed, before)
