# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Observes exactly what a planner asks for: a table from the name of a fact to the function that reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from .api import Client
from .controller import run_has_ended
from .errors import ApiError, StateMoved, Timeout
from .fleets import Jobs
from .model import SETTLING, Controller, Fact, FactsNeeded, GuestConfig, Observed
from .plans import Plan
from .resources.archives import (
    observe_all_works,
    observe_archived,
    observe_archives,
    observe_backup_broke_off,
    observe_running_works,
    observe_uncovered,
    observe_works,
)
from .resources.clones import observe_links_possible
from .resources.cluster import observe_bridges, observe_cluster, observe_taken, observe_templates
from .resources.guests import making_has_ended, observe_config, observe_live, observe_started
from .resources.jobs import observe_jobs
from .resources.ledger import observe_ledger
from .resources.marks import observe_marks
from .resources.rescues import observe_rescue, observe_rescue_possible
from .resources.safety_backups import observe_safety_backup
from .resources.snapshots import observe_snapshots, observe_snapshots_possible

Planner = Callable[[Observed], "Plan | FactsNeeded"]
THREADS = 16
SETTLE_S = 600
"""How long a guest may be in the making. Unpacking a template takes seconds, on a slow disk minutes."""
BEGUN_S = 10
"""How long a guest may be in the making before the task that makes it can be seen."""
SNAPSHOT_S = 60
"""How long a snapshot, or going back to one, may take that nobody waits for any more."""


def nothing_observed(controller: Controller, hidden: frozenset[int] = frozenset(), moved: bool = False) -> Observed:
    return Observed(controller, _now(), hidden=hidden, moved=moved)


def observe(client: Client, planner: Planner, observed: Observed) -> tuple[Plan, Observed]:
    """Ask the planner what it lacks, read that, and ask again until there is a plan."""
    while isinstance(outcome := planner(observed), FactsNeeded):
        observed = observed.having(_read(client, outcome.facts))
        observed = replace(observed, dead_runs=observed.dead_runs | _dead_runs(observed.facts[fact] for fact in outcome.facts))
    return outcome, observed


def _read(client: Client, facts: Iterable[Fact]) -> dict[Fact, Any]:
    wanted = sorted(facts, key=str)
    if len(wanted) <= 2:  # a thread costs a session of its own
        return {fact: READERS[fact.kind](client, *fact.key) for fact in wanted}
    with ThreadPoolExecutor(min(THREADS, len(wanted))) as pool:
        return dict(zip(wanted, pool.map(lambda fact: READERS[fact.kind](client, *fact.key), wanted), strict=True))


def _dead_runs(values: Iterable[Any]) -> set[str]:
    """Of leases and of jobs."""
    values = list(values)
    records = (value.notes.record for value in values if isinstance(value, GuestConfig))
    runs = {record.lease.run for record in records if record and record.lease}
    runs |= {job.run for value in values if isinstance(value, Jobs) for job in value.jobs}
    return {run for run in runs if run_has_ended(run)}


def _config(client: Client, node: str, vmid: int, poll: bool = False) -> GuestConfig:
    """Raises StateMoved for a guest that has gone, or gone elsewhere, since it was listed."""
    try:
        return observe_config(client, node, vmid, poll)
    except ApiError as error:
        guest = observe_cluster(client).guests.get(vmid) if error.status == 500 else None
        if error.status != 500 or (guest and guest.node == node):
            raise
        raise StateMoved(error.reason, error.status, error.method, error.path) from error


def _settled(client: Client, node: str, vmid: int) -> GuestConfig:
    config, began = _config(client, node, vmid), client.clock.now()
    for _poll in client.pauses(SETTLE_S if config.lock in ("create", "migrate") else SNAPSHOT_S):
        config = _config(client, node, vmid, poll=True)
        if config.lock not in SETTLING:
            return config
        if config.lock == "create" and client.clock.now() - began > BEGUN_S and making_has_ended(client, node, vmid):
            return _config(client, node, vmid, poll=True)  # whoever finds the lock in it finds what nobody finishes
    if config.lock != "create":
        return config  # whoever wants to change it is refused
    raise Timeout(f"Guest {vmid} on node {node} is still being created after {SETTLE_S} s. If nobody is creating it, remove it in Proxmox.")


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


READERS: dict[str, Callable[..., Any]] = {
    "cluster": observe_cluster,
    "config": _config,
    "settled": _settled,
    "live": observe_live,
    "started": lambda client, node, vmid: observe_started(client, node, vmid, datetime.now(UTC)),
    "templates": observe_templates,
    "snapshots": observe_snapshots,
    "snapshots_possible": observe_snapshots_possible,
    "links_possible": observe_links_possible,
    "safety_backup": observe_safety_backup,
    "bridges": observe_bridges,
    "ledger": observe_ledger,
    "jobs": observe_jobs,
    "marks": observe_marks,
    "rescue": observe_rescue,
    "rescue_possible": observe_rescue_possible,
    "archives": observe_archives,
    "archived": observe_archived,
    "works": observe_works,
    "all works": observe_all_works,
    "running works": observe_running_works,
    "backup_broke_off": observe_backup_broke_off,
    "uncovered": observe_uncovered,
    "taken": observe_taken,
}
