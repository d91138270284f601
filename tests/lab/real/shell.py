"""Run commands and know processes again: the only place that starts anything."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from lab.guests.runtime import RuntimeFailure

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENVIRONMENT = {"PATH": PATH, "LC_ALL": "C.UTF-8", "HOME": "/root"}
"""What every command gets: a caller's shims, locale and proxies must not reach a node or a guest."""

Say = Callable[[str], None]
Stdin = IO[bytes] | int | None


def run(
    argv: Sequence[str | Path],
    *,
    text: str | bytes | None = None,
    stdin: Stdin = None,
    timeout_s: float = 120,
    ok: tuple[int, ...] = (0,),
    shown: Sequence[str | Path] = (),
    merged: bool = False,
) -> str:
    """Run a command, return its stdout; RuntimeFailure with its last words when it ends otherwise than `ok`.

    `merged`: what it says on stderr belongs to its stdout.
    `shown` stands for the command in that text, where the real one only clutters it.
    """
    words = [str(word) for word in argv]
    name = " ".join(str(word) for word in shown or words)[:120]
    given = text.encode() if isinstance(text, str) else text
    source = None if given is not None else subprocess.DEVNULL if stdin is None else stdin
    try:
        done = subprocess.run(
            words,
            input=given,
            stdin=source,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if merged else subprocess.PIPE,
            env=ENVIRONMENT,
            timeout=timeout_s,
            check=False,
        )
    except FileNotFoundError as error:
        raise RuntimeFailure(f"command '{words[0]}' is not installed") from error
    except subprocess.TimeoutExpired as error:
        raise RuntimeFailure(f"command '{name}' did not end within {timeout_s:g} s") from error
    if done.returncode not in ok:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines() or ["no output"]
        raise RuntimeFailure(f"command '{name}' failed with {done.returncode}: {' / '.join(said[-3:])}")
    return done.stdout.decode(errors="replace")


def succeeds(argv: Sequence[str | Path], timeout_s: float = 30) -> bool:
    """Whether a command exists and ends with 0."""
    try:
        run(argv, timeout_s=timeout_s)
    except RuntimeFailure:
        return False
    return True


@dataclass(frozen=True)
class Process:
    """A process that can be told from a later one with the same number: `ticks` is its start, `comm` its name then."""

    pid: int
    ticks: int

    @classmethod
    def of(cls, pid: int) -> Process | None:
        ticks = start_ticks(pid)
        return None if ticks is None else cls(pid, ticks)

    def alive(self) -> bool:
        return start_ticks(self.pid) == self.ticks

    def comm(self) -> str:
        try:
            return Path(f"/proc/{self.pid}/comm").read_text().strip()
        except OSError:
            return ""


def start_ticks(pid: int) -> int | None:
    """Field 22 of /proc/PID/stat, None for no process or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in "ZX" else int(fields[19])


def end(process: Process, comms: tuple[str, ...], number: signal.Signals = signal.SIGKILL, timeout_s: float = 10) -> None:
    """End a process that we started, if it is still the same one and bears one of these names; waits until it is gone."""
    if not process.alive() or not process.comm().startswith(comms):
        return
    deadline = time.monotonic() + timeout_s
    try:
        os.kill(process.pid, number)
        while process.alive():
            if time.monotonic() > deadline:
                number, deadline = signal.SIGKILL, time.monotonic() + timeout_s
                os.kill(process.pid, number)
            time.sleep(0.01)
    except ProcessLookupError:
        return


def spawn(argv: Sequence[str | Path], log: Path, note: Callable[[Process], None], environment: Mapping[str, str] | None = None) -> Process:
    """Start a daemon that outlives us, but never unknown: it waits until `note` has written it down, and ends if we die before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    gate = 'read -r word && [ "$word" = go ] && exec "$@" </dev/null'
    with log.open("ab") as out:
        child = subprocess.Popen(
            ["/bin/sh", "-c", gate, "sh", *map(str, argv)],
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=out,
            env={**ENVIRONMENT, **(environment or {})},
            start_new_session=True,
            cwd="/",
        )
    _reap_when_it_ends(child)
    process = Process.of(child.pid)
    if process is None or child.stdin is None:
        raise RuntimeFailure(f"could not start '{argv[0]}'")
    with child.stdin as gatekeeper:
        note(process)
        gatekeeper.write(b"go\n")
    return process


def _reap_when_it_ends(child: subprocess.Popen[bytes]) -> None:
    """Have the child collected in the background; subprocess would warn of a child still running otherwise."""
    threading.Thread(target=child.wait, daemon=True, name=f"reaper-{child.pid}").start()


def write_json(path: Path, value: object) -> None:
    """Write whole or not at all."""
    replace(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def replace(path: Path, text: str, mode: int = 0o644) -> None:
    """Write a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}")
    part.write_text(text)
    part.chmod(mode)
    part.rename(path)


def read_process(value: object) -> Process | None:
    """The inverse of `as_json`."""
    return Process(int(value["pid"]), int(value["ticks"])) if isinstance(value, dict) else None


def as_json(process: Process | None) -> dict[str, int] | None:
    return None if process is None else asdict(process)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on a file; it frees itself with the process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def wait_until(true: Callable[[], bool], timeout_s: float, what: str, every_s: float = 0.02) -> None:
    """Wait for a condition; RuntimeFailure says what was waited for."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeFailure(f"{what}: still not so after {timeout_s:g} s")
        time.sleep(every_s)
