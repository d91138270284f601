"""What is run in guests before and after a backup: scripts that a shell takes, for every entry of the catalog."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.filter.backups import backup_hooks
from ansible_collections.proximity.platform.plugins.module_utils.entries.hooks import hooks_of
from ansible_collections.proximity.platform.plugins.module_utils.entries.model import Dump, Entry, Health, Resources, Sizes
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import OWN, read_definition

HOOKED = sorted(
    path.parent.name
    for path in Path(OWN).glob("*/entry.yml")
    if {"dumps:", "pause:"} & {line.split(" ")[0] for line in path.read_text().splitlines()}
)


def entry(*dumps: Dump, pause: tuple[str, ...] = ()) -> Entry:
    return Entry("shop", "Shop", "1", "-", "-", {}, ("amd64",), Health("tcp", 1), Resources(Sizes()), "", dumps=dumps, pause=pause)


def run(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """A guest in which `docker ps` finds one container, and `docker exec` runs what it is given here."""
    docker = folder / "bin" / "docker"
    docker.parent.mkdir(exist_ok=True)
    docker.write_text('#!/bin/sh\ncase $1 in ps) echo c1 ;; exec) shift 2; exec "$@" ;; *) echo "$@" >> "$LOG" ;; esac\n')
    for tool in ("pg_dump", "mariadb-dump", "mongodump"):
        (folder / "bin" / tool).write_text(f'#!/bin/sh\necho "{tool} $* with $PGPASSWORD$MYSQL_PWD"\n')
    for file in docker.parent.iterdir():
        file.chmod(0o755)
    environment = {"PATH": f"{docker.parent}:/usr/bin:/bin", "LOG": str(folder / "log"), "DB_PASS": "s3cret"}
    return subprocess.run(["sh", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=20)


def test_there_are_entries_with_hooks() -> None:
    assert len(HOOKED) > 20


@pytest.mark.parametrize("name", HOOKED)
def test_a_shell_takes_the_scripts_of_every_entry(name: str) -> None:
    hooks = backup_hooks(read_definition(Path(OWN) / name, "catalog"), "my-app")
    scripts = [each["script"] for each in hooks["dumps"]] + [hooks["pause"], hooks["resume"]]
    assert hooks["dumps"] or hooks["pause"]
    for script in filter(None, scripts):
        checked = subprocess.run(["sh", "-n", "-c", script], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(
    ("dump", "said"),
    [
        (Dump("db", "pg_dump", "me", "shop", "DB_PASS"), "pg_dump -U me shop with s3cret\n"),
        (Dump("db", "pg_dump", "${DB_USER}", "it's; $(reboot)", "DB_PASS"), "pg_dump -U anna it's; $(reboot) with s3cret\n"),
        (
            Dump("db", "mariadb-dump", "", "", "DB_PASS"),
            "mariadb-dump --single-transaction --routines --events -u root --all-databases with s3cret\n",
        ),
        (Dump("db", "mongodump"), "mongodump --archive --quiet with \n"),
    ],
)
def test_a_dump_is_whole(tmp_path: Path, dump: Dump, said: str) -> None:
    (tmp_path / "my-app").mkdir()
    (tmp_path / "my-app" / ".env").write_text("DB_USER='anna'\n")
    (hook,) = hooks_of(entry(dump), "my-app", str(tmp_path))["dumps"]
    done = run(hook["script"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert Path(hook["file"]).read_text() == said
    assert Path(hook["file"]).stat().st_mode & 0o077 == 0


def test_a_dump_that_fails_leaves_none(tmp_path: Path) -> None:
    (tmp_path / "my-app").mkdir()
    (hook,) = hooks_of(entry(Dump("db", "mysqldump", "root", "shop")), "my-app", str(tmp_path))["dumps"]
    done = run(hook["script"], tmp_path)
    assert done.returncode != 0 and "mysqldump" in done.stderr
    assert not Path(hook["file"]).exists()


def test_what_is_paused_goes_on_and_the_dumps_go(tmp_path: Path) -> None:
    (tmp_path / "my-app" / "dumps").mkdir(parents=True)
    hooks = hooks_of(entry(pause=("db",)), "my-app", str(tmp_path), limit_s=1)
    for script in (hooks["pause"], hooks["resume"]):
        script = script.replace("/run/proximity-my-app.paused", str(tmp_path / "watcher"))
        assert run(script, tmp_path).returncode == 0
    assert (tmp_path / "log").read_text() == "pause c1\nunpause c1\n"
    assert not (tmp_path / "my-app" / "dumps").exists() and not (tmp_path / "watcher").exists()
