"""Which backups a policy keeps: as seen on a genuine server, and as the lab's own pruning does."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.archives import Archive, Keep
from ansible_collections.proximity.platform.plugins.module_utils.planner.retention import marks
from lab.model import Volume
from lab.retention import marked

START = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)
RULES = ("last", "hourly", "daily", "weekly", "monthly", "yearly")


def archive(number: int, made: datetime, protected: bool = False, **more: Any) -> Archive:
    return Archive(f"local:backup/{number}", "local", "pve1", 8181, made, made, protected=protected, **more)


def marks_by_age(archives: list[Archive], keep: Keep) -> list[str]:
    found = marks(archives, keep)
    return [found[each.volume] for each in sorted(archives, key=lambda each: each.made, reverse=True)]


FOUR = [archive(number, START + timedelta(seconds=number)) for number in range(4)]


def test_as_seen_the_newest_one_of_four() -> None:
    assert marks_by_age(FOUR, Keep(last=1)) == ["keep", "remove", "remove", "remove"]


def test_as_seen_without_rules_all_stay() -> None:
    assert marks_by_age(FOUR, Keep()) == ["keep"] * 4


def test_as_seen_a_protected_one_takes_nobodys_place() -> None:
    shielded = [archive(0, START, protected=True), *FOUR[1:]]
    assert marks_by_age(shielded, Keep(last=1)) == ["keep", "remove", "remove", "protected"]


def test_storages_and_guests_count_on_their_own() -> None:
    other = [
        Archive("nas:backup/1", "nas", "pve1", 8181, START, START),
        Archive("local:backup/9", "local", "pve1", 8200, START, START),
        Archive("local:backup/8", "local", "pve2", 8181, START, START),
    ]
    assert set(marks([*FOUR, *other], Keep(last=1)).items()) >= {(each.volume, "keep") for each in other}


def _in_the_lab(archive: Archive) -> Volume:
    name, made = archive.volume.partition(":")[2], int(archive.made.timestamp())
    return Volume("local", name, "backup", "tar.zst", 1, made, vmid=8181, protected=archive.protected)


@pytest.mark.parametrize("seed", range(200))
def test_as_the_lab_prunes(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randrange(1, 60)
    moments = [START - timedelta(minutes=chance.randrange(0, chance.choice((600, 40_000, 2_000_000)))) for _number in range(count)]
    moments = sorted(set(moments))
    keep = {rule: chance.choice((0, 0, 1, 2, 5)) for rule in RULES}
    ours = [archive(number, moment, protected=chance.random() < 0.1) for number, moment in enumerate(moments)]
    theirs = [_in_the_lab(each) for each in ours]
    rules = {f"keep-{rule}": number for rule, number in keep.items()} if any(keep.values()) else {"keep-all": 1}
    assert marks(ours, Keep(**keep)) == marked(theirs, rules)
