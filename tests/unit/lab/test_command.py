"""`python -m lab`: up, status, save, load, fleet, down."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import requests
from lab.background import read_environment, running


def command(*words: str, state: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    place = ["--state", str(state)] if state else []
    return subprocess.run(
        [sys.executable, "-m", "lab", *words, *place],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment,
        check=False,
    )


@contextmanager
def taken_port() -> Iterator[None]:
    """Have the port of the conformance kit's server be in use; perhaps it is already."""
    with ExitStack() as stack:
        with suppress(OSError):
            stack.enter_context(socket.create_server(("127.0.0.1", 8006)))
        yield


def test_a_lab_in_the_background(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert command("status", state=state).returncode == 3
    up = command("up", "--seed", "cluster", "--guests", "simulated", "--ports", "0,0", state=state)
    try:
        assert up.returncode == 0, up.stderr
        found = read_environment(state)
        assert found.keys() >= {"URL", "URL2", "TOKEN", "TOKEN2", "CA", "GUESTS", "CONTROL", "NODE", "NODE2"}
        assert (state / "env").stat().st_mode & 0o077 == 0
        assert "cluster-1: Proxmox VE 9.2, pve-c1, pve-c2; 0 simulated guests, 0 of them running" in up.stdout
        assert all(text in up.stdout for text in (found["URL"], found["URL2"], found["TOKEN"]))
        again = command("up", state=state)
        assert again.stdout == "The lab runs already.\n" + up.stdout
        assert running(state)
    finally:
        assert command("down", state=state).returncode == 0
    assert not running(state)
    assert not (state / "env").exists()


def test_the_state_of_a_lab_is_saved_and_loaded(tmp_path: Path) -> None:
    """Also: another version, faults from a file, and a free port where the seed's own is taken."""
    state, saved, faults = tmp_path / "state", tmp_path / "saved", tmp_path / "faults.yml"
    faults.write_text("- {kind: 500, path: /version, times: 0}\n- {kind: backup-lock, vmid: 100, seconds: 0}\n")
    with taken_port():
        words = ("--seed", "conformance", "--version", "8.4", "--guests", "simulated", "--faults", str(faults))
        up = command("up", *words, state=state)
    try:
        assert up.stderr == "Port 8006 is taken: node pve of conformance@8.4 gets a free one.\n"
        assert "Proxmox VE 8.4, pve; 3 simulated guests, 2 of them running" in up.stdout
        assert "2 faults are set" in up.stdout
        found = read_environment(state)
        control = found["CONTROL"]
        assert command("save", str(saved), state=state).stdout == f"Saved to {saved}.\n"
        assert json.loads(saved.read_text())["clusters"][0]["guests"][0]["config"]["lock"] == "backup"
        assert requests.delete(f"{control}/faults", timeout=5).ok
        assert command("load", str(saved), state=state).stdout == f"Loaded {saved}.\n"
        missing = command("load", str(tmp_path / "nope"), state=state)
        assert (missing.returncode, "No such file" in missing.stderr) == (1, True)
    finally:
        assert command("down", state=state).returncode == 0


def test_a_fleet_and_a_saved_state_start_a_lab(tmp_path: Path) -> None:
    state, seed, saved = tmp_path / "state", tmp_path / "fleet.json", tmp_path / "saved"
    seed.write_text(command("fleet", "--guests", "7", "--nodes", "2", "--apps", "wiki", "--tags", "mine").stdout)
    try:
        assert "7 simulated guests" in command("up", "--fleet", str(seed), "--guests", "simulated", state=state).stdout
        assert command("save", str(saved), state=state).returncode == 0
        assert command("down", state=state).returncode == 0
        assert "7 simulated guests" in command("up", "--load", str(saved), "--guests", "simulated", state=state).stdout
    finally:
        assert command("down", state=state).returncode == 0


def test_a_left_over_process_id_is_no_lab(tmp_path: Path) -> None:
    (tmp_path / "pid").write_text(f"{os.getpid()}\n")
    assert not running(tmp_path)
    assert command("down", state=tmp_path).returncode == 0


def test_what_is_wrong_is_said_in_a_line(tmp_path: Path) -> None:
    up = command("up", "--seed", "nope", "--guests", "simulated", state=tmp_path)
    assert (up.returncode, up.stdout) == (1, "")
    assert up.stderr.splitlines() == [
        "there is no seed 'nope'; there are cluster, conformance, demo, demo84, fleet, thin, and files that end in .json or .yml",
        "The lab did not start.",
    ]
