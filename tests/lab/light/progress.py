"""How far a command has come, counted in the changes that it makes; and its death before one of them."""

from __future__ import annotations

import mmap
import os
import signal
import struct
import sys
from typing import Any

CHANGES = frozenset(
    {"os.rename", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime"}
    | {"subprocess.Popen"}
)
WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT
PASSING = ("/dev/", "/proc/", "/tmp/ansible_")
"""Where files are that belong to the command itself: what a module is unpacked to, for one."""
FIELDS = struct.Struct("QQQ40s")


class Progress:
    """Shared by all processes of a command: changes made, the one before which they die (0: none), whether they have to; a name."""

    def __init__(self, die_at: int = 0) -> None:
        self._page = mmap.mmap(-1, FIELDS.size)
        self._write(0, die_at, 0, b"")

    def _write(self, *values: Any) -> None:
        FIELDS.pack_into(self._page, 0, *values)

    def _read(self) -> tuple[int, int, int, bytes]:
        made, die_at, dead, name = FIELDS.unpack_from(self._page)
        return made, die_at, dead, name.rstrip(b"\0")

    @property
    def made(self) -> int:
        return self._read()[0]

    @property
    def dead(self) -> bool:
        return bool(self._read()[2])

    @property
    def name(self) -> str:
        return self._read()[3].decode()

    def call_it(self, name: str) -> None:
        """The first name stays: what is called by a program is part of it."""
        made, die_at, dead, known = self._read()
        self._write(made, die_at, dead, known or name.encode()[:40])

    def condemn(self) -> None:
        made, die_at, _dead, name = self._read()
        self._write(made, die_at, 1, name)

    def one_more(self) -> None:
        """A change is about to be made."""
        made, die_at, _dead, name = self._read()
        if made + 1 == die_at:
            self._write(made, die_at, 1, name)
            os.kill(os.getpid(), signal.SIGKILL)
        self._write(made + 1, die_at, 0, name)

    def watch(self) -> None:
        """Count what this process does from now on."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = bool(flags & WRITES) if isinstance(flags, int) else False
            if isinstance(mode, str):
                writes = bool(set(mode) & set("wax+"))
            if writes and not _is_passing(path):
                self.one_more()
        elif event in CHANGES and not _is_passing(arguments[0] if arguments else ""):
            self.one_more()


def _is_passing(path: Any) -> bool:
    return isinstance(path, int) or str(os.fsdecode(path) if isinstance(path, bytes) else path).startswith(PASSING)
