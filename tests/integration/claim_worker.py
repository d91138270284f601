"""One of many controllers: reserves its names, holds them for a while, and gives them back, until its time is over.

Arguments come as JSON on standard input: `connection`, `names`, `seconds`. Its last line says what it held when it ended.
"""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.api import Client
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.claim_spec import desired_port
from ansible_collections.proximity.platform.plugins.module_utils.controller import identify
from ansible_collections.proximity.platform.plugins.module_utils.errors import ProximityError
from ansible_collections.proximity.platform.plugins.module_utils.nouns.port import PORT
from ansible_collections.proximity.platform.plugins.module_utils.session import Session


def _carry_out(session: Session, **params: Any) -> int | None:
    """What the module does beneath Ansible; answers the slot."""
    wish = desired_port(params)
    plan, observed = PORT.look(session, wish)
    if plan.steps:
        plan, observed = PORT.converge(session, wish, plan, observed)
    slot: int | None = PORT.describe(wish, plan, observed)["port"]["slot"]
    return slot


def _persist(session: Session, counts: dict[str, int], name: str, state: str) -> int | None:
    """Run it until it goes well, as its user would."""
    while True:
        try:
            slot = _carry_out(session, name=name, state=state)
            counts["released" if state == "absent" else "reserved"] += 1
            return slot
        except ProximityError as error:
            counts["failed"] += 1
            print(json.dumps({"failed": f"{name}: {error}"}), flush=True)


def main() -> None:
    given = json.load(sys.stdin)
    params = {name: spec.get("default") for name, spec in connection_arguments().items()} | given["connection"]
    session = Session(Client(connection_of(params)), identify())
    chance, deadline = random.Random(given["names"][0]), time.monotonic() + given["seconds"]
    counts = {"reserved": 0, "released": 0, "failed": 0}
    todo = given["names"] * 2  # each is reserved and released at least once
    chance.shuffle(todo)
    held: set[str] = set()
    while todo or time.monotonic() < deadline:
        name = todo.pop() if todo else chance.choice(given["names"])
        _persist(session, counts, name, "absent" if name in held else "present")
        held ^= {name}
    ends = {name: _persist(session, counts, name, "present") for name in given["names"]}
    print(json.dumps({"held": ends, **counts}), flush=True)


if __name__ == "__main__":
    main()
