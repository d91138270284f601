"""Wishes about backups that make no sense are told in one sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.backup_spec import desired_backup, parse_span
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

VOLUME = "local:backup/vzdump-lxc-8123-2026_03_01-04_00_00.tar.zst"
REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "State present needs name"),
    ({"name": "A b"}, "The app's name 'A b' cannot be used"),
    ({"name": "a", "max_age": "soon"}, "max_age is 'soon': give a span"),
    ({"name": "a", "backup": VOLUME}, "leave backup out"),
    ({"name": "a", "state": "restored"}, "State restored needs backup"),
    ({"name": "a", "state": "restored", "backup": "../x"}, "backup is '../x': give a volume"),
    ({"name": "a", "state": "absent"}, "State absent needs either backup"),
    ({"name": "a", "state": "absent", "backup": "latest"}, "State absent is about a backup by its volume"),
    ({"state": "absent", "keep": {"last": 1}}, "State absent with keep needs name"),
    ({"name": "a", "keep": {"last": -1}}, "keep.last is -1"),
    ({"name": "a", "keep": {"last": 0}}, "keep would keep nothing at all"),
    ({"name": "a", "keep": {"last": 1}, "wait": False}, "leave one of them out"),
    (
        {"name": "a", "state": "restored", "backup": VOLUME, "wait": False},
        "wait: false is for a backup that is begun, not for state restored",
    ),
    ({"state": "proven", "backup": VOLUME}, "State proven needs backup"),
    ({"name": "a", "notes": "x" * 401}, "notes has 401 characters"),
    ({"name": "a", "timeouts": {"backup_s": 0}}, "timeouts.backup_s is 0"),
    ({"name": "a", "state": "restored", "backup": VOLUME, "restore_as": "B!"}, "The app's name 'B!'"),
    ({"name": "a", "state": "restored", "backup": VOLUME, "network": {"address": "nowhere"}}, "network.address is 'nowhere'"),
]


@pytest.mark.parametrize(("params", "sentence"), REFUSED, ids=lambda value: value if isinstance(value, str) else "")
def test_impossible_wish(params: dict[str, Any], sentence: str) -> None:
    with pytest.raises(SpecError, match=sentence.replace("(", r"\(").replace(")", r"\)").replace(".", r"\.")):
        desired_backup({"state": "present", **params})


@pytest.mark.parametrize(
    ("text", "span"), [("90m", timedelta(minutes=90)), ("7d", timedelta(days=7)), ("60", timedelta(minutes=1)), ("2w", timedelta(days=14))]
)
def test_spans(text: str, span: timedelta) -> None:
    assert parse_span("max_age", text) == span
