"""Commands for the guest: the one that keeps lines is run here by real shells, that of Compose is words."""

from __future__ import annotations

import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.commands import keep_command, service_logs_command

SHELLS = [shell for shell in (["/bin/sh", "-c"], ["busybox", "sh", "-c"], ["bash", "-c"]) if shutil.which(shell[0])]


@pytest.mark.parametrize("shell", SHELLS, ids=lambda shell: Path(shell[0]).name)
def test_the_last_lines_are_kept_for_root_alone(tmp_path: Path, shell: list[str]) -> None:
    file = tmp_path / "it's here" / "app" / "log.jsonl"
    for text in ("1\n2\n", "3\nvier\n", "5\n"):
        subprocess.run([*shell, keep_command(str(file), 4)], input=text, text=True, check=True)
    assert file.read_text() == "2\n3\nvier\n5\n"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o755]
    assert [path.name for path in file.parent.iterdir()] == ["log.jsonl"]


def test_what_is_there_stays_where_nothing_can_be_written(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    file.write_text("1\n")
    (tmp_path / "log.jsonl.new").mkdir()
    done = subprocess.run(["/bin/sh", "-c", keep_command(str(file))], input="2\n", text=True, capture_output=True, check=False)
    assert (done.returncode != 0, file.read_text()) == (True, "1\n")


def test_words_for_compose() -> None:
    plain = ["docker", "compose", "--project-name", "feeds", "logs", "--no-color"]
    assert service_logs_command("feeds") == [*plain, "--tail=100", "--"]
    given = {"tail": "all", "since": "2h", "until": "2026-03-01T04:00:00Z", "timestamps": True}
    options = ["--tail=all", "--since=2h", "--until=2026-03-01T04:00:00Z", "--timestamps"]
    assert service_logs_command("feeds", "db, web", **given) == [*plain, *options, "--", "db", "web"]


@pytest.mark.parametrize(
    "given",
    [
        {"project": "--help"},
        {"project": "a b"},
        {"project": ""},
        {"services": ["$(id)"]},
        {"services": "-f"},
        {"tail": "-1"},
        {"tail": "1; id"},
        {"since": "--x"},
        {"until": "now; id"},
    ],
)
def test_what_docker_could_misunderstand_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(SpecError):
        service_logs_command(**{"project": "feeds", **given})
