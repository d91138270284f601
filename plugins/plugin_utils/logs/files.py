# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Step logs on the controller: a file for each app, which any number of runs append to at a time."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class LogFolder:
    """`<path>/<cluster>/<app>.jsonl`; a file that has `max_bytes` becomes `.1`, that one `.2`, and `kept` of them stay."""

    path: Path
    max_bytes: int
    kept: int

    def file_of(self, cluster: str, app: str) -> Path:
        return self.path / _file_name(cluster) / f"{_file_name(app)}.jsonl"

    def append(self, cluster: str, app: str, text: str) -> None:
        """Append whole lines, by one write. Raises OSError."""
        file = self.file_of(cluster, app)
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _locked(file.parent):
            if self.max_bytes and file.exists() and file.stat().st_size >= self.max_bytes:
                self._rotate(file)
            descriptor = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
            try:
                os.write(descriptor, text.encode())
            finally:
                os.close(descriptor)

    def _rotate(self, file: Path) -> None:
        names = [file, *(file.with_name(f"{file.name}.{number}") for number in range(1, self.kept + 1))]
        for older, newer in zip(reversed(names[1:]), reversed(names[:-1]), strict=True):
            if newer.exists():
                newer.replace(older)
        if not self.kept:
            file.unlink()


def _file_name(text: str) -> str:
    """The name of an app or cluster as a file's: nothing that leads elsewhere, and nothing hidden."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", text).lstrip(".")[:100] or "_"


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep others off a folder, other runs as well as other threads: who rotates must be alone."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
