"""Volumes of a Proxmox Backup Server among others: rows as pve-storage makes them (PBSPlugin.pm, list_volumes), not seen on a server."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.api import Client
from ansible_collections.proximity.platform.plugins.module_utils.archives import Archive, Keep, Label
from ansible_collections.proximity.platform.plugins.module_utils.backup_results import backup_row, missing, statistics
from ansible_collections.proximity.platform.plugins.module_utils.backup_spec import desired_backup
from ansible_collections.proximity.platform.plugins.module_utils.backups import DesiredBackup
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.module_utils.model import Cluster, Controller, Fact, Observed, Storage
from ansible_collections.proximity.platform.plugins.module_utils.planner.backups import _is_good, plan_absent
from ansible_collections.proximity.platform.plugins.module_utils.planner.retention import marks
from ansible_collections.proximity.platform.plugins.module_utils.planner.shelves import room_for
from ansible_collections.proximity.platform.plugins.module_utils.resources.archives import (
    _path,
    observe_archived,
    observe_archives,
    observe_backups,
)
from ansible_collections.proximity.platform.plugins.module_utils.wire.labels import format_notes

FIRST = int(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC).timestamp())
DAY = 86_400
LABEL = Label("5d0f1f3e-0000-4000-8000-000000000000", "feeds", 101, "miniflux", "2.3.3", "aaaaaaaaaa", "anna")
NOW = datetime(2026, 1, 6, tzinfo=UTC)


def volume(kind: str, number: int, made: int) -> str:
    return f"pbs:backup/{kind}/{number}/{datetime.fromtimestamp(made, UTC):%Y-%m-%dT%H:%M:%SZ}"


def row(kind: str = "ct", number: int = 101, made: int = FIRST, **more: Any) -> dict[str, Any]:
    """`subtype` stands there from pve-storage 7.3 on."""
    return {
        "volid": volume(kind, number, made),
        "format": f"pbs-{kind}",
        "size": 1,
        "content": "backup",
        "vmid": number,
        "ctime": made,
        **more,
    }


ROWS = [
    row(subtype="lxc", notes=format_notes(LABEL, "").splitlines()[0], verification={"state": "ok", "upid": "UPID:..."}),
    row(made=FIRST + DAY, notes=format_notes(LABEL, "").splitlines()[0], size=3 << 30, protected=1, encrypted="1"),
    row(made=FIRST + 2 * DAY),
    row("vm", 100, subtype="qemu"),
    row("vm", 102),
    {
        "volid": "local:backup/vzdump-lxc-101-2026_01_05-03_04_05.tar.zst",
        "format": "tar.zst",
        "size": 1 << 30,
        "content": "backup",
        "subtype": "lxc",
        "vmid": 101,
        "ctime": FIRST + 3 * DAY,
        "notes": format_notes(LABEL, "").splitlines()[0],
    },
]


class Answers:
    """The answers of a node, in the place of a client that asks for them."""

    def __init__(self, answer: Any) -> None:
        self._answer = answer

    def get(self, _path: str, **_params: Any) -> Any:
        return self._answer


def archives() -> tuple[Archive, ...]:
    return observe_archives(cast(Client, Answers(ROWS)), "pve1", "pbs")


def test_containers_are_told_from_machines_with_and_without_a_subtype() -> None:
    assert [each.vmid for each in archives()] == [101] * 4
    assert [each["vmid"] for each in observe_backups(cast(Client, Answers(ROWS)), "pve1", "pbs")] == [101] * 4


def test_times_labels_and_protection_are_read() -> None:
    first, second, third, _file = archives()
    assert first.made == first.local == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (first.label and first.label.name, third.label) == ("feeds", None)
    assert (first.protected, second.protected, first.size, second.size >> 20) == (False, True, 1, 3072)


def test_sums() -> None:
    rows = [backup_row(each) for each in archives()]
    sums = statistics(rows, ())
    assert (sums["completed"], sums["size_mb"], sums["newest"], sums["by_app"]["feeds"]["total"]) == (4, 4096, "2026-01-05T03:04:05Z", 3)


def test_what_is_due() -> None:
    first, *_others, file = archives()
    observed = Observed(Controller("us@here", "here:1:1", "seed"), NOW)
    daily = DesiredBackup("feeds", max_age=timedelta(days=4))
    assert [_is_good(each, daily, observed) for each in (first, file)] == [True, True]
    assert not _is_good(first, replace(daily, max_age=timedelta(days=3)), observed)


def test_what_a_policy_keeps() -> None:
    found = {key.partition(":")[2]: mark for key, mark in marks(archives(), Keep(daily=1)).items()}
    assert found[volume("ct", 101, FIRST).partition(":")[2]] == "remove"
    assert found[volume("ct", 101, FIRST + DAY).partition(":")[2]] == "protected"


def test_one_is_removed_by_its_volume() -> None:
    name = volume("ct", 101, FIRST)
    wish = desired_backup({"state": "absent", "backup": name})
    storage = Storage("pbs", "pve1", frozenset({"backup"}), shared=True, type="pbs")
    known = {Fact("cluster"): Cluster(storages=(storage,)), Fact("archives", ("pve1", "pbs")): archives()}
    (step,) = plan_absent(wish, Observed(Controller("us@here", "here:1:1", "seed"), NOW, known)).steps
    assert (step.verb, (step.before or {})["volume"]) == ("delete", name)
    assert _path("pve1", name) == "/nodes/pve1/storage/pbs/content/pbs%3Abackup%2Fct%2F101%2F2026-01-02T03%3A04%3A05Z"


def test_a_name_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError):
        desired_backup({"state": "absent", "backup": "pbs:ct/101/2026-01-02T03:04:05Z"})


def test_what_a_rebuild_brings_back() -> None:
    rows = [backup_row(each) for each in archives()[:3]]
    (found,) = missing({"apps": [], "backups": rows})
    assert (found["volume"], found["app"]) == (volume("ct", 101, FIRST + DAY), "feeds")


def test_the_configuration_in_one_is_of_its_guest() -> None:
    text = "arch: amd64\nhostname: feeds\nmemory: 512\nrootfs: local-lvm:vm-101-disk-0,size=4G\n"
    config = observe_archived(cast(Client, Answers(text)), "pve1", volume("ct", 101, FIRST))
    assert (config.vmid, config.hostname, config.disk_mb) == (101, "feeds", 4096)


def test_room_is_not_judged_by_sizes_where_nothing_is_stored_twice() -> None:
    storage = Storage("pbs", "pve1", frozenset({"backup"}), free_mb=10, type="pbs")
    large = archives()[1:2]
    assert room_for(storage, large) and not room_for(replace(storage, type="dir"), large)
    assert not room_for(replace(storage, free_mb=0), large)
