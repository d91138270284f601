"""Apps as hosts of an inventory declare them, and how many clusters' answers become one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible_collections.proximity.platform.plugins.action import proximity_apps
from ansible_collections.proximity.platform.plugins.module_utils.app_arguments import app_arguments, complete_app
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import (
    desired_fleet,
    desired_job,
    desired_reconciliation,
    desired_tidiness,
)
from ansible_collections.proximity.platform.plugins.plugin_utils.declarations import (
    NOT_DECLARED,
    OTHERWISE,
    TOGETHER,
    by_cluster,
    declared_app,
    is_on_cluster,
    read_hosts,
    resolve_entries,
)

ROOT = Path(__file__).parents[3]
INLINE = {"id": "x", "name": "X"}


class Broken(dict[str, Any]):
    """Variables with a template that cannot be rendered."""

    def __getitem__(self, key: str) -> Any:
        if key == "app_owner":
            raise AnsibleUndefinedVariable("'nobody' is undefined")
        return super().__getitem__(key)


def _role_task() -> dict[str, str]:
    tasks = yaml.safe_load((ROOT / "roles/app/tasks/deploy.yml").read_text())
    return next(task["proximity.platform.proximity_app"] for task in tasks if "proximity.platform.proximity_app" in task)


def test_every_parameter_is_read_from_the_variable_that_role_app_takes() -> None:
    """Whoever gives the role a new variable learns here that the batch reads it too, or does not."""
    task = _role_task()
    assert set(task) <= set(app_arguments()) - NOT_DECLARED
    for key, expression in task.items():
        if key not in TOGETHER:
            assert OTHERWISE.get(key, (f"app_{key}",))[0] in expression, (key, expression)


def test_what_is_empty_is_left_out_unless_it_means_something() -> None:
    variables = {"app_catalog_id": "gitea", "app_owner": "", "app_startup": "", "app_tags": [], "app_definition": {}, "app_onboot": False}
    app = declared_app("code", {**variables, "inventory_hostname": "code", "proximity_default_resources": {"cores": 2}})
    assert app == {
        "name": "code",
        "catalog_id": "gitea",
        "startup": "",
        "tags": [],
        "onboot": False,
        "defaults": {"resources": {"cores": 2}},
        "host": "code",
    }


def test_a_host_that_cannot_be_read_is_told_and_the_others_are_read() -> None:
    every = {"one": Broken(inventory_hostname="one", app_owner="x"), "two": {"inventory_hostname": "two"}}
    found, unread = read_hosts(["one", "two", "gone"], every)
    assert list(found) == ["two"]
    assert "'nobody' is undefined" in unread["one"]
    assert set(unread) == {"one", "gone"}


def test_nothing_is_removed_where_that_is_switched_off() -> None:
    gone = {"inventory_hostname": "one", "app_state": "absent", "proximity_features": {"remove": False}}
    found, unread = read_hosts(["one", "two"], {"one": gone, "two": {**gone, "proximity_features": {}}})
    assert list(found) == ["two"]
    assert "remove switched off" in unread["one"]


def test_apps_are_grouped_by_the_cluster_that_they_are_on() -> None:
    home, office = {"proximity_api_host": "pve1"}, {"proximity_api_host": "192.0.2.11", "proximity_ca_path": "ignored"}
    every = {name: {"inventory_hostname": name, **about} for name, about in (("a", home), ("b", office), ("c", home))}
    groups = by_cluster(read_hosts(list(every), every)[0])
    assert [(connection, [app["name"] for app in apps]) for connection, apps in groups] == [
        ({"api_host": "pve1"}, ["a", "c"]),
        ({"api_host": "192.0.2.11"}, ["b"]),
    ]


@pytest.mark.parametrize(
    ("variables", "belongs"),
    [
        ({"proximity_cluster": "home", "proximity_api_host": "other"}, True),
        ({"proximity_cluster": "office", "proximity_api_host": "pve1"}, False),
        ({"proximity_api_host": "pve1"}, True),
        ({"proximity_api_host": "pve1", "proximity_api_port": 8007}, False),
        ({}, False),
    ],
)
def test_whether_a_host_is_on_a_cluster(variables: dict[str, Any], belongs: bool) -> None:
    assert is_on_cluster(variables, "home", {"api_host": "pve1"}) == belongs


def test_an_entry_is_read_once_and_what_cannot_be_read_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def find(catalog_id: str, paths: Any) -> dict[str, Any]:
        read.append(catalog_id)
        if catalog_id == "nothing":
            raise SpecError("There is no entry 'nothing'.")
        return {"id": catalog_id}

    monkeypatch.setattr("ansible_collections.proximity.platform.plugins.plugin_utils.declarations.find_definition", find)
    apps = [{"name": str(number), "catalog_id": "gitea"} for number in range(300)]
    apps += [{"name": "bad", "catalog_id": "nothing"}, {"name": "gone", "catalog_id": "nothing", "state": "absent"}]
    other = {"name": "other", "catalog_id": "gitea", "catalog_paths": [str(tmp_path)]}
    resolved, definitions, unresolved = resolve_entries([*apps, other], {})
    assert read == ["gitea", "nothing", "gitea"]
    assert list(definitions) == ["gitea"]
    assert unresolved == {"bad": "There is no entry 'nothing'."}
    assert resolved[-1] == {"name": "other", "catalog_id": "gitea", "definition": {"id": "gitea"}}
    assert not any("catalog_paths" in app for app in resolved)


def test_answers_of_several_clusters_become_one() -> None:
    good = {"changed": True, "apps": [{"name": "a"}], "converge": ["a"], "counts": {"apps": 1}, "calls": {"reads": 2}, "diff": {"x": 1}}
    bad = {"failed": True, "msg": "not reached", "apps": [{"name": "b"}], "failures": ["b"], "counts": {"apps": 1, "failed": 1}}
    told = proximity_apps.merged([good, bad])
    assert (told["failed"], told["msg"], told["changed"]) == (True, "not reached", True)
    assert [app["name"] for app in told["apps"]] == ["a", "b"]
    assert told["counts"] == {"apps": 2, "failed": 1}
    assert (told["calls"], told["diff"]) == ({"reads": 2}, [{"x": 1}])


def test_common_options_give_way_to_those_of_the_app() -> None:
    common = {"owner": "anna", "resources": {"cores": 2, "memory_mb": 512}}
    apps = [{"name": "a", "resources": {"memory_mb": 1024}}, {"name": "b", "owner": "ben", "host": "b.example"}]
    fleet = desired_fleet({"apps": apps, "common": common, "depth": "tags", "threads": 8})
    first, second = fleet.apps
    assert (first.owner, first.resources.cores, first.resources.memory_mb) == ("anna", 2, 1024)
    assert (second.owner, second.resources.memory_mb) == ("ben", 512)
    assert fleet.hosts == {"a": "", "b": "b.example"}


@pytest.mark.parametrize(
    "wrong", [{"nonsense": 1}, {"resources": {"legs": 4}}, {"state": "flying"}, {"report": {"vmid": 1, "node": "a", "healthy": True}}]
)
def test_a_wish_without_sense_is_refused_for_its_app_alone(wrong: dict[str, Any]) -> None:
    fleet = desired_fleet({"apps": [{"name": "a", **wrong}, {"name": "b"}], "depth": "tags", "threads": 8, "unresolved": {"c": "no entry"}})
    assert set(fleet.refused) == {"a", "c"}
    assert [app.name for app in fleet.apps] == ["b"]


def test_what_makes_no_sense_at_all_is_refused() -> None:
    tidiness = {"older_than_s": 0, "first_deployments": "error", "clones": "report", "snapshots": "report", "threads": 8}
    with pytest.raises(SpecError, match="older_than_s is 0"):
        desired_tidiness(tidiness)
    with pytest.raises(SpecError, match="lasts_s is -1"):
        desired_job({"name": "x", "state": "begun", "lasts_s": -1, "mapping": "m"})
    with pytest.raises(SpecError, match="threads is 0"):
        desired_fleet({"apps": [], "depth": "tags", "threads": 0})
    with pytest.raises(SpecError, match="cannot be used"):
        desired_reconciliation({"apps": [], "depth": "record", "threads": 1, "repair": [], "remove": ["No Name"]})
    assert complete_app({"name": "a"})["state"] == "started"
