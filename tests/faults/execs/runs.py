"""The runs after the one that was struck: one more converges, and a further one changes nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from faults.afterwards import all_is_as_wished, nothing_is_lost
from faults.execs.inside import Inside, all_inside_is_as_wished, look, nothing_inside_is_lost
from faults.execs.jobs import Job
from faults.execs.site import Site
from faults.world import Thing, apps, record_in, things


@dataclass(frozen=True)
class Before:
    """What was there before a job."""

    things: Mapping[int, Thing]
    inside: Inside | None

    @staticmethod
    def of(site: Site) -> Before:
        return Before(things(site.lab), look(site, "hello") if apps(site.lab, "hello") else None)


def nothing_at_all_is_lost(site: Site, job: Job, before: Before, power: bool = False) -> None:
    nothing_is_lost(site.lab, job.deed, before.things, power)
    if job.deed.there:
        nothing_inside_is_lost(site, "hello", before.inside)


def all_is_well(site: Site, job: Job, before: Before) -> None:
    all_is_as_wished(site.lab, job.deed, before.things)
    all_inside_is_as_wished(site, job, before.inside)


def is_on_its_way_back(site: Site, job: Job) -> bool:
    """Whether a run before has left an app between two revisions: the next one brings it back, and fails with both stories."""
    records = [record_in(guest.config) or {} for guest in apps(site.lab, job.deed.app)]
    return any(record["status"] == "restoring" for record in records)


def converges(site: Site, job: Job, before: Before, power: bool = False, done: bool = False) -> None:
    """`done`: the run that was struck did its work all the same, so that one more has nothing to do."""
    if is_on_its_way_back(site, job) and not job.deed.returns:
        told = site.play(job)
        assert "on its way back" in told.failure, told.failure or "this run went well"
        nothing_at_all_is_lost(site, job, before, power)
    again = site.play(job)
    assert bool(again.failure) == job.deed.returns, f"one more run: {again.failure or 'went well'}"
    assert not (done and again.changed), f"one more run changes something: {again.output[-3000:]}"
    all_is_well(site, job, before)
    nothing_at_all_is_lost(site, job, before, power)
    if job.deed.returns:
        job = job.after_mending()
        mended = site.play(job)
        assert not mended.failure, f"an update whose cause is mended: {mended.failure}"
        all_is_well(site, job, before)
    further = again if done else site.play(job)
    assert not further.failure
    assert not further.changed, f"a further run changes something: {further.output[-3000:]}"
