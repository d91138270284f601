"""What project.sh says of a Compose project, with a Docker that answers as told."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "roles/adopt/files/project.sh"
DOCKER = """#!/bin/sh
case "$1 $*" in
  ps*working_dir*) echo "$FOLDER" ;;
  ps*config_files*) echo "$FOLDER/compose.yml,$FOLDER/more.yml" ;;
  ps*environment_file*) echo "" ;;
  ps*config-hash*) printf 'db 22\\nweb 11\\nweb 11\\n' ;;
  ps*) printf 'container\\t%s\\n' 0123456789abcdef fedcba9876543210 ;;
  compose*) echo "$*" >"$FOLDER/asked"; printf '%b' "$HASHES"; exit "${STATUS:-0}" ;;
esac
"""


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    docker = tmp_path / "bin" / "docker"
    docker.parent.mkdir()
    docker.write_text(DOCKER)
    docker.chmod(0o755)
    return docker.parent


def _said(bin_folder: Path, folder: str, **environment: str) -> list[list[str]]:
    given = {**os.environ, "PATH": f"{bin_folder}:{os.environ['PATH']}", "FOLDER": folder, **environment}
    done = subprocess.run(["/bin/sh", str(SCRIPT), "blog"], capture_output=True, text=True, check=True, timeout=60, env=given)
    return [line.split("\t", 1) for line in done.stdout.splitlines()]


def test_project_whose_files_say_what_runs(bin_folder: Path, tmp_path: Path) -> None:
    said = _said(bin_folder, str(tmp_path), HASHES="web 11\\ndb 22\\nnew 33\\n")
    assert said == [
        ["folder", str(tmp_path)],
        ["files", f"{tmp_path}/compose.yml,{tmp_path}/more.yml"],
        ["env", ""],
        ["container", "0123456789abcdef"],
        ["container", "fedcba9876543210"],
    ]
    asked = (tmp_path / "asked").read_text()
    assert f"--project-name blog --project-directory {tmp_path} --file {tmp_path}/compose.yml --file {tmp_path}/more.yml config" in asked


def test_service_that_would_be_made_anew_is_told(bin_folder: Path, tmp_path: Path) -> None:
    assert ["moved", "web"] in _said(bin_folder, str(tmp_path), HASHES="web 12\\ndb 22\\n")
    assert ["moved", "db"] in _said(bin_folder, str(tmp_path), HASHES="web 11\\n")


def test_files_that_cannot_be_read(bin_folder: Path, tmp_path: Path) -> None:
    said = _said(bin_folder, str(tmp_path), HASHES="first\\nno such file\\n", STATUS="1")
    assert said[-1] == ["broken", "no such file"]
    assert _said(bin_folder, f"{tmp_path}/gone")[-1] == ["broken", "its folder is gone"]


def test_project_that_is_gone(bin_folder: Path) -> None:
    assert _said(bin_folder, "") == []
