# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which apps should move where: from a module's parameters to plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from functools import partial
from typing import Any, cast

from .api import Client
from .controller import identify
from .desired import DesiredMoves
from .errors import SpecError, StateMoved
from .observer import Planner, nothing_observed, observe
from .planner.drain import Advice, AdvisedMove, plan_moves

ROUNDS = 5


def desired_moves(params: Mapping[str, Any]) -> DesiredMoves:
    """Read the parameters of module `proximity_moves`, whose documentation explains them."""
    if bool(params.get("drain")) == bool(params.get("balance")):
        raise SpecError("Give either drain, the node to be emptied, or balance: true.")
    for key, least in (("tolerance_percent", 1), ("at_most", 1)):
        if params[key] < least:
            raise SpecError(f"{key} is {params[key]}: give {least} or more.")
    return DesiredMoves(params.get("drain") or "", params.get("storage"), params["tolerance_percent"], params["at_most"])


def give_advice(client: Client, wish: DesiredMoves) -> dict[str, Any]:
    """Look at the cluster; again where something in it moved meanwhile."""
    planner = cast(Planner, partial(plan_moves, wish))
    for round_ in range(ROUNDS):
        try:
            found, _observed = observe(client, planner, nothing_observed(identify()))
            break
        except StateMoved:
            if round_ == ROUNDS - 1:
                raise
            client.clock.sleep(client.clock.random())
    advice = cast(Advice, found)
    return {
        "moves": [{**asdict(move), "wish": _wish(move)} for move in advice.moves],
        "staying": [asdict(guest) for guest in advice.staying],
        "nodes": [asdict(node) for node in advice.nodes],
    }


def _wish(move: AdvisedMove) -> dict[str, str]:
    """The options of proximity_app that bring the move about."""
    return {"name": move.app, "node": move.target, **({"storage": move.storage} if move.storage else {})}
