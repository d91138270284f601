"""The runs after the one that went wrong: one more converges, and a further one changes nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

import lab as labs
from ansible_collections.proximity.platform.plugins.modules import proximity_janitor
from faults.afterwards import all_is_as_wished, is_half_made, nothing_is_lost, remove_with_disks
from faults.deeds import WELL, Deed, Told, perform
from faults.play import run_of_ansible
from faults.world import Thing, record_in


@dataclass(frozen=True)
class Circumstances:
    """What else has happened: `power` was lost on a node; a call came so `late` that only a janitor can find what it has made."""

    power: bool = False
    late: bool = False


def converges(lab: labs.Lab, deed: Deed, before: Mapping[int, Thing], about: Circumstances = Circumstances()) -> Deed:
    """One more run; of an update that comes back, another one with its cause mended; then a run that finds nothing to do.

    Answers what has been done in the end.
    """
    unlocked = _unlock(lab, deed, before)
    again = run_again(lab, deed)
    assert bool(again.failure) == deed.returns, f"one more run: {again.failure or 'went well'}"
    if about.late or unlocked:
        _tidy_up(lab)
    all_is_as_wished(lab, deed, before)
    nothing_is_lost(lab, deed, before, about.power)
    if deed.returns:
        deed = mended(deed)
        assert not run_again(lab, deed).failure, "an update that came back can be made once its cause is mended"
        all_is_as_wished(lab, deed, before)
    further = run_again(lab, deed)
    assert not further.failure
    assert not further.changed, f"a further run changes something: {further.results[0]['plan']}"
    return deed


def _unlock(lab: labs.Lab, deed: Deed, before: Mapping[int, Thing]) -> bool:
    """Where a worker of Proxmox has died, its lock stays, and no API takes it away: the run says so, and a person does it.

    Answers whether. What was there before is unlocked, what was only begun is removed: `pct unlock`, `pct rescan`, `pct destroy`.
    A guest that the deed is not about is in nobody's way.
    """
    guests = lab.cluster.guests.values()
    stuck = [guest for guest in guests if "lock" in guest.config and (guest.vmid in before or not is_half_made(guest))]
    own = {vmid for vmid, thing in before.items() if (record_in(thing.config) or {}).get("name") == deed.app}
    if any(guest.vmid in own or guest.vmid not in before for guest in stuck):
        with run_of_ansible(lab, patient=False) as play:
            told = perform(play, deed).failure
        assert re.search(r"lock|still being created", told), f"this does not say what is in the way: {told!r}"
    for guest in stuck:
        if guest.vmid in before and not is_half_made(guest):
            del guest.config["lock"]
        else:
            remove_with_disks(lab, guest)
    return bool(stuck)


def _tidy_up(lab: labs.Lab) -> None:
    with run_of_ansible(lab) as play:
        told = play.task(proximity_janitor, older_than_s=60, snapshots="remove")
    assert not told.get("failed"), told["msg"]


def run_again(lab: labs.Lab, deed: Deed) -> Told:
    with run_of_ansible(lab) as play:
        return perform(play, deed)


def mended(deed: Deed) -> Deed:
    return replace(deed, guest=WELL, returns=False, entry_version=deed.wish["definition"]["version"])
