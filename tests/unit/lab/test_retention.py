"""Which backups the rules keep: newest first, period by period (pve-storage, `prune_mark_backup_group`)."""

from __future__ import annotations

import calendar
import time

import pytest
from lab.model import Volume
from lab.retention import marked


def backup(stamp: str, vmid: int = 100, protected: bool = False) -> Volume:
    ctime = calendar.timegm(time.strptime(stamp, "%Y-%m-%d %H:%M"))
    return Volume("local", f"{vmid}/{stamp}", "backup", "tar", 1, ctime, vmid=vmid, protected=protected)


DAYS = [backup(stamp) for stamp in ("2026-03-31 08:00", "2026-03-31 08:30", "2026-04-01 09:00", "2026-04-01 21:00", "2026-05-04 00:10")]


def kept(keep: dict[str, int], backups: list[Volume] = DAYS) -> list[str]:
    """The days and hours of those that stay."""
    marks = marked(backups, keep)
    return [each.name.split("/")[1][5:13] for each in backups if marks[each.volid] == "keep"]


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        ({"keep-all": 1}, ["03-31 08", "03-31 08", "04-01 09", "04-01 21", "05-04 00"]),
        ({"keep-last": 2}, ["04-01 21", "05-04 00"]),
        ({"keep-last": 9}, ["03-31 08", "03-31 08", "04-01 09", "04-01 21", "05-04 00"]),
        ({"keep-hourly": 4}, ["03-31 08", "04-01 09", "04-01 21", "05-04 00"]),
        ({"keep-daily": 2}, ["04-01 21", "05-04 00"]),
        ({"keep-daily": 9}, ["03-31 08", "04-01 21", "05-04 00"]),
        ({"keep-weekly": 5}, ["04-01 21", "05-04 00"]),
        ({"keep-monthly": 2}, ["04-01 21", "05-04 00"]),
        ({"keep-monthly": 3}, ["03-31 08", "04-01 21", "05-04 00"]),
        ({"keep-yearly": 1}, ["05-04 00"]),
        ({"keep-last": 1, "keep-daily": 1}, ["04-01 21", "05-04 00"]),
        ({"keep-last": 1, "keep-monthly": 1, "keep-yearly": 1}, ["04-01 21", "05-04 00"]),
    ],
)
def test_rules(keep: dict[str, int], expected: list[str]) -> None:
    assert kept(keep) == expected


def test_of_one_period_the_newest_is_kept() -> None:
    marks = marked(DAYS[:2], {"keep-hourly": 1})
    assert [marks[each.volid] for each in DAYS[:2]] == ["remove", "keep"]


def test_protected_ones_take_nobody_s_place() -> None:
    backups = [*DAYS, backup("2026-06-01 00:00", protected=True)]
    assert kept({"keep-last": 1}, backups) == ["05-04 00"]
    assert marked(backups, {"keep-last": 1})[backups[-1].volid] == "protected"


def test_every_guest_has_its_own() -> None:
    other = backup("2026-01-01 00:00", vmid=200)
    assert marked([*DAYS, other], {"keep-last": 1})[other.volid] == "keep"
