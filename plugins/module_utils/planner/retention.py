# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which backups a policy keeps: as Proxmox itself would prune (pve-storage, `prune_mark_backup_group`)."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from ..archives import Archive, Keep

Period = Callable[[datetime], object]
PERIODS: dict[str, Period] = {
    "last": lambda moment: moment,
    "hourly": lambda moment: (moment.date(), moment.hour),
    "daily": lambda moment: moment.date(),
    "weekly": lambda moment: moment.isocalendar()[:2],
    "monthly": lambda moment: (moment.year, moment.month),
    "yearly": lambda moment: moment.year,
}
"""Rule -> what backups of one period have in common, by the clock of their node."""


def marks(archives: Iterable[Archive], keep: Keep) -> dict[str, str]:
    """Volume -> keep, remove or protected. Each guest's backups on each storage count on their own; protected ones take nobody's place."""
    found: dict[str, str] = {}
    groups: dict[tuple[str, str, int], list[Archive]] = {}
    for archive in archives:
        if archive.protected:
            found[archive.volume] = "protected"
        else:
            groups.setdefault((archive.storage, archive.node, archive.vmid), []).append(archive)
    for group in groups.values():
        found |= _group_marks(sorted(group, key=lambda archive: archive.made, reverse=True), keep)
    return found


def _group_marks(newest_first: list[Archive], keep: Keep) -> dict[str, str]:
    if not keep:
        return {archive.volume: "keep" for archive in newest_first}
    found: dict[str, str] = {}
    for rule, period in PERIODS.items():
        _mark(newest_first, found, getattr(keep, rule), period)
    return {archive.volume: found.get(archive.volume, "remove") for archive in newest_first}


def _mark(newest_first: list[Archive], found: dict[str, str], count: int, period: Period) -> None:
    """Keep the newest of so many periods, those left out in which an earlier rule keeps one already."""
    before = {period(archive.local) for archive in newest_first if found.get(archive.volume) == "keep"}
    now: set[object] = set()
    for archive in newest_first if count else ():
        its = period(archive.local)
        if archive.volume in found or its in before:
            continue
        if its in now:
            found[archive.volume] = "remove"
        elif len(now) == count:
            return
        else:
            now.add(its)
            found[archive.volume] = "keep"
