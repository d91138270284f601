"""Safety points in parameters and records, and what waits for a restart."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.desired import Hold, SafetyWish
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.model import Notes, Record, SafetyPoint
from ansible_collections.proximity.platform.plugins.module_utils.resources.configs import parse_pending
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app
from ansible_collections.proximity.platform.plugins.module_utils.wire.notes import format_notes, format_record, parse_notes

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORD = Record("id", 8100, "feeds", "miniflux", "running", NOW)
POINTS = (SafetyPoint("snapshot", "px-safety-1", NOW, "aaaaaaaaaa"), SafetyPoint("backup", "px-safety-2", NOW, "b", "local", open=True))


def test_points_go_into_the_record_and_come_back() -> None:
    record = Record(**{**vars(RECORD), "safety": POINTS, "failed": "cccccccccc"})
    assert parse_notes(format_notes(Notes(record=record))).record == record
    assert json.loads(format_record(record))["safety"][0] == {
        "kind": "snapshot",
        "name": "px-safety-1",
        "made": "2026-03-01T12:00:00Z",
        "revision": "aaaaaaaaaa",
    }


def test_record_without_them_is_as_it_was_before_there_were_any() -> None:
    assert not {"safety", "failed"} & set(json.loads(format_record(RECORD)))


def test_what_waits_for_a_restart_is_read_with_the_configuration() -> None:
    rows: list[dict[str, Any]] = [
        {"key": "memory", "value": 512},
        {"key": "nameserver", "value": "10.0.0.1", "pending": "10.0.0.2"},
        {"key": "searchdomain", "value": "home.arpa", "delete": 1},
        {"key": "mp0", "pending": "local:1"},
        {"key": "digest", "value": "d1"},
    ]
    config = parse_pending(8100, rows)
    assert (config.digest, config.memory_mb, config.nameservers, config.search_domain) == ("d1", 512, ("10.0.0.2",), "")
    assert config.pending == ("nameservers", "search_domain")


def test_wish() -> None:
    app = desired_app({"name": "feeds", "safety": "backup", "safety_keep": 5, "hold": {"vmid": 8100, "node": "pve1", "epoch": 2}})
    assert (app.safety, app.hold) == (SafetyWish("backup", 5), Hold(8100, "pve1", 2))
    assert desired_app({"name": "feeds"}).safety == SafetyWish()


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"safety_keep": 0}, "safety_keep is 0: give 1 or more. The newest is the one that an update goes back to."),
        ({"safety_max_age_d": -1}, "safety_max_age_d is -1: give 0 or more."),
        ({"update_attempts": -1}, "update_attempts is -1: give 0 or more."),
        ({"tags": ["px-rollback"]}, "Tag 'px-rollback' is one that Proximity sets itself: leave it out."),
    ],
)
def test_wish_that_makes_no_sense(params: dict[str, Any], said: str) -> None:
    with pytest.raises(SpecError, match=said.replace("(", r"\(")):
        desired_app({"name": "feeds", **params})
