# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans many apps, looking no deeper than the wish allows at those that are in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from ..desired import DesiredApp
from ..errors import PlanError
from ..fleets import DesiredFleet
from ..model import Cluster, Fact, FactsNeeded, Guest, Live, Observed
from ..plans import AppPlan, Plan
from . import facts
from .apps import plan_app
from .collection import collect
from .records import OUR_TAG
from .slots import Claims

IRRELEVANT = ("storage", "template", "pool", "ssh_public_keys", "defaults", "clone", "port_range", "timeouts")
"""What a wish says of an app that is yet to be made, and how long things may take."""
CHOICES = (
    *("on_failure", "on_update_failure", "update_attempts", "ignore_protection", "destroy_adopted", "take_over_lease"),
    *("restart", "safety"),
)
"""What a wish says of changes, should there be any."""
SHOWN = {"started": ("running",), "present": ("running", "stopped"), "stopped": ("stopped",)}
"""State -> the statuses in the cluster's list that are as wished."""


@dataclass(frozen=True)
class ListedPlan(AppPlan):
    """Of an app that is in order as far as the cluster's list tells; nothing else of it was looked at."""


def plan_fleet(wish: DesiredFleet, observed: Observed) -> Plan | FactsNeeded:
    claims = Claims()
    refused = ((name, partial(_refuse, refusal)) for name, refusal in wish.refused.items())
    return collect([*refused, *((app.name, partial(plan_member, app, wish.depth, observed, claims)) for app in wish.apps)])


def plan_member(app: DesiredApp, depth: str, observed: Observed, claims: Claims) -> AppPlan:
    """Plan one of many. What the list says of a guest's power is believed as long as nothing is to be done with it."""
    if depth == "full" or app.report or app.hold or app.name in claims.names:
        return plan_app(app, observed, claims)
    listed = find_settled(app, facts.cluster(observed)) if depth == "tags" else None
    if listed:
        claims.names.add(app.name)
        return ListedPlan(app.name, listed.vmid, listed.node)
    quick = plan_app(app, replace(observed, facts=_Presumed(observed)), Claims())
    if quick.steps or quick.converge:
        return plan_app(app, observed, claims)
    claims.names.add(app.name)
    return quick


def find_settled(app: DesiredApp, cluster: Cluster) -> Guest | None:
    """The guest that is the app and is as wished, where the list alone can tell; a wish that says more than the list shows is not judged.

    The tag with the revision says that the record is settled (see `records.tags_of`).
    """
    rows = cluster.containers.get(app.name, [])
    if len(rows) != 1 or _unjudged(app):
        return None
    guest = rows[0]
    signs = {"proximity", *([app.entry] if app.entry else []), *([f"rev-{app.release.revision}"] if app.release else [])}
    as_wished = (
        signs <= set(guest.tags),
        guest.status in SHOWN.get(app.state, ()),
        not guest.lock,
        not guest.slot,
        guest.vmid in app.port_range.slots,  # most copies have another number
        cluster.is_online(guest.node),
        app.node in (None, guest.node) and app.off_node != guest.node,
        app.tags is None or set(app.tags) == {tag for tag in guest.tags if tag not in signs and not OUR_TAG.fullmatch(tag)},
    )
    return guest if all(as_wished) else None


def _unjudged(app: DesiredApp) -> bool:
    """Whether the wish says anything that a row of the list does not show; so does all that this function does not know."""
    plain = DesiredApp(app.name)
    known = ("state", "entry", "release", "node", "off_node", "tags", *IRRELEVANT, *CHOICES)
    return replace(app, **{key: getattr(plain, key) for key in known if hasattr(plain, key)}) != plain


class _Presumed(Mapping[Fact, Any]):
    """What is known, and beyond that the power of guests as the cluster's list has it."""

    def __init__(self, observed: Observed) -> None:
        self._facts = observed.facts

    def __getitem__(self, fact: Fact) -> Any:
        return self._facts[fact] if fact in self._facts else Live(self._listed(fact) == "running")

    def __contains__(self, fact: object) -> bool:
        return fact in self._facts or (isinstance(fact, Fact) and self._listed(fact) in ("running", "stopped"))

    def __iter__(self) -> Iterator[Fact]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)

    def _listed(self, fact: Fact) -> str:
        guest = self._facts[facts.CLUSTER].guests.get(fact.key[1]) if fact.kind == "live" and facts.CLUSTER in self._facts else None
        return guest.status if guest and guest.node == fact.key[0] else ""


def _refuse(refusal: Exception) -> AppPlan:
    raise PlanError(str(refusal)) from refusal
