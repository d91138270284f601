# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects on slots and their ledger."""

from __future__ import annotations

from dataclasses import replace

from ...claims import Ledger, claim_of
from ...model import Cluster
from ...plans import Step
from ..facts import CLUSTER
from .guests import Effect, Facts


def _claimed(node: str, step: Step, known: Facts) -> Facts:
    claim = claim_of(step.id, step.after or {})
    return {fact: Ledger((*known[fact].claims, claim)) for fact in known if fact.kind == "ledger"}


def _released(node: str, step: Step, known: Facts) -> Facts:
    claim = claim_of(step.id, step.before or {})
    kept = {fact: tuple(each for each in known[fact].claims if each != claim) for fact in known if fact.kind == "ledger"}
    return {fact: Ledger(claims) for fact, claims in kept.items()}


def _announced(node: str, step: Step, known: Facts) -> Facts:
    cluster: Cluster = known[CLUSTER]
    return {CLUSTER: replace(cluster, pools=cluster.pools | {(step.after or {})["pool"]})}


SLOT_EFFECTS: dict[tuple[str, str], Effect] = {
    ("claim", "slot"): _claimed,
    ("release", "slot"): _released,
    ("announce", "slot"): _announced,
}
