"""What a token lacks, from what Proxmox says that it has."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.facts.rights import FEATURES, VMS, judge_rights, stopped_features

STORAGES: list[dict[str, Any]] = [
    {"name": "local", "content": ["backup", "vztmpl"]},
    {"name": "fast", "content": ["rootdir"]},
    {"name": "slow", "content": ["rootdir"]},
]
EVERY = {privilege: True for feature in FEATURES for need in feature.needs for privilege in need.privileges}


def test_everything_on_the_root_is_enough() -> None:
    rights = judge_rights({"/": EVERY}, STORAGES)
    assert set(rights["features"].values()) == {"yes"}
    assert rights["missing"] == []


def test_nothing_at_all() -> None:
    rights = judge_rights({}, [])
    assert set(rights["features"].values()) == {"no"}
    assert {"feature": "power", "path": VMS, "privileges": ["VM.Audit", "VM.PowerMgmt"], "held_on": []} in rights["missing"]
    assert "power" in stopped_features(rights["features"])
    assert "pools" not in stopped_features(rights["features"])


def test_what_does_not_propagate_is_not_held_beneath() -> None:
    rights = judge_rights({"/vms": dict.fromkeys(EVERY, False)}, STORAGES)
    assert rights["features"]["snapshot"] == "no"


def test_what_a_pool_gives_is_held_on_its_members() -> None:
    rights = judge_rights({"/vms/100": {"VM.Audit": False, "VM.PowerMgmt": False}}, STORAGES)
    assert rights["features"]["power"] == "partly"
    (lack,) = [each for each in rights["missing"] if each["feature"] == "power"]
    assert lack["held_on"] == ["/vms/100"]


def test_one_storage_of_two() -> None:
    rights = judge_rights({"/": EVERY, "/storage/slow": {"Datastore.Audit": True}}, STORAGES)
    assert rights["features"]["clone"] == "partly"
    (lack,) = [each for each in rights["missing"] if each["feature"] == "clone"]
    assert (lack["path"], lack["privileges"]) == ("/storage/slow", ["Datastore.AllocateSpace"])


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_each_privilege_of_each_feature_is_missed(feature: Any) -> None:
    for need in feature.needs:
        for privilege in need.privileges:
            rights = judge_rights({"/": {name: True for name in EVERY if name != privilege}}, STORAGES)
            assert rights["features"][feature.name] == "no"
            assert any(each["feature"] == feature.name and each["privileges"] == [privilege] for each in rights["missing"])
