"""Several files are written at once, each as a whole, and nothing else in their folder is touched."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as module_warnings
from ansible_collections.proximity.platform.plugins.modules import proximity_files as module

Run = Callable[..., dict[str, Any]]
COMPOSE = {"path": "compose.yml", "content": "services: {}\n"}
ENV = {"path": ".env", "content": "A=1\n", "mode": "0600"}
DEEP = {"path": "files/a/b.conf", "content": "deep\n"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "apps/feeds"


@pytest.fixture
def run(root: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    def call(*files: dict[str, Any], check: bool = False) -> dict[str, Any]:
        arguments = {"root": str(root), "files": list(files), "_ansible_check_mode": check, "_ansible_diff": True}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        if hasattr(module_warnings, "_internal"):
            monkeypatch.setattr(module_warnings._internal, "is_controller", False)
        with redirect_stdout(io.StringIO()) as told, pytest.raises(SystemExit):
            module.main()
        return dict(json.loads(told.getvalue().strip().splitlines()[-1]))

    return call


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def test_check_real_check_again_real_again(run: Run, root: Path) -> None:
    every = (COMPOSE, ENV, DEEP)
    told = run(*every, check=True)
    assert (told["changed"], told["written"], root.exists()) == (True, ["compose.yml", ".env", "files/a/b.conf"], False)
    done = run(*every)
    assert {key: done[key] for key in ("changed", "written", "diff")} == {key: told[key] for key in ("changed", "written", "diff")}
    assert [(root / each["path"]).read_text() for each in every] == ["services: {}\n", "A=1\n", "deep\n"]
    assert [mode(root / each["path"]) for each in every] == [0o644, 0o600, 0o644]
    for check in (True, False):
        again = run(*every, check=check)
        assert (again["changed"], again["written"], again["diff"]) == (False, [], [])


def test_folders_are_open_to_all_whatever_the_umask(run: Run, root: Path) -> None:
    before = os.umask(0o077)
    try:
        run(DEEP)
    finally:
        os.umask(before)
    assert [mode(root / folder) for folder in (".", "files", "files/a")] == [0o755, 0o755, 0o755]


def test_only_what_differs_is_written_and_shown(run: Run, root: Path) -> None:
    run(COMPOSE, ENV)
    (root / "notes.txt").write_text("mine")
    before = (root / ".env").stat().st_ino
    done = run({**COMPOSE, "content": "services: {web: {}}\n"}, ENV)
    assert done["written"] == ["compose.yml"]
    path = str(root / "compose.yml")
    assert done["diff"] == [
        {"before_header": path, "after_header": path, "before": "services: {}\n", "after": "services: {web: {}}\n"},
    ]
    assert (root / ".env").stat().st_ino == before
    assert sorted(each.name for each in root.iterdir()) == [".env", "compose.yml", "notes.txt"]


def test_permissions_alone(run: Run, root: Path) -> None:
    run(ENV)
    (root / ".env").chmod(0o644)
    done = run(ENV)
    assert (done["written"], mode(root / ".env")) == ([".env"], 0o600)
    assert (done["diff"][0]["before"], done["diff"][0]["after"]) == ("mode: 0644\n", "mode: 0600\n")


@pytest.mark.parametrize("content", [{"b": 1, "a": ["ä"]}, '{\n    "a": [\n        "ä"\n    ],\n    "b": 1\n}\n'])
def test_json_is_the_same_however_it_arrives(run: Run, root: Path, content: Any) -> None:
    run({"path": "settings.json", "content": content})
    assert (root / "settings.json").read_text() == '{\n    "a": [\n        "ä"\n    ],\n    "b": 1\n}\n'


def test_what_is_there_in_another_encoding_is_replaced(run: Run, root: Path) -> None:
    root.mkdir(parents=True)
    (root / "compose.yml").write_bytes(b"\xff\xfe\r\n")
    assert run(COMPOSE)["written"] == ["compose.yml"]
    assert (root / "compose.yml").read_bytes() == b"services: {}\n"


@pytest.mark.parametrize("path", ["/etc/passwd", "../other/compose.yml", "files/../../x", ".", ""])
def test_nothing_outside_the_folder(run: Run, path: str) -> None:
    told = run({**COMPOSE, "path": path})
    assert told["failed"] and "is not below" in told["msg"]


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([COMPOSE, COMPOSE], "compose.yml is asked for twice"),
        ([{**COMPOSE, "mode": "u=rw"}], "three octal digits"),
        ([{**COMPOSE, "mode": "04755"}], "three octal digits"),
    ],
)
def test_wishes_that_are_none(run: Run, files: list[dict[str, Any]], said: str) -> None:
    assert said in run(*files)["msg"]


@pytest.mark.parametrize("check", [True, False])
def test_links_and_folders_are_refused_before_anything_is_written(run: Run, root: Path, check: bool) -> None:
    (root / "files").mkdir(parents=True)
    (root / "files/x").mkdir()
    (root / "link").symlink_to("/etc/hostname")
    (root / "plain").write_text("")
    for path, said in (("files/x", "is no file"), ("link", "is a symbolic link"), ("plain/y", "is no folder")):
        told = run(COMPOSE, {**COMPOSE, "path": path}, check=check)
        assert told["failed"] and said in told["msg"] and "Traceback" not in told["msg"]
    assert not (root / "compose.yml").exists()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(run: Run, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(COMPOSE)

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device", "compose.yml")

    monkeypatch.setattr(os, "fsync", full)
    told = run({**COMPOSE, "content": "new"})
    assert told["failed"] and told["msg"] == "Cannot write compose.yml: No space left on device."
    assert [(each.name, each.read_text()) for each in root.iterdir()] == [("compose.yml", "services: {}\n")]
