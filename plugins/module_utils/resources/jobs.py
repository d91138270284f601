# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Jobs under way, in the description of a directory mapping: one line, written by compare-and-set with Proxmox's digest.

`proximity jobs 1: janitor@1767225600=awx@runner-1/0123456789ab:4711:9911 ...`: job, end of its time, holder, run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..api import Client
from ..errors import PlanError, StateMoved
from ..fleets import Job, Jobs
from .refusals import state_may_have_moved

PATH = "/cluster/mapping/dir"
NOWHERE = ["node=jobs,path=/jobs"]
"""A mapping has to map something; the node need not exist, and nothing is ever mounted."""
HEADER = "proximity jobs 1:"
JOB = re.compile(r"([a-z0-9-]+)@(\d+)=([^\s/]+)/(\S+)")


def observe_jobs(client: Client, ledger: str) -> Jobs:
    """Read all jobs with one call; raises PlanError for a mapping that somebody else wrote into."""
    row = _row(client, ledger)
    return Jobs(_parse(row)) if row else Jobs()


def write_job(client: Client, ledger: str, job: Job, before: Job | None) -> None:
    """Put a job in the place of the one that was seen. Raises StateMoved when that has changed, or anybody wrote meanwhile."""
    row = _row(client, ledger)
    if row is None:
        with state_may_have_moved():
            client.post(PATH, id=ledger, map=NOWHERE)  # begun empty: a job in it would be written without comparing
        row = _row(client, ledger)
    if row is None:
        raise StateMoved(f"mapping {ledger} is gone again", 500, "PUT", PATH)
    jobs = _parse(row)
    if _named(jobs, job.name) != before:
        raise StateMoved(f"job {job.name} is no longer as it was seen", 500, "PUT", PATH)
    _write(client, row, [*(each for each in jobs if each.name != job.name), job])


def erase_job(client: Client, ledger: str, job: Job) -> None:
    """Take a job out; one that is not there any more is gone."""
    row = _row(client, ledger)
    if row and job in (jobs := _parse(row)):
        _write(client, row, [each for each in jobs if each != job])


def _named(jobs: Iterable[Job], name: str) -> Job | None:
    return next((each for each in jobs if each.name == name), None)


def _row(client: Client, ledger: str) -> dict[str, Any] | None:
    return next((row for row in client.get(PATH) if row["id"] == ledger), None)


def _parse(row: dict[str, Any]) -> tuple[Job, ...]:
    text = str(row.get("description", "")).strip()
    words = text.removeprefix(HEADER).split()
    matches = [JOB.fullmatch(word) for word in words]
    if text and (not text.startswith(HEADER) or not all(matches)):
        raise PlanError(
            f"Jobs under way cannot be read: the comment of directory mapping {row['id']} is '{text[:60]}', not '{HEADER} ...'. "
            "Mend it, or name another mapping."
        )
    return tuple(Job(m[1], m[3], m[4], int(m[2])) for m in matches if m)


def _write(client: Client, row: dict[str, Any], jobs: Iterable[Job]) -> None:
    words = [f"{job.name}@{job.until}={job.holder}/{job.run}" for job in sorted(jobs, key=lambda job: job.name)]
    with state_may_have_moved():
        client.put(f"{PATH}/{row['id']}", map=list(row["map"]), description=" ".join([HEADER, *words]), digest=row["digest"])
