# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects on jobs under way."""

from __future__ import annotations

from ...fleets import Job, Jobs, job_of
from ...plans import Step
from .guests import Effect, Facts


def _begun(node: str, step: Step, known: Facts) -> Facts:
    job = job_of(step.after or {})
    return {fact: Jobs((*_others(known[fact], job), job)) for fact in known if fact.kind == "jobs"}


def _ended(node: str, step: Step, known: Facts) -> Facts:
    job = job_of(step.before or {})
    return {fact: Jobs(_others(known[fact], job)) for fact in known if fact.kind == "jobs"}


def _others(jobs: Jobs, job: Job) -> tuple[Job, ...]:
    return tuple(each for each in jobs.jobs if each.name != job.name)


JOB_EFFECTS: dict[tuple[str, str], Effect] = {("begin", "job"): _begun, ("end", "job"): _ended}
