"""Files on the controller: nothing of them is lost, however many write, and nobody else reads them."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.files import LogFolder

WRITERS, LINES = 6, 300
WRITER = """
import json, sys
from pathlib import Path
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.files import LogFolder
folder = LogFolder(Path(sys.argv[1]), 20_000, 40)
for number in range(int(sys.argv[3])):
    folder.append("home", "feeds", json.dumps({"writer": sys.argv[2], "number": number, "more": "x" * 80}) + "\\n")
"""


def test_a_file_for_each_app_of_each_cluster_that_its_owner_alone_reads(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "new" / "logs", 0, 3)
    folder.append("home", "feeds", "1\n")
    folder.append("home", "feeds", "2\n")
    folder.append("office", "feeds", "3\n")
    file = tmp_path / "new/logs/home/feeds.jsonl"
    assert file.read_text() == "1\n2\n"
    assert (tmp_path / "new/logs/office/feeds.jsonl").read_text() == "3\n"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (file, file.parent)] == [0o600, 0o700]


@pytest.mark.parametrize("name", ["../../etc/x", "/etc/x", "..", ".hidden", "a/b", "é\n", ""])
def test_a_name_does_not_lead_out_of_the_folder(tmp_path: Path, name: str) -> None:
    folder = LogFolder(tmp_path / "logs", 0, 3)
    folder.append(name, name, "1\n")
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert file.parent.parent == tmp_path / "logs"
    assert not file.name.startswith(".")


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "logs", 0, 3)
    (tmp_path / "logs/home").mkdir(parents=True)
    (tmp_path / "logs/home/feeds.jsonl").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="symbolic link"):
        folder.append("home", "feeds", "1\n")
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize(("kept", "files"), [(2, ["5\n", "4\n", "3\n"]), (0, ["5\n"])])
def test_full_files_are_set_aside_and_the_oldest_go(tmp_path: Path, kept: int, files: list[str]) -> None:
    folder = LogFolder(tmp_path, 2, kept)
    for number in range(6):
        folder.append("home", "feeds", f"{number}\n")
    names = ["feeds.jsonl", "feeds.jsonl.1", "feeds.jsonl.2"][: len(files)]
    assert sorted(path.name for path in (tmp_path / "home").iterdir()) == names
    assert [(tmp_path / "home" / name).read_text() for name in names] == files


def test_parallel_runs_lose_no_line_while_files_are_set_aside(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    environment = {"PYTHONPATH": ":".join(filter(None, sys.path))}
    writers = [subprocess.Popen([*command, str(number), str(LINES)], env=environment) for number in range(WRITERS)]
    assert [writer.wait(60) for writer in writers] == [0] * WRITERS
    files = list((tmp_path / "home").iterdir())
    assert len(files) > 3
    told = sorted((int(row["writer"]), row["number"]) for file in files for row in map(json.loads, file.read_text().splitlines()))
    assert told == [(writer, number) for writer in range(WRITERS) for number in range(LINES)]
