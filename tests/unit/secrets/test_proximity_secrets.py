# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Secrets are made once, where they are needed, and nobody is told."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_secrets as module
from hypothesis import given
from hypothesis import strategies as st

ROOT = Path(__file__).parents[3]
WANTED = {
    "DB_PASSWORD": {"kind": "alnum", "length": 32},
    "SESSION_KEY": {"kind": "hex", "length": 33, "immutable": False},
    "SIGNING_KEY": {"kind": "base64", "length": 32},
    "APP_KEY": {"kind": "laravel_key", "length": 32},
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "secrets.env"


def ensure(path, wanted=WANTED, must_exist=False, dry=False):
    return module.ensure(path, wanted, must_exist, dry)


def values(path):
    return dict(line.split("=", 1) for line in path.read_text().splitlines() if "=" in line)


def test_all_kinds_are_generated(path):
    assert ensure(path) == (sorted(WANTED), [], True)
    held = values(path)
    assert re.fullmatch(r"[A-Za-z0-9]{32}", held["DB_PASSWORD"])
    assert re.fullmatch(r"[0-9a-f]{33}", held["SESSION_KEY"])
    assert len(base64.b64decode(held["SIGNING_KEY"], validate=True)) == 32
    assert len(base64.b64decode(held["APP_KEY"].removeprefix("base64:"), validate=True)) == 32
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_second_run_changes_nothing(path):
    ensure(path)
    before = path.read_bytes(), path.stat().st_ino
    assert ensure(path) == ([], sorted(WANTED), False)
    assert (path.read_bytes(), path.stat().st_ino) == before


def test_two_files_never_hold_the_same(tmp_path):
    for name in ("one", "two"):
        ensure(tmp_path / name)
    assert not set(values(tmp_path / "one").values()) & set(values(tmp_path / "two").values())


@pytest.mark.parametrize(
    "text", ["# mine\nDB_PASSWORD=kept\n", "DB_PASSWORD=kept", "export DB_PASSWORD='kept # it'\nOTHER=1\n", "\n\nDB_PASSWORD=a=b\r\n"]
)
def test_what_is_there_is_kept_to_the_letter(path, text):
    path.write_text(text, newline="")
    created, held, changed = ensure(path)
    assert (created, held, changed) == (["APP_KEY", "SESSION_KEY", "SIGNING_KEY"], ["DB_PASSWORD"], True)
    with path.open(newline="") as file:
        assert file.read().startswith(text)


def test_secrets_that_nobody_asks_for_any_more_are_kept(path):
    ensure(path)
    assert ensure(path, {}) == ([], [], False)
    assert set(values(path)) == set(WANTED)


def test_an_open_file_is_closed_to_others(path):
    ensure(path)
    path.chmod(0o644)
    assert ensure(path, dry=True)[2] is True
    assert ensure(path) == ([], sorted(WANTED), True)
    assert path.stat().st_mode & 0o7777 == 0o600


def test_a_dry_run_writes_nothing(path):
    assert ensure(path, dry=True) == (sorted(WANTED), [], True)
    assert not list(path.parent.iterdir())
    assert ensure(path.parent / "missing" / "secrets.env", dry=True) == (sorted(WANTED), [], True)


def test_one_value_comes_of_many_runs_at_once(path):
    call = f"from {module.__name__} import *; ensure(Path({str(path)!r}), {WANTED!r}, False, False)"
    command = [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {call}"]
    with ThreadPoolExecutor(8) as pool:
        runs = list(pool.map(lambda _index: subprocess.run(command, check=False).returncode, range(8)))
    assert runs == [0] * 8
    assert len(path.read_text().splitlines()) == len(WANTED)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"A-B": {"kind": "hex", "length": 16}}, "Secret 'A-B' cannot be a variable"),
        ({"A\nB": {"kind": "hex", "length": 16}}, "cannot be a variable"),
        (
            {"A": {"kind": "argon2id_of_alnum", "length": 16}},
            "Secret A has no kind that can be generated: give one of alnum, base64, hex, laravel_key.",
        ),
        ({"A": "hex"}, "Secret A has no kind"),
        ({"A": {"kind": "hex", "length": "16"}}, "Secret A has no usable length"),
        ({"A": {"kind": "hex", "length": 7}}, "give a whole number from 8 to 1024"),
        ({"A": {"kind": "hex", "length": True}}, "Secret A has no usable length"),
    ],
)
def test_what_cannot_be_generated_is_refused(path, wanted, sentence):
    with pytest.raises(module.Refused) as refusal:
        ensure(path, wanted, dry=True)
    assert sentence in str(refusal.value)
    assert not path.exists()


def test_a_lost_file_is_not_made_anew_for_an_app_with_data(path):
    with pytest.raises(module.Refused, match=r"data depend on APP_KEY, DB_PASSWORD, SIGNING_KEY in it\. Restore the file"):
        ensure(path, must_exist=True)
    assert not path.exists()
    assert ensure(path, {"SESSION_KEY": WANTED["SESSION_KEY"]}, must_exist=True)[2] is True


def test_a_new_version_may_ask_for_more(path):
    ensure(path, {"DB_PASSWORD": WANTED["DB_PASSWORD"]})
    assert ensure(path, must_exist=True) == (["APP_KEY", "SESSION_KEY", "SIGNING_KEY"], ["DB_PASSWORD"], True)


@pytest.mark.parametrize("line", ["DB_PASSWORD=", "DB_PASSWORD=''", 'DB_PASSWORD="" ', "DB_PASSWORD= \r"])
def test_an_empty_value_is_refused(path, line):
    path.write_text(line + "\n", newline="")
    with pytest.raises(module.Refused, match="holds DB_PASSWORD without a value"):
        ensure(path)


def test_a_link_is_not_followed(path):
    path.symlink_to("/etc/passwd")
    with pytest.raises(module.Refused, match="is a symbolic link"):
        ensure(path)


def test_a_full_disk_leaves_the_old_file_alone(path, monkeypatch):
    ensure(path, {"DB_PASSWORD": WANTED["DB_PASSWORD"]})
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        ensure(path)
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


@given(st.sampled_from(sorted(module.KINDS)), st.integers(min_value=8, max_value=1024))
def test_no_value_needs_quotes_in_an_env_file(kind, length):
    assert re.fullmatch(r"[A-Za-z0-9+/=:]{8,}", module.KINDS[kind](length))


@pytest.mark.parametrize("check", [True, False])
def test_ansible_is_told_names_only(path, check):
    """Of all that a run prints at -vvv."""
    arguments = json.dumps({"path": str(path), "secrets": WANTED})
    command = [
        str(Path(sys.executable).with_name("ansible")),
        "localhost",
        "-m",
        "proximity.platform.proximity_secrets",
        "-a",
        arguments,
        "-vvv",
        "--diff",
        *["--check"] * check,
    ]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
        "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
    }
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "CHANGED" in run.stdout
    assert "+DB_PASSWORD" in run.stdout
    assert path.exists() is not check
    for value in values(path).values() if path.exists() else ():
        assert value not in run.stdout + run.stderr
