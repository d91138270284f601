# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Jobs under way: their beginning and their end."""

from __future__ import annotations

from typing import cast

from ..fleets import DesiredJob, job_of
from ..plans import Step
from ..resources import jobs
from . import Deed, Task


def _begin(task: Task, step: Step) -> list[str]:
    jobs.write_job(task.client, _ledger(task), job_of(step.after or {}), job_of(step.before) if step.before else None)
    return []


def _end(task: Task, step: Step) -> list[str]:
    jobs.erase_job(task.client, _ledger(task), job_of(step.before or {}))
    return []


def _ledger(task: Task) -> str:
    return cast(DesiredJob, task.app).ledger


JOB_DEEDS: dict[tuple[str, str], Deed] = {("begin", "job"): _begin, ("end", "job"): _end}
