"""Runs of `ansible-playbook` on a stage."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Ended:
    """A run that has ended; `status` is less than zero where a signal ended it."""

    status: int
    output: str
    errors: str


class Stage:
    """The process on which runs are forked, one at a time. Of `environment` they all have what Ansible reads when it is imported."""

    def __init__(self, folder: Path, environment: Mapping[str, str], hurried: bool = False) -> None:
        self._output, self._errors = folder / "output", folder / "errors"
        home = {"ANSIBLE_HOME": str(folder / "ansible"), "PYTHONPATH": str(CHECKOUT / "tests")}
        words = [sys.executable, "-m", "stage", *(["--hurried"] if hurried else [])]
        self._process = subprocess.Popen(
            words,
            cwd=CHECKOUT,
            env={**environment, **home},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._hear()

    def close(self) -> None:
        self._process.communicate()

    def begin(self, words: Sequence[str], environment: Mapping[str, str], merged: bool = False) -> int:
        """Its pid. `merged`: errors stand among the output, in their order."""
        assert self._process.stdin
        for file in (self._output, self._errors):
            file.write_bytes(b"")
        errors = self._output if merged else self._errors
        order = {"words": list(words), "environment": dict(environment), "output": str(self._output), "errors": str(errors)}
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        return int(self._hear()["pid"])

    def end(self, pid: int) -> Ended:
        """Wait until the run has ended; whoever loses patience ends it."""
        status = None
        try:
            status = int(self._hear()["status"])
        finally:
            if status is None:
                kill_all_of(pid)
                self._hear()
        return Ended(status, self._output.read_text(), self._errors.read_text())

    def _hear(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the stage has ended: {self._process.communicate()[1]}")
        return dict(json.loads(line))


def kill_all_of(pid: int) -> None:
    for process in (pid, *_offspring(pid)):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)


def _offspring(pid: int) -> list[int]:
    """Workers have sessions of their own, so a process group is not all of a run."""
    found = subprocess.run(["ps", "-e", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout.split()
    children: dict[int, list[int]] = {}
    for child, parent in zip(map(int, found[::2]), map(int, found[1::2]), strict=True):
        children.setdefault(parent, []).append(child)
    every, todo = list[int](), [pid]
    while todo:
        todo = [child for parent in todo for child in children.get(parent, ())]
        every += todo
    return every
