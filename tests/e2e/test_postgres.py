"""A genuine PostgreSQL under write load: its dump and its files, restored from a backup made meanwhile, are each consistent."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterator
from typing import Any

import pytest
from e2e.site import Site
from lab.real.databases import ensure_postgres
from lab.real.mirror import mirror_of_machine

pytestmark = pytest.mark.timeout(1200)
NAME = "e2e-postgres"
APP: dict[str, Any] = {NAME: {"app_catalog_id": "lab-postgres", "app_storage": "local-lvm"}}
DUMP = f"/opt/proximity/{NAME}/dumps/db-rows.pg_dump"
LOAD_S, CLIENTS, ENOUGH = 240, 4, 200
SUMS = """
select count(*), sum(delta) = (select sum(abalance) from pgbench_accounts) and sum(delta) = (select sum(tbalance) from pgbench_tellers)
and sum(delta) = (select sum(bbalance) from pgbench_branches) from pgbench_history
"""
"""pgbench's transaction adds the same amount to an account, a teller and a branch, and tells it in the history (its manual, TPC-B)."""


@pytest.fixture(scope="module")
def guest(thin: Site) -> Iterator[dict[str, Any]]:
    """The app, with pgbench's tables in its database."""
    ensure_postgres(print, mirror_of_machine())
    played(thin, "deploy")
    found = thin.guest(NAME)
    database(thin, found, "pgbench --quiet --initialize --scale=1 rows")
    yield found
    played(thin, "remove", "--limit", NAME)


def played(site: Site, playbook: str, *args: str) -> str:
    done = site.play(f"playbooks/{playbook}.yml", APP, *args)
    assert done.status == 0, done.output[-6000:]
    return done.output


def database(site: Site, guest: dict[str, Any], command: str, options: str = "") -> str:
    return site.inside(guest, f"docker exec {options} -e PGUSER=lab {NAME}-db-1 sh -c {shlex.quote(command)}").strip()


def sums(site: Site, guest: dict[str, Any], name: str = "rows") -> tuple[int, bool]:
    """How many transactions a database holds, and whether each is there as a whole."""
    count, _bar, whole = database(site, guest, f"psql --quiet --no-align --tuples-only --command {shlex.quote(SUMS)} {name}").partition("|")
    return int(count), whole == "t"


def wait_for_load(site: Site, guest: dict[str, Any], more_than: int) -> int:
    deadline = time.monotonic() + 60
    while (count := sums(site, guest)[0]) < more_than:
        assert time.monotonic() < deadline, f"{count} transactions"
        time.sleep(0.2)
    return count


def test_dump_and_files_of_a_backup_under_write_load(thin: Site, guest: dict[str, Any]) -> None:
    load = f"pgbench --client={CLIENTS} --time={LOAD_S} --no-vacuum rows > /tmp/load 2>&1 & echo $! > /tmp/load.pid; wait"
    database(thin, guest, load, "--detach")
    before = wait_for_load(thin, guest, ENOUGH)
    played(thin, "backup")
    after = sums(thin, guest)[0]
    database(thin, guest, "kill $(cat /tmp/load.pid)")
    assert after > before, "the database was written to while it was backed up"
    assert thin.inside(guest, f"ls {DUMP} 2> /dev/null || true") == "", "the dump is in the backup, and no longer in the container"
    database(thin, guest, "dropdb --force rows")
    played(thin, "restore", "--limit", NAME, "-e", "backup_volume=latest", "-e", "backup_confirm=true")
    restored = thin.guest(NAME)
    live, live_is_whole = sums(thin, restored)
    thin.inside(restored, f"docker cp {DUMP} {NAME}-db-1:/tmp/dump")
    database(thin, restored, "createdb dumped && psql --quiet --set=ON_ERROR_STOP=1 --file=/tmp/dump dumped")
    dumped, dump_is_whole = sums(thin, restored, "dumped")
    print(f"\n{before} transactions before the backup, {after} after it; {dumped} in its dump, {live} in its files.")
    assert live_is_whole and dump_is_whole
    assert before <= dumped <= live <= after


def test_a_destroyed_container_comes_back_with_its_database(thin: Site, guest: dict[str, Any]) -> None:
    lost = thin.guest(NAME)
    before = sums(thin, lost)
    played(thin, "backup", "-e", "backup_force=true")
    played(thin, "remove", "--limit", NAME)
    played(thin, "restore", "--limit", NAME, "-e", "backup_volume=latest")
    restored = thin.guest(NAME)
    assert restored["vmid"] == lost["vmid"]
    assert sums(thin, restored) == before
    secret = thin.inside(restored, f". /opt/proximity/{NAME}/secrets.env; echo $DB_PASSWORD").strip()
    asked = f"PGPASSWORD={secret} psql --quiet --no-align --tuples-only --host 127.0.0.1 --command 'select 1' rows"
    assert database(thin, restored, asked) == "1", "the password of before is the database's"
