# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Rescues, as pools: their names are listed in the call that every run makes anyway, their comments say the rest.

`proximity rescue 1: node=pve1 storage=local-lxc archive=local:backup/vzdump-lxc-8123-2026_03_01-12_00_00.tar.zst`
"""

from __future__ import annotations

from ..api import Client
from ..archives import Rescue
from ..errors import ApiError, OutcomeUnknown, StateMoved
from .refusals import state_may_have_moved

HEADER = "proximity rescue 1:"


def observe_rescue(client: Client, pool: str) -> Rescue | None:
    """What a pool says; nothing where it is none of ours. Raises StateMoved for one that has gone since it was listed."""
    comments = [str(row.get("comment", "")) for row in client.get("/pools") if row["poolid"] == pool]
    if not comments:
        raise StateMoved(f"pool {pool} has gone since it was listed", 200, "GET", "/pools")
    text = comments[0]
    if not text.startswith(HEADER):
        return None
    words = dict(word.split("=", 1) for word in text.removeprefix(HEADER).split() if "=" in word)
    return Rescue(pool, words.get("node", ""), words.get("storage", ""), words.get("archive", ""))


def observe_rescue_possible(client: Client, pool: str) -> bool:
    """Whether this token may make the pool and see it; asking that needs no privilege."""
    path = f"/pool/{pool}"
    held = client.get("/access/permissions", path=path).get(path, {})
    return {"Pool.Allocate", "Pool.Audit"} <= set(held)


def begin_rescue(client: Client, rescue: Rescue) -> None:
    told = f"{HEADER} node={rescue.node} storage={rescue.storage} archive={rescue.archive}"
    with state_may_have_moved():
        client.post("/pools", poolid=rescue.pool, comment=told)


def end_rescue(client: Client, pool: str) -> None:
    """One that is gone already is ended."""
    try:
        client.delete(f"/pools/{pool}")
    except OutcomeUnknown:
        raise
    except ApiError:
        if any(row["poolid"] == pool for row in client.get("/pools")):
            raise
