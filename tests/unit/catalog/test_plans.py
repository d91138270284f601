# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every entry can be deployed as the planner sees it, on what the lab with simulated guests looks like."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import lab
import pytest
from ansible_collections.proximity.platform.plugins.module_utils.api import Client, Connection
from ansible_collections.proximity.platform.plugins.module_utils.controller import identify
from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry, parse_entry
from ansible_collections.proximity.platform.plugins.module_utils.observer import nothing_observed, observe
from ansible_collections.proximity.platform.plugins.module_utils.planner.apps import plan_apps
from ansible_collections.proximity.platform.plugins.module_utils.plans import AppPlan
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import browse
from catalog.examples import needed_options
from unit.catalog.test_entries import FOLDERS

ENTRIES: dict[str, Entry] = {folder.name: parse_entry(inspect_entry(folder, "catalog")[0]) for folder in FOLDERS}


@pytest.fixture(scope="module")
def plans() -> Iterator[dict[str, AppPlan]]:
    """All entries planned together, as a fleet is; nothing is written."""
    wishes = [desired_app(wish(folder.name, inspect_entry(folder, "catalog")[0])) for folder in FOLDERS]
    with lab.start(seed="demo") as server:
        url, (token, _sign, secret) = urlsplit(server.url), server.token.partition("=")
        user, _sign, token_id = token.partition("!")
        client = Client(
            Connection(str(url.hostname), int(url.port or 0), user, token_id, secret, ca_path=str(server.ca_path)), read_only=True
        )
        plan, _observed = observe(client, partial(plan_apps, wishes), nothing_observed(identify()))
        assert client.calls["writes"] == 0
    yield {each.name: each for each in plan.apps}


def wish(name: str, definition: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "definition": definition,
        "options": needed_options(parse_entry(definition)),
        "state": "started",
        "template": "debian-13-docker",
    }


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_has_a_plan(plans: dict[str, AppPlan], name: str) -> None:
    plan, entry = plans[name], ENTRIES[name]
    assert plan.refusal is None and plan.first and plan.converge
    assert [(step.verb, step.kind) for step in plan.steps][:1] == [("create", "guest")]
    after = plan.steps[0].after or {}
    wanted = vars(entry.resources.recommended)
    assert {key: after[key] for key in wanted} == wanted


def test_each_gets_a_number_of_its_own(plans: dict[str, AppPlan]) -> None:
    numbers = [plan.vmid for plan in plans.values()]
    assert len(set(numbers)) == len(ENTRIES) and all(8100 <= number <= 8999 for number in numbers)


def test_the_sum_of_the_plans_is_what_the_statistics_say(plans: dict[str, AppPlan]) -> None:
    own = [inspect_entry(folder, "catalog")[0] for folder in FOLDERS]
    told = browse.statistics(own)["recommended"]
    assert told == {key: sum((plan.steps[0].after or {})[key] for plan in plans.values()) for key in told}
