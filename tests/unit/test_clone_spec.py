"""What is said of clones and moves, read; and what makes no sense, told."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.advice import desired_moves
from ansible_collections.proximity.platform.plugins.module_utils.desired import Clone, DesiredMoves
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app

MOVES = {"tolerance_percent": 20, "at_most": 5}


def test_clone_is_read() -> None:
    assert desired_app({"name": "feeds-test", "clone_from": "feeds"}).clone == Clone("feeds", "full", "keep")
    assert desired_app({"name": "feeds-test", "clone_from": "feeds", "clone_mode": "linked"}).clone == Clone("feeds", "linked", "keep")
    assert desired_app({"name": "feeds-test"}).clone is None
    assert desired_app({"name": "feeds-test", "clone_from": "feeds", "state": "absent"}).clone is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"clone_from": "feeds-test"}, "cannot be cloned from itself"),
        ({"clone_from": "Feeds!"}, "The app's name 'Feeds!' cannot be used"),
        ({"clone_from": "feeds", "clone_secrets": "renew"}, "the entry says which secrets may change"),
        ({"node": "pve1", "off_node": "pve1"}, "node and off_node are both pve1"),
    ],
)
def test_nonsense_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        desired_app({"name": "feeds-test", **given})


def test_question_of_moves_is_read() -> None:
    assert desired_moves({**MOVES, "drain": "pve1", "storage": "fast"}) == DesiredMoves("pve1", "fast")
    assert desired_moves({**MOVES, "balance": True, "at_most": 1}) == DesiredMoves(at_most=1)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "Give either drain"),
        ({"drain": "pve1", "balance": True}, "Give either drain"),
        ({"balance": True, "at_most": 0}, "at_most is 0"),
        ({"balance": True, "tolerance_percent": 0}, "tolerance_percent is 0"),
    ],
)
def test_nonsense_about_moves_is_told(given: dict[str, Any], told: str) -> None:
    with pytest.raises(SpecError, match=told):
        desired_moves({**MOVES, **given})
