"""One of many controllers: deploys its apps with proximity_apps in one go, reports each as healthy, and goes on until all are settled.

Parameters of the module come as JSON on standard input; the last line says how many tries it took and what was refused meanwhile.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.api import Client
from ansible_collections.proximity.platform.plugins.module_utils.app_arguments import complete_app
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.controller import identify
from ansible_collections.proximity.platform.plugins.module_utils.errors import ProximityError
from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_fleet
from ansible_collections.proximity.platform.plugins.module_utils.nouns.app import APP
from ansible_collections.proximity.platform.plugins.module_utils.nouns.fleet import FLEET
from ansible_collections.proximity.platform.plugins.module_utils.plans import Plan
from ansible_collections.proximity.platform.plugins.module_utils.session import Session
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app

LIMIT_S = 90


def _deploy(session: Session, params: dict[str, Any]) -> dict[str, Any]:
    """What the module does beneath Ansible."""
    wish = desired_fleet(params)
    plan, observed = FLEET.look(session, wish)
    if plan.steps:
        plan, observed = FLEET.converge(session, wish, plan, observed)
    return FLEET.describe(wish, Plan(plan.apps), observed)


def _report(session: Session, row: dict[str, Any]) -> None:
    where = {"vmid": row["vmid"], "node": row["node"], "healthy": True, "address": row["address"] or ""}
    where |= {"epoch": row["record"]["lease"]["epoch"]} if row["record"] and row["record"]["lease"] else {}
    wish = desired_app(complete_app({"name": row["name"], "report": where}))
    plan, observed = APP.look(session, wish)
    APP.converge(session, wish, plan, observed)


def main() -> None:
    given = json.load(sys.stdin)
    params = {name: spec.get("default") for name, spec in connection_arguments().items()} | {"depth": "tags", "threads": 4} | given
    session = Session(Client(connection_of(params)), identify())
    deadline, tries, refused = time.monotonic() + LIMIT_S, 0, set[str]()
    while time.monotonic() < deadline:
        tries += 1
        told = _deploy(session, params)
        for row in told["apps"]:
            if row["failed"]:
                refused.add(row["msg"])
            elif row["converge"]:
                try:
                    _report(session, row)
                except ProximityError as error:
                    refused.add(str(error))
        if not told["failures"] and not told["converge"]:
            break
        time.sleep(1)
    print(
        json.dumps({"tries": tries, "refused": sorted(refused), "calls": dict(session.client.calls), "left": told["failures"]}), flush=True
    )


if __name__ == "__main__":
    main()
