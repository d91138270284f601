# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The revision changes with what runs, and with nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, revision
from ansible_collections.proximity.platform.plugins.module_utils.entries import revision as revision_of


def test_the_revision_is_the_same_everywhere(definition: dict[str, Any]) -> None:
    """These values may only change together with schema or contract: each running app would be converged again."""
    entry = parse_entry(definition)
    assert revision(entry, {}, None, "one") == "4aa6e72ad3"
    assert revision(entry, {"workers": 4}, {"MODE": "fancy"}, "one") == "b2de02e478"


@pytest.mark.parametrize(
    "key", ["name", "description", "category", "links", "notes", "health", "resources", "first_login", "source", "services"]
)
def test_words_about_the_app_do_not_matter(definition: dict[str, Any], key: str) -> None:
    before = revision_of(parse_entry(definition), {}, None, "one")
    changed: dict[str, Any] = {
        "name": "Other",
        "description": "Another description of the same app.",
        "category": "other",
        "links": {"site": "https://example.org"},
        "notes": ["Read this."],
        "health": {"type": "tcp", "port": 8080},
        "resources": {"recommended": {"cores": 2, "memory_mb": 512, "swap_mb": 0, "disk_gb": 4}},
        "first_login": {"note": "Look."},
        "source": "/somewhere",
        "services": {"web": "example/web:1.2.3", "more": "x:1"},
    }
    assert revision_of(parse_entry({**definition, key: changed[key]}), {}, None, "one") == before


def test_what_runs_matters(definition: dict[str, Any]) -> None:
    revisions = {revision_of(parse_entry(definition), {}, None, "one")}
    for path, value in [
        (("version",), "1.2.4"),
        (("compose",), definition["compose"] + "# a comment\n"),
        (("files", 0, "content"), "key = other\n"),
        (("files", 0, "mode"), "0600"),
        (("secrets", "API_TOKEN", "kind"), "hex"),
        (("options", "title", "default"), "Other"),
        (("id",), "other"),
    ]:
        changed = copy.deepcopy(definition)
        target: Any = changed
        for key in path[:-1]:
            target = target[key]
        target[path[-1]] = value
        revisions.add(revision_of(parse_entry(changed), {}, None, "one"))
    assert len(revisions) == 8


def test_a_default_that_is_spelt_out_does_not_matter(definition: dict[str, Any]) -> None:
    entry = parse_entry(definition)
    assert revision(entry, {"title": "Hello", "workers": "2"}, {}, "one") == revision(entry, {}, None, "two")


def test_what_may_be_a_weak_secret_is_salted_with_the_name(definition: dict[str, Any]) -> None:
    definition["options"]["title"] = {"env": "TITLE", "type": "password"}
    entry = parse_entry(definition)
    assert revision(entry, {"title": "1234"}, None, "one") != revision(entry, {"title": "1234"}, None, "two")
    assert revision(entry, {}, {"MODE": "x"}, "one") != revision(entry, {}, {"MODE": "x"}, "two")
    assert revision(entry, {}, None, "one") == revision(entry, {}, None, "two")
