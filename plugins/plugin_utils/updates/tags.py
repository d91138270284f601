# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which tag is newer: by the numbers in it, among those that fit an entry's pattern. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

COMMIT = re.compile(r"-(?=[0-9a-f]*[a-f])[0-9a-f]{7,40}$")
"""A commit at the end of a tag says nothing of its age."""
FIRST_YEAR = 1990
LAST_YEAR = 2999


class Choice(NamedTuple):
    """The tag to take, which is the present one where nothing is newer; and the newest that waits for a word because it is a major step."""

    tag: str
    major: bool = False
    held: str = ""


def version_of(tag: str) -> tuple[int, ...]:
    """The numbers of a tag in their order: v3.14.0 is (3, 14, 0)."""
    return tuple(map(int, re.findall(r"[0-9]+", COMMIT.sub("", tag))))


def major_of(tag: str) -> int | None:
    """The first number; None where it is a date, which says nothing of how much has changed."""
    version = version_of(tag)
    if len(version) < 2 or FIRST_YEAR <= version[0] <= LAST_YEAR:
        return None
    return version[0]


def newer_tag(pinned: str, tags: Iterable[str], pattern: str, majors: bool = False, step: int | None = None) -> Choice:
    """Choose among the tags that match `pattern`; a major step is taken with `majors` only, and no further than `step` at once."""
    now, base = version_of(pinned), major_of(pinned)
    newer = sorted({(version_of(tag), tag) for tag in tags if re.search(pattern, tag) and version_of(tag) > now})
    steps = {tag: (major_of(tag) or 0) - base if base is not None and major_of(tag) is not None else 0 for _version, tag in newer}
    allowed = [tag for _version, tag in newer if steps[tag] <= 0 or (majors and steps[tag] <= (step or steps[tag]))]
    chosen = allowed[-1] if allowed else pinned
    held = newer[-1][1] if newer and steps[newer[-1][1]] > 0 and newer[-1][1] != chosen else ""
    return Choice(chosen, steps.get(chosen, 0) > 0, held)


def version_in(tag: str, old_tag: str, old_version: str) -> str:
    """The app's version in a new tag, cut out as it was in the old one; empty where the old one did not hold it."""
    before, found, _after = old_tag.partition(old_version)
    if not found:
        return ""
    shape = re.sub(r"(?:\\?[0-9])+", lambda _match: "[0-9]+", re.escape(COMMIT.sub("", old_version)))
    shape += "-[0-9a-f]{7,40}" if COMMIT.search(old_version) else ""
    match = re.match(shape, tag.removeprefix(before)) if tag.startswith(before) else None
    return match[0] if match else ""
