"""The process from which guests are forked: it has imported what their programs need. `python -m lab.light.keeper FOLDER MODULE...`.

It is told what to do on standard input, a line of JSON each, and answers with one: {"start": VMID, "root": ..., "hostname": ...},
{"stop": VMID}. It ends, with all guests, when its input does.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from lab.light import programs, roots
from lab.light.guest import begin_guest


def door_of(folder: Path, vmid: int) -> str:
    """Where a guest listens."""
    return str(folder / f"{vmid}.door")


class Keeper:
    def __init__(self, folder: Path) -> None:
        self._folder, self._shown = folder, roots.shown_folders()
        self._tools = programs.make_scripts(folder / "tools")
        self._guardians: dict[int, int] = {}

    def start(self, vmid: int, root: str, hostname: str) -> None:
        door = door_of(self._folder, vmid)
        with suppress(FileNotFoundError):
            Path(door).unlink()
        self._guardians[vmid] = begin_guest(Path(root), door, hostname, self._shown, self._tools)

    def stop(self, vmid: int) -> None:
        """It is gone with all its processes when this returns."""
        guardian = self._guardians.pop(vmid, 0)
        if guardian:
            os.kill(guardian, signal.SIGTERM)
            os.waitpid(guardian, 0)
        with suppress(FileNotFoundError):
            Path(door_of(self._folder, vmid)).unlink()

    def obey(self, order: dict[str, Any]) -> None:
        if "start" in order:
            self.start(order["start"], order["root"], order["hostname"])
        else:
            self.stop(order["stop"])

    def end(self) -> None:
        for vmid in list(self._guardians):
            self.stop(vmid)


def main(folder: str, preload: Sequence[str]) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in preload:
        importlib.import_module(name)
    keeper = Keeper(Path(folder))
    print("{}", flush=True)
    for line in sys.stdin:
        error = ""
        try:
            keeper.obey(json.loads(line))
        except OSError as failure:
            error = str(failure)
        print(json.dumps({"error": error} if error else {}), flush=True)
    keeper.end()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
