"""Which backups to keep (pve-storage, `prune_mark_backup_group`), and removing the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lab.archives import archive_path
from lab.disks import free_volumes, volumes_on
from lab.errors import refuse, wrong
from lab.schema.verify import parse_properties

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Storage, Volume

Keep = Mapping[str, int]
PROTECTED_AT_MOST = 5
"""For those who may not allocate on the storage, unless its options say otherwise."""
PERIODS = {"last": "%s", "hourly": "%Y-%m-%d %H", "daily": "%Y-%m-%d", "weekly": "%G-%V", "monthly": "%Y-%m", "yearly": "%Y"}
"""Rule -> what two backups of one period have in common; `%s` is the backup itself."""


def parse_keep(cluster: Cluster, text: str) -> Keep:
    """The rules of a `prune-backups` text; none that keeps anything means to keep all."""
    rules = {name: int(number) for name, number in parse_properties(cluster.table, "prune-backups", text).items() if name != "keep-all"}
    return rules if any(rules.values()) else {"keep-all": 1}


def check_keep(cluster: Cluster, text: str | None) -> None:
    """400 for rules that contradict each other (pve-storage, `validate_prune_backups`)."""
    rules = parse_properties(cluster.table, "prune-backups", text or "")
    if rules.get("keep-all") == "1" and "keep-all" not in parse_keep(cluster, text or ""):
        raise wrong({"prune-backups": "invalid format - keep-all cannot be set together with other options.\n"})


def storage_keep(cluster: Cluster, storage: Storage) -> Keep | None:
    text = storage.options.get("prune-backups")
    return parse_keep(cluster, str(text)) if text else None


def keep_for(cluster: Cluster, storage: Storage, text: str | None) -> Keep:
    """The rules that a call gives, else those of the storage."""
    if "backup" not in storage.content:
        raise refuse(f"storage '{storage.id}' does not support backups")
    rules = parse_keep(cluster, text) if text is not None else storage_keep(cluster, storage)
    if rules is None:
        raise refuse(f"no prune-backups options configured for storage '{storage.id}'")
    return rules


def backups_on(cluster: Cluster, storage: Storage, node: str, vmid: int | None = None) -> list[Volume]:
    """Backups that the node sees, of one guest or all, by name."""
    found = (volume for volume in volumes_on(cluster, storage, node) if volume.content == "backup" and vmid in (None, volume.vmid))
    return sorted(found, key=lambda volume: volume.volid)


def marked(backups: Iterable[Volume], keep: Keep) -> dict[str, str]:
    """Volume id -> keep, remove or protected. A protected backup takes nobody's place."""
    marks = {backup.volid: "protected" for backup in backups if backup.protected}
    rest = sorted((backup for backup in backups if not backup.protected), key=lambda backup: -backup.ctime)
    for vmid in {backup.vmid for backup in rest}:
        marks |= _group_marks([backup for backup in rest if backup.vmid == vmid], keep)
    return marks


def _group_marks(newest_first: list[Volume], keep: Keep) -> dict[str, str]:
    if keep.get("keep-all"):
        return {backup.volid: "keep" for backup in newest_first}
    marks: dict[str, str] = {}
    for rule, form in PERIODS.items():
        _mark(newest_first, marks, keep.get(f"keep-{rule}", 0), form)
    return {backup.volid: marks.get(backup.volid, "remove") for backup in newest_first}


def _mark(newest_first: list[Volume], marks: dict[str, str], count: int, form: str) -> None:
    """Keep the newest of so many periods, those left out in which an earlier rule keeps one already."""
    if not count:
        return
    before = {_period(backup, form) for backup in newest_first if marks.get(backup.volid) == "keep"}
    now: set[str] = set()
    for backup in newest_first:
        period = _period(backup, form)
        if backup.volid in marks or period in before:
            continue
        if period in now:
            marks[backup.volid] = "remove"
        elif len(now) == count:
            return
        else:
            now.add(period)
            marks[backup.volid] = "keep"


def _period(backup: Volume, form: str) -> str:
    return str(backup.ctime) if form == "%s" else time.strftime(form, time.gmtime(backup.ctime))


def check_protectable(storage: Storage, already: int, may_allocate: bool) -> None:
    """So many protected backups of a guest there may be on a storage; -1 is no limit."""
    limit = int(storage.options.get("max-protected-backups", -1 if may_allocate else PROTECTED_AT_MOST))
    if -1 < limit <= already:
        raise refuse(f"The number of protected backups per guest is limited to {limit} on storage '{storage.id}'")


def prune_list(backups: Iterable[Volume], keep: Keep) -> list[dict[str, Any]]:
    """As `GET .../prunebackups` shows what would be done."""
    marks = marked(backups := list(backups), keep)
    return [
        {"volid": backup.volid, "ctime": backup.ctime, "vmid": backup.vmid, "type": "lxc", "mark": marks[backup.volid]}
        for backup in backups
    ]


def prune(cluster: Cluster, backups: Iterable[Volume], keep: Keep, say: Callable[[str], None]) -> int:
    """Remove what the rules do not keep; the answer is how many. The cluster's lock must be held."""
    marks = marked(backups := list(backups), keep)
    gone = [backup for backup in backups if marks[backup.volid] == "remove"]
    for backup in gone:
        say(f"removing backup '{backup.volid}'")
        remove_archive(cluster, backup)
    return len(gone)


def remove_archive(cluster: Cluster, volume: Volume) -> None:
    """The file goes with its volume, unless it is none of the lab's."""
    if "file" not in volume.facts:
        archive_path(cluster, volume).unlink(missing_ok=True)
    free_volumes(cluster, [volume])
