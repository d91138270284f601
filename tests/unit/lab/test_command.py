"""`python -m lab`: up, status, down."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from lab.__main__ import running


def command(*words: str, state: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-m", "lab", *words, "--state", str(state)],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


def test_a_lab_in_the_background(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert command("status", state=state).returncode == 3
    up = command("up", "--seed", "cluster", "--guests", "simulated", "--ports", "0,0", state=state)
    try:
        assert up.returncode == 0, up.stderr
        lines = (state / "env").read_text().splitlines()
        assert {line.split("=")[0] for line in lines} >= {"URL", "URL2", "TOKEN", "CA", "GUESTS", "CONTROL", "NODE"}
        assert (state / "env").stat().st_mode & 0o077 == 0
        assert command("up", state=state).stdout.startswith("The lab runs already")
        assert running(state)
    finally:
        assert command("down", state=state).returncode == 0
    assert not running(state)
    assert not (state / "env").exists()


def test_a_left_over_process_id_is_no_lab(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    assert not running(tmp_path)
    assert command("down", state=tmp_path).returncode == 0


def test_a_seed_that_there_is_not_says_so(tmp_path: Path) -> None:
    up = command("up", "--seed", "nope", "--guests", "simulated", state=tmp_path)
    assert up.returncode == 1
    assert "there is no seed 'nope'; there are cluster, conformance, demo" in up.stderr
