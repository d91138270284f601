# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Newer is what has higher numbers among the tags that fit the entry's pattern."""

from __future__ import annotations

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.tags import Choice, major_of, newer_tag, version_in, version_of
from hypothesis import given
from hypothesis import strategies as st

PLAIN = r"^\d+\.\d+\.\d+$"

CHOICES: dict[str, tuple[str, list[str], str, dict[str, object], Choice]] = {
    "nothing is newer": ("2.0.0", ["1.9.9", "2.0.0"], PLAIN, {}, Choice("2.0.0")),
    "numbers, not letters": ("1.9.0", ["1.10.0", "1.9.1"], PLAIN, {}, Choice("1.10.0")),
    "another variant is no candidate": (
        "17.1-bookworm",
        ["17.3-alpine", "17.2-bookworm", "17.4"],
        r"^\d+\.\d+-bookworm$",
        {},
        Choice("17.2-bookworm"),
    ),
    "a release to try is no candidate": ("1.0.0", ["1.1.0-rc1", "latest", "1.1"], PLAIN, {}, Choice("1.0.0")),
    "a major waits": ("2.3.3", ["2.4.0", "3.0.0"], PLAIN, {}, Choice("2.4.0", False, "3.0.0")),
    "a major waits alone": ("2.3.3", ["3.0.0"], PLAIN, {}, Choice("2.3.3", False, "3.0.0")),
    "a major is taken on request": ("2.3.3", ["2.4.0", "3.0.0", "4.1.0"], PLAIN, {"majors": True}, Choice("4.1.0", True)),
    "one major at a time": ("2.3.3", ["3.0.9", "4.1.0"], PLAIN, {"majors": True, "step": 1}, Choice("3.0.9", True, "4.1.0")),
    "a year is no major": ("2026.8.1", ["2027.1.0"], PLAIN, {}, Choice("2027.1.0")),
    "a date is no major": ("260728", ["260801", "latest"], r"^\d+$", {}, Choice("260801")),
    "a letter before the number": ("v1.2.3", ["v1.2.4", "1.2.5"], r"^v\d+\.\d+\.\d+$", {}, Choice("v1.2.4")),
    "a commit does not count": (
        "1.4.0.1-a0bfb8370",
        ["1.4.0.2-0000000aa", "1.4.0.1-ffffffff1"],
        r"-[0-9a-f]{9}$",
        {},
        Choice("1.4.0.2-0000000aa"),
    ),
}


@pytest.mark.parametrize("name", CHOICES)
def test_the_tag_to_take(name: str) -> None:
    pinned, tags, pattern, more, expected = CHOICES[name]
    assert newer_tag(pinned, tags, pattern, **more) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("tag", "old_tag", "old_version", "version"),
    [
        ("v3.15.0", "v3.14.0", "3.14.0", "3.15.0"),
        ("version-6.7.0", "version-6.6.6", "6.6.6", "6.7.0"),
        ("34.0.10-apache", "34.0.3-apache", "34.0.3", "34.0.10"),
        ("2027.1.1-abcdef123", "2026.8.21-5f4005996", "2026.8.21-5f4005996", "2027.1.1-abcdef123"),
        ("18.1-bookworm", "17.11-bookworm", "2.3.3", ""),
        ("release-5", "v1.2.3", "1.2.3", ""),
        ("v1", "v1.2.3", "1.2.3", ""),
    ],
)
def test_the_apps_version_is_cut_out_of_its_tag(tag: str, old_tag: str, old_version: str, version: str) -> None:
    assert version_in(tag, old_tag, old_version) == version


def test_majors() -> None:
    assert [major_of(tag) for tag in ("17.11-bookworm", "v3.1.0", "2026.8.1", "260728", "latest")] == [17, 3, None, None, None]


versions = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(0, 40)), max_size=12)


@given(versions, st.booleans(), st.integers(1, 3))
def test_what_is_chosen_is_there_and_never_older(rows: list[tuple[int, int, int]], majors: bool, step: int) -> None:
    tags = [".".join(map(str, row)) for row in rows]
    choice = newer_tag("20.20.20", tags, PLAIN, majors, step)
    assert choice.tag in [*tags, "20.20.20"] and version_of(choice.tag) >= (20, 20, 20)
    assert choice.major == (version_of(choice.tag)[0] > 20) and (majors or not choice.major)
    assert version_of(choice.tag)[0] - 20 <= step
    assert newer_tag(choice.tag, tags, PLAIN, False).tag == choice.tag or majors
