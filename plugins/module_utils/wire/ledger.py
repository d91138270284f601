# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A page of the ledger: one line of claims, as the description of a directory mapping.

proximity ports 1: 8123=feeds.htk6z5 8124=shop@105.htk702

A slot is reserved for a name, or held by an adopted guest (`@105`), since a moment: minutes since 1970, in base 36.
Names hold no dots, numbers and names no blanks, and all of it is ASCII, which is what the mapping's file keeps as it was.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from ..claims import Claim

PAGE_LIMIT = 4096
"""Characters that Proxmox takes as the description of a mapping."""
HEADER = "proximity ports 1:"
CLAIM = re.compile(r"(\d+)=([a-z0-9-]+)(?:@(\d+))?\.([0-9a-z]+)")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_page(text: str) -> tuple[Claim, ...]:
    """Read a page; an empty one is new. Raises ValueError for one that somebody else has written."""
    if not text.strip():
        return ()
    head, words = text[: len(HEADER)], text[len(HEADER) :].split()
    matches = [CLAIM.fullmatch(word) for word in words]
    if head != HEADER or not all(matches):
        raise ValueError(f"is '{text[:60]}', not '{HEADER} SLOT=NAME.MINUTE ...'")
    return tuple(Claim(int(m[1]), m[2], int(m[3] or 0), EPOCH + timedelta(minutes=int(m[4], 36))) for m in matches if m)


def format_page(claims: Iterable[Claim]) -> str:
    return " ".join([HEADER, *map(format_claim, sorted(claims, key=lambda claim: claim.slot))])


def format_claim(claim: Claim) -> str:
    guest = f"@{claim.vmid}" if claim.vmid else ""
    return f"{claim.slot}={claim.name}{guest}.{_base36(((claim.made or EPOCH) - EPOCH) // timedelta(minutes=1))}"


def has_room(claims: Iterable[Claim], claim: Claim) -> bool:
    return len(format_page([*claims, claim])) <= PAGE_LIMIT


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 36)
        digits = DIGITS[rest] + digits
    return digits or "0"
