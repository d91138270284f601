# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans the end of an app: the record says so first, then it is shut down, then destroyed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..desired import DesiredApp
from ..errors import PlanError
from ..model import Guest, Observed
from ..plans import AppPlan, Step
from . import facts
from .adoption import forget, release_claims
from .interrupted import pending_of
from .leftovers import clone_leftovers
from .records import changed_config, held_by_us, next_record, notes_of, refuse_leased, refuse_locked, taken_lease
from .search import Found, Search


def plan_deletion(app: DesiredApp, search: Search, observed: Observed) -> AppPlan:
    if not search.found:
        _refuse_strangers(app, search.strangers, observed)
        return AppPlan(app.name)
    refuse_leased(app, search.found.record, observed)
    if not search.found.record.adopted:
        return delete_found(app, search.found, observed)
    if not app.destroy_adopted:
        return forget(app.name, search.found, app.port_range, observed)
    plan = delete_found(app, search.found, observed)
    return replace(plan, steps=(*release_claims(search.found.guest.vmid, app.port_range, observed), *plan.steps))


def _refuse_strangers(app: DesiredApp, strangers: Sequence[Guest], observed: Observed) -> None:
    """A guest of that name that is no app does not stand in the way: the app is not there, and warnings tell of the guest.

    It does where it may be an app all the same, since it bears our tag, or where the user says that more than apps of ours is to go.
    """
    configs = facts.configs(observed, strangers)
    for guest in strangers:
        if app.destroy_adopted or "proximity" in configs[guest.vmid].tags:
            raise PlanError(
                f"Guest {guest.vmid} on node {guest.node} is named {app.name} and carries no record of an app: it is not deleted. "
                "Remove it in Proxmox, or adopt it first."
            )


def delete_found(app: DesiredApp, found: Found, observed: Observed) -> AppPlan:
    guest, config, record = found.guest, found.config, found.record
    refuse_locked(app, guest, config)
    if (config.protection or pending_of(record).protected) and not app.ignore_protection:
        raise PlanError(
            f"App {app.name} (guest {guest.vmid}) is protected: it is not deleted. Set protection: false first, or ignore_protection: true."
        )
    removing = next_record(record, observed, status="removing", lease=taken_lease(app, record, observed))
    wished = {"protection": False, "notes": notes_of(app, removing, config.notes) if removing is not record else None}
    stop = Step("stop", "guest", guest.vmid, {"running": True}, {"running": False})
    steps = [
        *clone_leftovers(record, observed),
        *changed_config(config, wished),
        *([stop] if facts.live(observed, guest.node, guest.vmid).running else []),
        Step("delete", "guest", guest.vmid, {"hostname": config.hostname, "node": guest.node, "notes": config.notes}, None),
    ]
    return AppPlan(app.name, guest.vmid, guest.node, config.digest, tuple(steps))


def is_our_first_deployment(found: Found, observed: Observed) -> bool:
    """Only what this very run began to create, and what never ran, may be cleaned away."""
    return not found.record.revision and held_by_us(found.record, observed)
