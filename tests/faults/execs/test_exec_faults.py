"""Faults of the way into guests: the commands by SSH of each job, with each strike. Nothing is lost, and one more run converges."""

from __future__ import annotations

from dataclasses import replace

import lab.light
import pytest
from faults.afterwards import failure_is_told, is_recorded
from faults.choice import chosen
from faults.execs.jobs import JOBS, Job
from faults.execs.moments import Case, count_commands, enumerate_cases
from faults.execs.runs import Before, converges, nothing_at_all_is_lost
from faults.execs.site import Played, Site, place
from faults.world import apps, calm_down
from lab.light.strikes import Strike

if hindrance := lab.light.hindrance():
    pytest.skip(hindrance, allow_module_level=True)

RIDDEN_OUT = ("refused", "turned-away", "slow", "moved")
BUDGET = {"deploy": 17, "update": 17, "rollback": 20, "rollback to a backup": 20, "clone": 14, "clone with new secrets": 17}
NEVER_ENTER = ("start", "stop", "restart", "move", "remove")


@pytest.mark.parametrize("case", chosen(enumerate_cases(), few=8), ids=lambda case: case.id)
def test_exec_fault(case: Case) -> None:
    job = JOBS[case.deed]
    with place().site(job.deed.before) as site:
        before = Before.of(site)
        played = run_with_strike(site, job, case)
        calm_down(site.lab)
        job = where_it_is(site, job, case)
        power = case.kind == "node-down"
        nothing_at_all_is_lost(site, job, before, power)
        if case.kind in RIDDEN_OUT:
            assert bool(played.failure) == job.deed.returns, f"nobody should notice this: {played.failure}"
        if played.failure and not played.killed:
            failure_is_told(played.failure)
            if "could not be recorded" not in played.failure:
                is_recorded(site.lab, job.deed)
        converges(site, job, before, power, done=not played.status and case.kind not in ("stopped", "node-down"))


def run_with_strike(site: Site, job: Job, case: Case) -> Played:
    """The first run; it must have been struck, at the command that was meant."""
    strike = Strike(case.kind, case.moment.nth, case.die_at)
    played = site.play(job, strike)
    assert strike.struck.is_set(), "the strike has hit nothing"
    struck = site.door.heard[case.moment.nth - 1]
    assert struck.task == case.moment.task, f"another command came than in the rehearsal: {struck}"
    assert played.killed == case.kind.startswith("killed")
    return played


def where_it_is(site: Site, job: Job, case: Case) -> Job:
    """Where somebody has moved the app, there it stays."""
    moved = apps(site.lab, job.deed.app) if case.kind == "moved" else []
    return replace(job, deed=replace(job.deed, node=moved[0].node)) if moved else job


def test_jobs_stay_within_their_budget_of_round_trips() -> None:
    """Some never enter a guest: faults of the way there cannot strike them; those of the API do in `test_faults`."""
    assert count_commands() == BUDGET | dict.fromkeys(NEVER_ENTER, 0)


def test_a_deployment_that_changes_nothing_enters_no_guest() -> None:
    with place().site("settled") as site:
        played = site.play(JOBS["deploy"])
        assert (played.failure, played.changed, [str(each.task) for each in site.door.heard]) == ("", 0, [])
