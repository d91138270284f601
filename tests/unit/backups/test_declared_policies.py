"""Policies as hosts of an inventory declare them, whose turn it is, and what is told where nobody answers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.proximity.platform.plugins.action import proximity_backups
from ansible_collections.proximity.platform.plugins.action.proximity_hooked_backup import ARGUMENTS
from ansible_collections.proximity.platform.plugins.module_utils.archives import Archive, Label
from ansible_collections.proximity.platform.plugins.module_utils.backup_arguments import complete_member
from ansible_collections.proximity.platform.plugins.module_utils.batch_spec import desired_backups, parse_window
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.planner.policies import DuePlan, is_open, oldest_first
from ansible_collections.proximity.platform.plugins.plugin_utils.backup_declarations import (
    DEFAULTS,
    PLAIN,
    Entries,
    declared_backup,
    hooks_for,
    is_its_time,
    policy_of,
    read_backups,
)
from unit.test_modules import _docs, _facts_of_docs, _facts_of_spec

ROOT = Path(__file__).parents[3]
DATABASE = {"app_catalog_id": "lab-db", "app_catalog_paths": [str(ROOT / "tests" / "lab_catalog")]}
PLAIN_APP = {**DATABASE, "app_catalog_id": "lab-web"}
SUNDAY_0230 = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)


class Broken(dict[str, Any]):
    """Variables with a template that cannot be rendered."""

    def __getitem__(self, key: str) -> Any:
        if key == "backup_policy":
            raise AnsibleUndefinedVariable("'nobody' is undefined")
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        try:
            return self[key]
        except KeyError:
            return default


def declared(**variables: Any) -> dict[str, Any]:
    return declared_backup("feeds", {"inventory_hostname": "feeds", **variables}, Entries())


def test_defaults_are_those_of_the_role() -> None:
    defaults = yaml.safe_load((ROOT / "roles/backup/defaults/main.yml").read_text())
    assert defaults["backup_defaults"] == DEFAULTS


def test_every_variable_that_the_role_takes_is_read() -> None:
    """Whoever gives the role a new variable learns here that the batch reads it too, or does not."""
    (task,) = yaml.safe_load((ROOT / "roles/backup/tasks/present.yml").read_text())
    taken = set(task["proximity.platform.proximity_hooked_backup"]) - {"name", "hooks", *DEFAULTS, "storage", "keep", "protected"}
    assert taken == set(PLAIN)


def test_later_policies_win_key_by_key() -> None:
    owners = {"anna": {"max_age": "6h", "compress": "gzip"}}
    app = declared(app_owner="anna", backup_owner_policies=owners, backup_policy={"compress": "none", "window": "01:00-05:00"})
    assert (app["max_age"], app["compress"], app["window"], app["mode"]) == ("6h", "none", "01:00-05:00", "snapshot")
    assert declared(app_owner="ben", backup_owner_policies=owners)["max_age"] == "1d"
    assert policy_of("feeds", {"backup_defaults": {"max_age": "2w"}}) == {"max_age": "2w"}
    assert complete_member(app)["host"] == "feeds"


def test_the_name_and_what_else_a_host_says() -> None:
    app = declared(app_name="news", backup_force=True, backup_notes="", app_port_range={"public": "8100-8199"})
    assert (app["name"], app["host"], app["force"], app["port_range"]) == ("news", "feeds", True, {"public": "8100-8199"})
    assert "notes" not in app
    assert declared(app_name="news", backup_name="older")["name"] == "older"


@pytest.mark.parametrize(
    ("variables", "hooks"),
    [
        (DATABASE, True),
        (PLAIN_APP, False),
        ({}, False),
        ({**DATABASE, "app_stack": False}, False),
        ({**DATABASE, "app_stack": "false"}, False),
        ({**DATABASE, "backup_policy": {"hooks": False}}, False),
        ({**DATABASE, "backup_policy": {"mode": "stop"}}, False),
    ],
)
def test_who_has_to_be_made_ready(variables: dict[str, Any], hooks: bool) -> None:
    assert declared(**variables)["hooks"] is hooks


def test_hooks_are_those_of_the_entry_in_the_folder_of_the_app() -> None:
    variables = {**DATABASE, "inventory_hostname": "feeds", "backup_root": "/srv/apps"}
    hooks = hooks_for(variables, {}, Entries())
    assert [dump["file"] for dump in hooks["dumps"]] == ["/srv/apps/feeds/dumps/db-rows.pg_dump"]


def test_an_entry_that_cannot_be_read_is_trouble_for_its_app_only() -> None:
    every = {"feeds": {"inventory_hostname": "feeds", "app_catalog_id": "gone"}, "wiki": {"inventory_hostname": "wiki"}}
    found, unread = read_backups([*every, "nobody"], every)
    assert "its entry says what is to be done before, and cannot be read" in found["feeds"][0]["trouble"]
    assert "trouble" not in found["wiki"][0] and list(unread) == ["nobody"]


def test_variables_that_cannot_be_read_or_make_no_sense() -> None:
    every = {"feeds": Broken(backup_policy="", inventory_hostname="feeds"), "wiki": {"backup_policy": {"maxage": "1d"}}}
    found, unread = read_backups(every, every)
    assert found == {} and "'nobody' is undefined" in unread["feeds"]
    assert unread["wiki"].startswith("The backup policy of wiki has maxage; it may have compress, days, ")


def test_the_documentation_of_the_action_equals_its_arguments() -> None:
    documented = {option: _facts_of_docs(each) for option, each in _docs("proximity_hooked_backup").items()}
    assert documented == {option: _facts_of_spec(each) for option, each in ARGUMENTS.items()}


def _wish(*apps: dict[str, Any], **common: Any) -> Any:
    return desired_backups({"apps": list(apps), "common": common, "threads": 8})


def test_one_wish_that_makes_no_sense_is_refused_alone() -> None:
    wish = _wish(
        {"name": "a"}, {"name": "b", "max_age": "old"}, {"name": "c", "maxage": "1d"}, {"name": "d", "days": ["someday"]}, mode="stop"
    )
    assert [(member.host, member.wish.mode) for member in wish.members] == [("a", "stop")]
    assert set(wish.refused) == {"b", "c", "d"}


def test_an_app_of_two_hosts_is_backed_up_once() -> None:
    wish = _wish({"name": "a", "host": "one"}, {"name": "a", "host": "two"})
    assert [member.host for member in wish.members] == ["one"] and "declared by host one too" in str(wish.refused["two"])
    with pytest.raises(SpecError, match="a stands in apps twice"):
        _wish({"name": "a"}, {"name": "a"})
    with pytest.raises(SpecError, match="has no name"):
        _wish({"max_age": "1d"})


@pytest.mark.parametrize(
    ("window", "days", "opens"),
    [
        ("01:00-05:00", None, True),
        ("1:00-5:00", None, True),
        ("03:00-05:00", None, False),
        ("22:00-04:00", None, True),
        ("22:00-04:00", ["sat"], True),
        ("22:00-04:00", ["sun"], False),
        ("", ["Sunday"], True),
        ("", ["mon"], False),
        ("00:00-00:00", None, False),
    ],
)
def test_a_window(window: str, days: list[str] | None, opens: bool) -> None:
    (member,) = _wish({"name": "a", "window": window, "days": days}).members
    assert is_open(parse_window(window, days or ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]), SUNDAY_0230) == opens
    assert member.window.days == parse_window(window, days or ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]).days


def test_the_oldest_backup_comes_first_and_before_it_those_without_any() -> None:
    def plan(name: str, day: int) -> DuePlan:
        made = datetime(2026, 3, day or 1, tzinfo=UTC)
        return DuePlan(
            name, host=name, newest=Archive("x", "local", "pve1", 8100, made, made, label=Label("", name, 8100)) if day else None
        )

    plans = [plan("b", 3), plan("a", 2), plan("d", 0), plan("c", 0)]
    assert [each.name for each in oldest_first(plans)] == ["c", "d", "a", "b"]


def test_a_window_is_asked_for_again_at_the_turn() -> None:
    closed = declared(backup_policy={"window": "00:00-00:00"})
    assert not is_its_time(closed) and is_its_time({**closed, "force": True}) and is_its_time(declared())


def row(host: str, node: str, made: str | None, hooked: bool = True, failed: bool = False) -> dict[str, Any]:
    return {"host": host, "node": node, "hooked": hooked, "failed": failed, "backup": {"made": made} if made else None}


def test_a_queue_for_each_node_of_each_cluster() -> None:
    home = {"apps": [row("a", "pve1", "2026-03-02"), row("b", "pve1", None), row("c", "pve2", None), row("d", "pve2", None, hooked=False)]}
    office = {"apps": [row("e", "pve1", None), row("f", "pve1", None, failed=True)]}
    assert proximity_backups._queues([home, office]) == {"b": ["b", "a"], "c": ["c"], "e": ["e"]}


def test_a_cluster_that_does_not_answer_fails_each_of_its_apps() -> None:
    answer = proximity_backups._complete([{"name": "feeds", "host": "home-feeds"}], {"failed": True, "msg": "It does not answer."})
    (told,) = answer["apps"]
    assert (told["host"], told["failed"], answer["failures"]) == ("home-feeds", True, ["home-feeds"])
    assert told["msg"] == "The backups of its cluster could not be looked at. It does not answer."
