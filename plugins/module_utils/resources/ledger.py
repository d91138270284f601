# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ledger: claims of slots, spread over the descriptions of directory mappings (`proximity-ports`, `proximity-ports-2`, ...).

Proxmox's digest is one for all mappings: a write with the digest of a read is compare-and-set over all pages, whichever it changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..api import Client
from ..claims import Claim, Ledger
from ..errors import PlanError, StateMoved
from ..wire.ledger import format_page, has_room, parse_page
from .refusals import state_may_have_moved

PATH = "/cluster/mapping/dir"
NOWHERE = ("node=ledger,path=/ledger",)
"""A mapping has to map something; the node need not exist, and nothing is ever mounted."""
TOLD = "Ports are reserved ahead of time: the resource mapping of this name lists them."


@dataclass(frozen=True)
class Page:
    id: str
    claims: tuple[Claim, ...]
    map: tuple[str, ...]
    digest: str


def observe_ledger(client: Client, ledger: str) -> Ledger:
    """Read all pages with one call. A ledger that is not there yet is empty; one that somebody else wrote into raises PlanError."""
    return Ledger(tuple(claim for page in _read(client, ledger) for claim in page.claims))


def write_claim(client: Client, ledger: str, claim: Claim) -> None:
    """Write a claim. Raises StateMoved when its slot is claimed, or its holder has one already, or anybody wrote meanwhile."""
    pages = _read(client, ledger)
    held = [each for page in pages for each in page.claims]
    if claim in held:
        return
    for each in held:
        if each.slot == claim.slot or (each.name, each.vmid) == (claim.name, claim.vmid):
            raise StateMoved(f"slot {each.slot} is claimed by {each.name}", 500, "PUT", PATH)
    page = next((page for page in pages if has_room(page.claims, claim)), None)
    if page is None:
        _begin_page(client, ledger, pages)
        write_claim(client, ledger, claim)
    else:
        _write(client, page, [*page.claims, claim])


def erase_claim(client: Client, ledger: str, claim: Claim) -> None:
    """Take a claim out; one that is not there any more is gone."""
    for page in _read(client, ledger):
        if claim in page.claims:
            _write(client, page, [each for each in page.claims if each != claim])


def announce_ledger(client: Client, ledger: str) -> None:
    """Make the pool that tells deployments to read the ledger: pools are listed in the call that they make anyway."""
    with state_may_have_moved():
        client.post("/pools", poolid=ledger, comment=TOLD)


def _read(client: Client, ledger: str) -> list[Page]:
    name = re.compile(rf"{re.escape(ledger)}(-\d+)?")
    rows = [row for row in client.get(PATH) if name.fullmatch(str(row["id"]))]
    return [_page(row) for row in sorted(rows, key=lambda row: (len(row["id"]), row["id"]))]


def _page(row: dict[str, Any]) -> Page:
    try:
        claims = parse_page(str(row.get("description", "")))
    except ValueError as error:
        raise PlanError(
            f"The ledger cannot be read: the comment of directory mapping {row['id']} {error}. Mend it, or name another ledger."
        ) from error
    return Page(str(row["id"]), claims, tuple(map(str, row["map"])), str(row["digest"]))


def _begin_page(client: Client, ledger: str, pages: list[Page]) -> None:
    """Begin an empty page: a claim in it would be written without comparing."""
    taken = {page.id for page in pages}
    names = [ledger, *(f"{ledger}-{number}" for number in range(2, len(pages) + 2))]
    with state_may_have_moved():
        client.post(PATH, id=next(name for name in names if name not in taken), map=list(NOWHERE))


def _write(client: Client, page: Page, claims: Iterable[Claim]) -> None:
    with state_may_have_moved():
        client.put(f"{PATH}/{page.id}", map=list(page.map), description=format_page(claims), digest=page.digest)
