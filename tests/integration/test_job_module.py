"""proximity_job: one instance of a job at a time on a cluster, across controllers."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils import nouns, observer
from ansible_collections.proximity.platform.plugins.module_utils.api import Client
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.fleets import DesiredJob
from ansible_collections.proximity.platform.plugins.module_utils.model import Controller
from ansible_collections.proximity.platform.plugins.module_utils.nouns.job import JOB
from ansible_collections.proximity.platform.plugins.module_utils.session import Session
from ansible_collections.proximity.platform.plugins.modules import proximity_job
from integration.modules import Runner
from integration.pve import Pve

MAPPING = "/cluster/mapping/dir/proximity-jobs"


@pytest.fixture
def job(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Runner:
    return Runner(proximity_job, {**connection, "name": "janitor"}, capsys, monkeypatch)


def _become(monkeypatch: pytest.MonkeyPatch, who: str) -> None:
    monkeypatch.setattr(nouns, "identify", lambda: Controller(f"{who}@{who}", f"{who}:1:1", who))


def test_begun_and_ended(job: Runner, pve: Pve, monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime.now(UTC)
    monkeypatch.setattr(observer, "_now", lambda: now)  # a check tells until when a job would be begun if it were now
    begun = job.four_times()
    assert begun["job"]["ours"]
    assert begun["skipped_because"] == ""
    assert "janitor@" in pve.get(MAPPING)["description"]
    ended = job.four_times(state="ended")
    assert not ended["job"]["ours"]
    assert pve.get(MAPPING)["description"] == "proximity jobs 1:"


def test_another_controller_skips_and_says_why(job: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    _become(monkeypatch, "first")
    assert job()["job"]["ours"]
    _become(monkeypatch, "second")
    for check in (True, False):
        skipped = job(check=check)
        assert (skipped["changed"], skipped["job"]["ours"]) == (False, False)
        assert skipped["skipped_because"].startswith("first@first runs janitor on this cluster, until ")
    assert job(name="reconcile")["job"]["ours"], "another job is another matter"
    assert not job(state="ended")["changed"], "nobody ends what another has begun"
    _become(monkeypatch, "first")
    assert job(state="ended")["changed"]
    _become(monkeypatch, "second")
    assert job()["job"]["ours"]


def test_a_job_whose_time_is_over_is_taken(job: Runner, pve: Pve) -> None:
    pve.post("/cluster/mapping/dir", id="proximity-jobs", map="node=jobs,path=/jobs", description="proximity jobs 1: janitor@1=a@b/c:1:1")
    assert job()["job"]["ours"]


def test_a_job_whose_process_was_killed_here_is_taken(job: Runner, pve: Pve) -> None:
    begun = job()
    ours = begun["plan"][0]["after"]["run"]
    machine = ours.partition(":")[0]
    text = pve.get(MAPPING)["description"].replace(ours, f"{machine}:4194304:1")
    pve.put(MAPPING, map="node=jobs,path=/jobs", description=text)
    assert job.four_times()["job"]["ours"]


def test_eight_at_once_one_gets_it(connection: dict[str, Any], pve: Pve) -> None:
    """Whoever loses the race looks again, and skips."""
    params = {name: spec.get("default") for name, spec in connection_arguments().items()} | connection

    def begin(number: int) -> dict[str, Any]:
        controller = Controller(f"c{number}@m", f"m{number}:1:1", str(number))
        session, wish = Session(Client(connection_of(params)), controller), DesiredJob("janitor")
        plan, observed = JOB.look(session, wish)
        if plan.steps:
            plan, observed = JOB.converge(session, wish, plan, observed)
        return {**JOB.describe(wish, plan, observed), "changed": bool(plan.steps)}

    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(begin, range(8)))
    (won,) = [each for each in told if each["job"]["ours"]]
    assert {each["job"]["holder"] for each in told} == {won["job"]["holder"]}
    assert [each["changed"] for each in told] == [each is won for each in told]
    assert pve.get(MAPPING)["description"].count("janitor@") == 1


def test_a_mapping_of_somebody_else_is_refused(job: Runner, pve: Pve) -> None:
    pve.post("/cluster/mapping/dir", id="proximity-jobs", map="node=jobs,path=/jobs", description="my own")
    assert "Jobs under way cannot be read" in job()["msg"]
    assert pve.get(MAPPING)["description"] == "my own"
