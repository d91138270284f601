"""Whose backup is due, and when it is whose turn."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.backup_turns import turns, turns_of_clusters
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.wire.times import format_time

NOW = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)  # a Sunday


def listing(ages_h: dict[str, float | None], nodes: int = 2, covered: tuple[str, ...] = ()) -> dict[str, Any]:
    apps = [{"name": name, "node": f"pve{number % nodes + 1}", "covered": name in covered} for number, name in enumerate(ages_h)]
    made = {name: format_time(NOW - timedelta(hours=age)) for name, age in ages_h.items() if age is not None}
    return {"apps": apps, "backups": [{"kind": "backup", "app": name, "made": moment} for name, moment in made.items()]}


def wishes(*names: str, **policy: Any) -> list[dict[str, Any]]:
    return [{"host": name, "name": name, "policy": {"max_age": "1d", **policy}, "force": False} for name in names]


def due(answer: dict[str, dict[str, Any]]) -> set[str]:
    return {host for host, said in answer.items() if said["turn"] is not None}


def test_only_what_is_old_is_due() -> None:
    assert due(turns(listing({"a": 25, "b": 23, "c": None}), wishes("a", "b", "c"), NOW)) == {"a", "c"}


def test_each_turn_has_one_app_of_a_node_and_the_oldest_comes_first() -> None:
    names = [f"app-{number}" for number in range(200)]
    listed = listing({name: 200 - number for number, name in enumerate(names)}, nodes=4)
    answer = turns(listed, wishes(*names, max_age="1h"), NOW)
    node = {app["name"]: app["node"] for app in listed["apps"]}
    assert set(Counter((node[name], answer[name]["turn"]) for name in due(answer)).values()) == {1}
    assert max(answer[name]["turn"] for name in due(answer)) == 49
    assert answer["app-0"]["turn"] == 0 and answer["app-199"]["turn"] is None


def test_what_a_job_of_the_cluster_covers_is_not_doubled() -> None:
    listed = listing({"a": None, "b": None}, covered=("a",))
    assert due(turns(listed, wishes("a", "b"), NOW)) == {"b"}
    assert due(turns(listed, wishes("a", "b", jobs="ignore"), NOW)) == {"a", "b"}


@pytest.mark.parametrize(
    ("policy", "is_due"),
    [
        ({"window": "01:00-05:00"}, True),
        ({"window": "03:00-05:00"}, False),
        ({"window": "22:00-04:00"}, True),
        ({"window": "22:00-04:00", "days": ["sat"]}, True),
        ({"window": "22:00-04:00", "days": ["sun"]}, False),
        ({"days": ["Sunday"]}, True),
        ({"days": ["mon"]}, False),
    ],
)
def test_a_window(policy: dict[str, Any], is_due: bool) -> None:
    assert bool(due(turns(listing({"a": None}), wishes("a", **policy), NOW))) == is_due


def test_asked_for_is_due_at_any_time() -> None:
    (wish,) = wishes("a", window="03:00-04:00")
    assert due(turns(listing({"a": 1}), [{**wish, "force": True}], NOW)) == {"a"}


@pytest.mark.parametrize("policy", [{"window": "soon"}, {"days": ["someday"]}, {"maxage": "1d"}, {"max_age": "old"}])
def test_a_policy_that_makes_no_sense(policy: dict[str, Any]) -> None:
    with pytest.raises(SpecError):
        turns(listing({"a": 1}), wishes("a", **policy), NOW)


def test_clusters_take_their_turns_side_by_side_and_a_dead_one_says_so() -> None:
    mine = [{**wish, "cluster": "home", "host": f"home-{wish['name']}"} for wish in wishes("a", "b", "c")]
    theirs = [{**wish, "cluster": "office", "host": f"office-{wish['name']}"} for wish in wishes("a", "b")]
    looks = {"home-a": listing({"a": None, "b": None, "c": 1}, nodes=1), "office-a": {"failed": False, "msg": "It does not answer."}}
    answer = turns_of_clusters([*mine, *theirs], looks, NOW)
    assert {host: said["turn"] for host, said in answer.items()} == {
        "home-a": 0,
        "home-b": 1,
        "home-c": None,
        "office-a": None,
        "office-b": None,
    }
    assert all("It does not answer." in answer[host]["failed"] for host in ("office-a", "office-b"))
    assert not any(answer[host]["failed"] for host in ("home-a", "home-b", "home-c"))
