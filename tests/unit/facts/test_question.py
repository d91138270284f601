"""What a question is made of."""

from __future__ import annotations

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.facts import PARTS, USUAL, question_of


def test_nothing_given_asks_for_the_usual() -> None:
    question = question_of({})
    assert question.parts == set(USUAL)
    assert not question.needs_records


def test_all_is_everything() -> None:
    assert question_of({"gather_subset": ["all"]}).parts == set(PARTS)


def test_an_owner_needs_records() -> None:
    assert question_of({"gather_subset": ["apps"], "owner": ["anna"]}).needs_records


@pytest.mark.parametrize("threads", [-1, 33])
def test_threads_are_bounded(threads: int) -> None:
    with pytest.raises(SpecError, match=f"threads is {threads}: give a number from 1 to 32."):
        question_of({"threads": threads})
