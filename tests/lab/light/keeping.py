"""The keeper's side of those who have guests: one process for all labs of a test run, since it is what costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.light import wire
from lab.light.keeper import door_of

TESTS = Path(__file__).parents[2]


class Keeping:
    """A keeper with its guests, safe for threads. `folder` is where they listen, and `tools` in it their programs.

    `preload` names modules that guests' programs shall find imported.
    """

    def __init__(self, folder: Path, preload: Sequence[str] = ()) -> None:
        self.folder, self.tools = folder, folder / "tools"
        self._told, self._begun = threading.Lock(), set[int]()
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join((str(TESTS), *sys.path)), "LC_ALL": "C.UTF-8"}
        words = [sys.executable, "-m", "lab.light.keeper", str(folder), *preload]
        self._process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        self._hear()

    def close(self) -> None:
        """End the keeper and all guests."""
        self._process.communicate()

    def begin(self, vmid: int, root: Path, hostname: str) -> None:
        """Begin a guest that has not begun."""
        with self._told:
            if vmid not in self._begun:
                self._tell({"start": vmid, "root": str(root), "hostname": hostname})
                self._begun.add(vmid)

    def end(self, vmid: int) -> None:
        """End a guest, if it has begun; nothing of it is left then."""
        with self._told:
            if vmid in self._begun:
                self._begun.discard(vmid)
                self._tell({"stop": vmid})

    def end_all(self) -> None:
        for vmid in list(self._begun):
            self.end(vmid)

    def ask(self, vmid: int, message: wire.Message, files: Sequence[int] = ()) -> wire.Message:
        """EOFError where the guest ends first, OSError where it has ended."""
        return wire.call(door_of(self.folder, vmid), message, files)

    def _tell(self, order: Mapping[str, object]) -> None:
        assert self._process.stdin
        self._process.stdin.write(f"{json.dumps(order)}\n")
        self._process.stdin.flush()
        self._hear()

    def _hear(self) -> None:
        assert self._process.stdout
        if error := json.loads(self._process.stdout.readline() or '{"error": "the keeper of light guests has ended"}').get("error"):
            raise RuntimeFailure(error)
