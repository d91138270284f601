"""A page of the ledger as text, and how much fits."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.claims import Claim
from ansible_collections.proximity.platform.plugins.module_utils.wire.ledger import HEADER, PAGE_LIMIT, format_page, has_room, parse_page
from hypothesis import given
from hypothesis import strategies as st

MADE = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", fullmatch=True)
MOMENTS = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1)).map(lambda each: each.replace(second=0, microsecond=0, tzinfo=UTC))
CLAIMS = st.builds(Claim, st.integers(100, 999999999), NAMES, st.integers(0, 999999999), MOMENTS)


@given(st.lists(CLAIMS, unique_by=lambda claim: claim.slot))
def test_what_is_written_is_read(claims: list[Claim]) -> None:
    text = format_page(claims)
    read = parse_page(text)
    assert text.isascii()
    assert "\n" not in text
    assert sorted(read, key=lambda claim: claim.slot) == sorted(claims, key=lambda claim: claim.slot)
    assert {claim.slot: claim.made for claim in read} == {claim.slot: claim.made for claim in claims}


def test_a_page_reads_so() -> None:
    claims = [Claim(8124, "shop", 105, MADE), Claim(8123, "feeds", 0, MADE)]
    assert format_page(claims) == "proximity ports 1: 8123=feeds.hl4s0 8124=shop@105.hl4s0"


def test_an_empty_description_is_an_empty_page() -> None:
    assert parse_page("") == parse_page(HEADER) == ()


@pytest.mark.parametrize("text", ["Do not touch", f"{HEADER} 8123=feeds", f"{HEADER} 8123=Feeds.1", "proximity ports 2: 8123=feeds.1"])
def test_what_somebody_else_wrote_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not 'proximity ports 1"):
        parse_page(text)


@pytest.mark.parametrize(("length", "pages"), [(8, 3), (12, 3), (63, 9)])
def test_pages_for_450_pairs(length: int, pages: int) -> None:
    """Names of a usual length take three pages; nine hold them whatever they are called."""
    book: list[list[Claim]] = [[]]
    for slot in range(8100, 8550):
        claim = Claim(slot, f"{slot}".ljust(length, "n"), 0, MADE)
        if not has_room(book[-1], claim):
            book.append([])
        book[-1].append(claim)
    assert len(book) <= pages
    assert all(len(format_page(page)) <= PAGE_LIMIT for page in book)
