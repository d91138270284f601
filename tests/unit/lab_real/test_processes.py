"""Processes that we start are never unknown, and only those that we started are ended."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest
from lab.guests.runtime import RuntimeFailure
from lab.real import machine, shell
from lab.real.machine import Slot
from lab.real.shell import Process, as_json, end, read_process, replace, run, spawn, succeeds, wait_until


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(RuntimeFailure, match=r"command 'sh -c .*' failed with 3: no such luck"):
        run(["sh", "-c", "echo no such luck >&2; exit 3"])
    with pytest.raises(RuntimeFailure, match="'nosuchcommand' is not installed"):
        run(["nosuchcommand"])
    with pytest.raises(RuntimeFailure, match=r"did not end within 0.1 s"):
        run(["sleep", "5"], timeout_s=0.1)
    assert run(["sh", "-c", "cat; exit 1"], text="given", ok=(0, 1)) == "given"
    assert not succeeds(["false"])


def test_commands_do_not_see_the_callers_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://nowhere.example")
    assert "HTTP_PROXY" not in run(["env"])


def test_a_process_is_known_again_and_told_from_another() -> None:
    with subprocess.Popen(["sleep", "60"]) as child:
        process = Process.of(child.pid)
        assert process is not None
        assert read_process(as_json(process)) == process
        assert process.alive()
        assert not Process(process.pid, process.ticks + 1).alive()
        end(process, ("bash",))
        end(Process(process.pid, process.ticks + 1), ("sleep",))
        assert process.alive(), "neither another name nor another start may end it"
        end(process, ("sleep",))
        assert not process.alive()
        assert child.wait() == -signal.SIGKILL


def test_a_daemon_runs_only_when_it_is_noted(tmp_path: Path) -> None:
    noted: list[Process] = []
    daemon = spawn(["sh", "-c", "echo began; sleep 60"], tmp_path / "log", noted.append)
    try:
        assert noted == [daemon]
        wait_until(lambda: "began" in (tmp_path / "log").read_text(), 5, "it began")
    finally:
        end(daemon, ("sh", "sleep"))


def test_a_daemon_whose_runner_dies_before_noting_it_ends(tmp_path: Path) -> None:
    seen: list[Process] = []

    def die(process: Process) -> None:
        seen.append(process)
        raise RuntimeFailure("killed")

    with pytest.raises(RuntimeFailure, match="killed"):
        spawn(["sh", "-c", "echo began"], tmp_path / "log", die)
    wait_until(lambda: not seen[0].alive(), 5, "it ends")
    assert (tmp_path / "log").read_text() == ""


def test_files_are_replaced_whole(tmp_path: Path) -> None:
    replace(tmp_path / "new" / "a", "one", 0o600)
    replace(tmp_path / "new" / "a", "two", 0o640)
    assert (tmp_path / "new" / "a").read_text() == "two"
    assert (tmp_path / "new" / "a").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["a"]


def test_waiting_says_what_for() -> None:
    with pytest.raises(RuntimeFailure, match=r"the moon: still not so after 0.05 s"):
        wait_until(lambda: False, 0.05, "the moon")


def test_locks_exclude(tmp_path: Path) -> None:
    with shell.locked(tmp_path / "lock"):
        assert subprocess.run(["flock", "-n", tmp_path / "lock", "true"], check=False).returncode == 1
    assert subprocess.run(["flock", "-n", tmp_path / "lock", "true"], check=False).returncode == 0


def test_slots_survive_their_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "RUN", tmp_path)
    process = Process.of(os.getpid())
    assert process is not None
    for index in (0, 2):
        Slot(index, "/s", f"pve{index}", process, process if index else None).write()
    slots = machine.slots()
    assert [(slot.index, slot.node, slot.alive(), slot.init is None) for slot in slots] == [
        (0, "pve0", True, True),
        (2, "pve2", True, False),
    ]
    assert machine.free_index(slots) == 1
    slots[0].remove()
    assert machine.free_index(machine.slots()) == 0
    full = [Slot(index, "/s", "n", process) for index in range(15)]
    with pytest.raises(RuntimeFailure, match="all 15 node numbers"):
        machine.free_index(full)
