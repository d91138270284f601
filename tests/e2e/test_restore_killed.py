"""`kill -9` amidst a restore in a real container: the same restore again finishes it, or brings back what was there before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from e2e.site import Played, Site
from faults.choice import chosen

DEPLOY, BACKUP, RESTORE = "playbooks/deploy.yml", "playbooks/backup.yml", "playbooks/restore.yml"
NAME = "e2e-cut-off"
APPS: dict[str, Any] = {NAME: {"app_catalog_id": "lab-notes"}}
COMPOSE = f"/opt/proximity/{NAME}/compose.yml"


def played(site: Site, playbook: str, *args: str) -> Played:
    done = site.play(playbook, APPS, *args)
    assert done.status == 0, done.output[-6000:]
    return done


def write(site: Site, data: bytes) -> None:
    site.page_soon(site.guest(NAME))
    address = f"http://{site.address(site.guest(NAME))}:8080/api/data/blob"
    assert requests.put(address, data=data, timeout=30).ok


def read(site: Site) -> str:
    return site.page_soon(site.guest(NAME), "/api/data/blob")


def newest(site: Site) -> str:
    rows = site.get(f"/nodes/pve1/storage/local/content?content=backup&vmid={site.guest(NAME)['vmid']}")
    return str(max((row for row in rows if "kind=safety" not in row["notes"]), key=lambda row: row["ctime"])["volid"])


def words(volume: str) -> tuple[str, ...]:
    return ("--limit", NAME, "-e", f"backup_volume={volume}", "-e", "backup_confirm=true")


@pytest.fixture(scope="module")
def good(site: Site) -> Iterator[str]:
    """A backup that holds `then`."""
    played(site, DEPLOY)
    write(site, b"then")
    played(site, BACKUP)
    yield newest(site)
    played(site, "playbooks/remove.yml", "--limit", NAME)


@pytest.fixture(scope="module")
def broken(site: Site, good: str) -> str:
    """A backup of a stack that starts and never becomes healthy."""
    site.inside(site.guest(NAME), f"sed -i s,lab/web:1.0,lab/broken:1.0, {COMPOSE}")
    played(site, BACKUP, "-e", "backup_force=true")
    site.inside(site.guest(NAME), f"sed -i s,lab/broken:1.0,lab/web:1.0, {COMPOSE}")
    return newest(site)


FORWARD = ["Bring the backup back", "Start the services as they were saved", "Record that the app runs"]
BACK = ["Look for the backup of what was there before", "Restore it"]


@pytest.mark.parametrize("task", chosen(FORWARD, few=1))
def test_a_restore_that_was_killed_is_finished(site: Site, good: str, task: str) -> None:
    write(site, b"now")
    once_more = (*words(good), "-e", "backup_force=true")  # its data may come from there already
    site.play_until(task, RESTORE, APPS, *once_more)
    played(site, RESTORE, *once_more)
    assert read(site) == "then"
    record = site.record(site.guest(NAME))
    assert (record["status"], record["lease"], record["restored"]) == ("running", None, good)
    again = played(site, RESTORE, *words(good))
    assert again.recap(NAME)["changed"] == 0


@pytest.mark.parametrize("task", chosen(BACK, few=1))
def test_a_way_back_that_was_killed_is_gone_by_running_again(site: Site, broken: str, task: str) -> None:
    write(site, b"now")
    site.play_until(task, RESTORE, APPS, *words(broken))
    again = site.play(RESTORE, APPS, *words(broken))
    assert again.status != 0 and "What it held before is back, and healthy." in again.output, again.output[-4000:]
    assert read(site) == "now"
    record = site.record(site.guest(NAME))
    assert (record["status"], record["lease"]) == ("running", None)
    assert played(site, DEPLOY).recap(NAME)["changed"] == 0
