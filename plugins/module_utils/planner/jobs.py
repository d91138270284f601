# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans who runs a scheduled job: one at a time on a cluster, whatever controller it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from ..fleets import DesiredJob, Job
from ..model import Fact, FactsNeeded, Observed
from ..plans import AppPlan, Plan, Step
from . import facts
from .collection import collect


def jobs_fact(ledger: str) -> Fact:
    return Fact("jobs", (ledger,))


def plan_job(wish: DesiredJob, observed: Observed) -> Plan | FactsNeeded:
    return collect([(wish.name, partial(_plan, wish, observed))])


def current_job(wish: DesiredJob, observed: Observed) -> Job | None:
    jobs = facts.known(observed, jobs_fact(wish.ledger))[0].jobs
    return next((job for job in jobs if job.name == wish.name), None)


def is_ours(job: Job | None, observed: Observed) -> bool:
    return job is not None and job.run == observed.controller.run


def is_alive(job: Job, observed: Observed) -> bool:
    """Whether it is to be believed: its time is not over, and its process is not known to be gone."""
    return job.until > observed.now.timestamp() and job.run not in observed.dead_runs


def _plan(wish: DesiredJob, observed: Observed) -> AppPlan:
    job = current_job(wish, observed)
    if wish.state == "ended":
        return AppPlan(wish.name, steps=(Step("end", "job", 0, _said(job), None),) if job and is_ours(job, observed) else ())
    if job and is_alive(job, observed):
        return AppPlan(wish.name)
    until = int((observed.now + wish.lasts).timestamp())
    ours = Job(wish.name, observed.controller.holder, observed.controller.run, until)
    return AppPlan(wish.name, steps=(Step("begin", "job", 0, _said(job) if job else None, _said(ours)),))


def _said(job: Job) -> Mapping[str, Any]:
    return {"job": job.name, "holder": job.holder, "run": job.run, "until": datetime.fromtimestamp(job.until, UTC)}
