"""Backups of apps in real containers: data written through an app's HTTP come back byte for byte, wherever they are restored."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from e2e.site import Played, Site

DEPLOY, BACKUP, RESTORE = "playbooks/deploy.yml", "playbooks/backup.yml", "playbooks/restore.yml"
NAME, TABLE, SECOND = "e2e-kept", "e2e-rows", "e2e-second"
APP: dict[str, Any] = {NAME: {"app_catalog_id": "lab-notes", "app_owner": "lab"}}
DATABASE: dict[str, Any] = {TABLE: {"app_catalog_id": "lab-db"}}
SIZE = 3 * 2**20


def played(site: Site, playbook: str, apps: dict[str, Any], *args: str) -> Played:
    done = site.play(playbook, apps, *args)
    assert done.status == 0, done.output[-6000:]
    return done


def url(site: Site, name: str, path: str) -> str:
    return f"http://{site.address(site.guest(name))}:8080/api/{path}"


def write(site: Site, name: str, data: bytes) -> None:
    answer = requests.put(url(site, name, "data/blob"), data=data, timeout=30)
    assert answer.ok, answer.text


def read(site: Site, name: str) -> bytes:
    site.page_soon(site.guest(name), "/api/data/blob")
    return requests.get(url(site, name, "data/blob"), timeout=30).content


def backups(site: Site, vmid: int) -> list[dict[str, Any]]:
    return list(site.get(f"/nodes/pve1/storage/local/content?content=backup&vmid={vmid}"))


@pytest.fixture(scope="module")
def data(site: Site) -> Iterator[bytes]:
    """An app with three mebibytes that nobody could guess, and a backup of it."""
    played(site, DEPLOY, APP)
    random = os.urandom(SIZE)
    write(site, NAME, random)
    assert hashlib.sha256(read(site, NAME)).digest() == hashlib.sha256(random).digest()
    played(site, BACKUP, APP)
    yield random


def test_a_due_backup_is_made_once(site: Site, data: bytes) -> None:
    vmid = site.guest(NAME)["vmid"]
    (first,) = backups(site, vmid)
    assert f"name={NAME}" in first["notes"]
    again = played(site, BACKUP, APP)
    assert (again.recap(NAME)["changed"], len(backups(site, vmid))) == (0, 1)


def test_a_backup_is_proven_in_a_container_that_is_thrown_away(site: Site, data: bytes) -> None:
    guests = sorted(guest["vmid"] for guest in site.guests())
    played(site, "playbooks/verify_backups.yml", APP)
    assert sorted(guest["vmid"] for guest in site.guests()) == guests
    (row,) = backups(site, site.guest(NAME)["vmid"])
    assert "verdict=ok" in row["notes"] and "proven=" in row["notes"]
    assert (site.record(site.guest(NAME))["status"], read(site, NAME)) == ("running", data)
    again = played(site, "playbooks/verify_backups.yml", APP)
    assert again.recap(NAME)["changed"] == 0 and "px-trial" not in again.output


def test_destroyed_data_come_back_in_place(site: Site, data: bytes) -> None:
    before, record = site.config(site.guest(NAME)), site.record(site.guest(NAME))
    write(site, NAME, b"overwritten")
    refused = site.play(RESTORE, APP, "--limit", NAME, "-e", "backup_volume=latest")
    assert refused.status != 0 and "Set confirm: true" in refused.output
    assert read(site, NAME) == b"overwritten"
    played(site, RESTORE, APP, "--limit", NAME, "-e", "backup_volume=latest", "-e", "backup_confirm=true")
    assert read(site, NAME) == data
    after = site.record(site.guest(NAME))
    assert (after["status"], after["lease"], after["app"], after["revision"]) == ("running", None, record["app"], record["revision"])
    assert {key: site.config(site.guest(NAME))[key] for key in ("hostname", "net0", "tags")} == {
        key: before[key] for key in ("hostname", "net0", "tags")
    }
    notes = [row["notes"] for row in backups(site, before and site.guest(NAME)["vmid"])]
    assert sum("kind=safety" in note for note in notes) == 1


def test_a_new_app_of_the_backup_has_the_same_data(site: Site, data: bytes) -> None:
    old = site.record(site.guest(NAME))
    played(site, RESTORE, APP, "--limit", NAME, "-e", "backup_volume=latest", "-e", f"backup_restore_as={SECOND}")
    played(site, DEPLOY, {SECOND: APP[NAME]})
    assert read(site, SECOND) == data == read(site, NAME)
    new = site.record(site.guest(SECOND))
    assert (new["status"], new["name"], new["ports"]["public"]) == ("running", SECOND, site.guest(SECOND)["vmid"])
    assert new["app"] != old["app"] and site.guest(SECOND)["vmid"] != site.guest(NAME)["vmid"]
    assert site.inside(site.guest(SECOND), "docker ps -q | wc -l").strip() == "2"
    played(site, "playbooks/remove.yml", {SECOND: APP[NAME]}, "--limit", SECOND)


def test_a_destroyed_container_comes_back(site: Site, data: bytes) -> None:
    guest, before, record = site.guest(NAME), site.config(site.guest(NAME)), site.record(site.guest(NAME))
    played(site, "playbooks/remove.yml", APP, "--limit", NAME)
    assert guest["vmid"] not in [each["vmid"] for each in site.get("/cluster/resources?type=vm")]
    played(site, RESTORE, APP, "--limit", NAME, "-e", "backup_volume=latest")
    assert read(site, NAME) == data
    back = site.guest(NAME)
    assert (back["vmid"], site.config(back)["net0"], site.record(back)["app"]) == (guest["vmid"], before["net0"], record["app"])
    assert (site.record(back)["status"], site.record(back)["ports"]) == ("running", record["ports"])
    again = played(site, DEPLOY, APP)
    assert again.recap(NAME)["changed"] == 0


def test_a_backup_that_is_cut_off_leaves_the_app_as_it_was(site: Site, data: bytes) -> None:
    """Its file is cut in the middle: the restore fails on the way, when the old container is gone already."""
    write(site, NAME, b"newer than every backup")
    played(site, BACKUP, APP, "-e", "backup_force=true")
    write(site, NAME, b"newest")
    newest = max(backups(site, site.guest(NAME)["vmid"]), key=lambda row: row["ctime"])["volid"]
    (file,) = Path(site.env_file).parent.rglob(newest.rpartition("/")[2])
    os.truncate(file, file.stat().st_size // 2)
    failed = site.play(RESTORE, APP, "--limit", NAME, "-e", f"backup_volume={newest}", "-e", "backup_confirm=true")
    assert failed.status != 0 and "What it held before is back" in failed.output, failed.output[-4000:]
    assert read(site, NAME) == b"newest"
    played(site, DEPLOY, APP)
    assert site.record(site.guest(NAME))["status"] == "running"


def test_a_backup_that_is_not_healthy_gives_way_to_what_was_there(site: Site, data: bytes) -> None:
    write(site, NAME, b"healthy")
    compose = f"/opt/proximity/{NAME}/compose.yml"
    site.inside(site.guest(NAME), f"sed -i s,lab/web:1.0,lab/broken:1.0, {compose}")
    played(site, BACKUP, APP, "-e", "backup_force=true")
    site.inside(site.guest(NAME), f"sed -i s,lab/broken:1.0,lab/web:1.0, {compose}")
    broken = max(backups(site, site.guest(NAME)["vmid"]), key=lambda row: row["ctime"])["volid"]
    failed = site.play(RESTORE, APP, "--limit", NAME, "-e", f"backup_volume={broken}", "-e", "backup_confirm=true")
    assert failed.status != 0 and "What it held before is back, and healthy." in failed.output, failed.output[-4000:]
    assert read(site, NAME) == b"healthy"
    assert site.record(site.guest(NAME))["status"] == "running"


def test_a_database_under_load_is_dumped_before_its_backup(site: Site) -> None:
    played(site, DEPLOY, DATABASE)
    address, stop, acknowledged = url(site, TABLE, "row"), threading.Event(), [0]

    def load() -> None:
        while not stop.is_set():
            try:
                answer = requests.put(address, timeout=10)
            except requests.RequestException:
                continue
            acknowledged[0] = int(answer.text) if answer.ok else acknowledged[0]

    writers = [threading.Thread(target=load) for _number in range(4)]
    for writer in writers:
        writer.start()
    try:
        while acknowledged[0] < 20:
            stop.wait(0.05)
        before = acknowledged[0]
        played(site, BACKUP, DATABASE)
        during = acknowledged[0] - before
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    guest = site.guest(TABLE)
    folder = f"/opt/proximity/{TABLE}/dumps"
    assert site.inside(guest, f"ls {folder} 2> /dev/null || true") == "", "the dump is in the backup, and no longer in the container"
    site.inside(guest, f"docker exec {TABLE}-db-1 sh -c 'rm -f /data/*'")
    played(site, RESTORE, DATABASE, "--limit", TABLE, "-e", "backup_volume=latest", "-e", "backup_confirm=true")
    dump = site.inside(site.guest(TABLE), f"cat {folder}/db-rows.pg_dump")
    table, _sign, index = dump.removeprefix("-- table\n").removesuffix("-- end\n").partition("-- index\n")
    rows = len(table.splitlines())
    assert dump.endswith("-- end\n") and table == index and rows >= before
    live = int(requests.get(url(site, TABLE, "row"), timeout=10).text)
    print(f"{before} rows before the backup, {during} during it; {rows} in the dump, {live} in the restored database")
    assert live >= rows
    assert during > 0
