"""The process of a guest: it runs commands and programs that are asked for, keeps services up, and all of it ends with it."""

from __future__ import annotations

import os
import selectors
import signal
import socket
import struct
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from lab.light import namespaces, programs, services, wire
from lab.light.client import GUEST
from lab.light.progress import Progress

ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "linux", "container": "lxc"}
PEER = struct.Struct("3i")


@dataclass(eq=False)
class Command:
    """What was asked for from outside, with the sessions of all its processes."""

    progress: Progress
    sessions: set[int] = field(default_factory=set)


def begin_guest(root: Path, door: str, hostname: str, shown: Sequence[str], tools: Path) -> int:
    """Fork the process that a guest is; answers the pid of its guardian, which ends when all of the guest has ended."""
    ready, told = os.pipe()
    guardian = os.fork()
    if not guardian:
        os.close(ready)
        _guard(root, door, hostname, shown, tools, told)
    os.close(told)
    with os.fdopen(ready, "rb") as file:
        if file.read(1) != b"1":
            os.waitpid(guardian, 0)
            raise OSError(f"guest {hostname} did not begin")
    return guardian


def _guard(root: Path, door: str, hostname: str, shown: Sequence[str], tools: Path, told: int) -> NoReturn:
    """Make the namespaces, and the first process in them; when told to end, wait until nothing of it is left."""
    os.setsid()
    namespaces.die_with_parent()
    outside = wire.listen(door)
    namespaces.leave_host()
    first = os.fork()
    if not first:
        _be_first(root, outside, hostname, shown, tools, told)
    os.close(told)
    outside.close()
    signal.signal(signal.SIGTERM, lambda *_: os.kill(first, signal.SIGKILL))
    os.waitpid(first, 0)
    os._exit(0)


def _be_first(root: Path, outside: socket.socket, hostname: str, shown: Sequence[str], tools: Path, told: int) -> NoReturn:
    try:
        namespaces.die_with_parent()
        socket.sethostname(hostname)
        namespaces.enter_root(root, shown, tools)
        namespaces.raise_loopback()
        guest = Guest(outside)
        os.write(told, b"1")
        os.close(told)
        guest.run()
    finally:
        os._exit(1)


class Guest:
    """Everything is done by forking: a program is a function of this process, which has what it needs in memory already."""

    def __init__(self, outside: socket.socket) -> None:
        self._outside, self._inside = outside, wire.listen(GUEST)
        self._selector = selectors.DefaultSelector()
        self._waiting: dict[int, tuple[socket.socket, Command]] = {}
        self._commands: set[Command] = set()
        self._services = services.Services()
        woken, wakes = os.pipe()
        os.set_blocking(woken, False)
        os.set_blocking(wakes, False)
        signal.set_wakeup_fd(wakes, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._woken = woken
        for file in (self._outside, self._inside, woken):
            self._selector.register(file, selectors.EVENT_READ)
        self._services.keep_up(boot=True)

    def run(self) -> NoReturn:
        while True:
            for key, _events in self._selector.select():
                if key.fileobj == self._woken:
                    with suppress(BlockingIOError):
                        os.read(self._woken, 4096)
                    self._reap()
                elif isinstance(key.fileobj, socket.socket):
                    self._answer(key.fileobj.accept()[0])

    def _answer(self, conn: socket.socket) -> None:
        try:
            message, files = wire.receive(conn, 3)
        except (EOFError, OSError):
            conn.close()
            return
        if message["do"] in ("interrupt", "services"):
            with conn:
                wire.send(conn, self._interrupt() if message["do"] == "interrupt" else self._serve(message["restart"]))
            return
        command = Command(Progress(message["die_at"])) if message["do"] == "command" else self._command_of(conn)
        child = os.fork()
        if not child:
            _be_child(message, files, command.progress)
        for file in files:
            os.close(file)
        self._commands.add(command)
        command.sessions.add(child)
        self._waiting[child] = conn, command

    def _interrupt(self) -> wire.Message:
        for command in self._commands:
            command.progress.condemn()
            _kill(command)
        return {}

    def _serve(self, restart: bool) -> wire.Message:
        return {"running": self._services.keep_up(restart=restart)}

    def _command_of(self, conn: socket.socket) -> Command:
        """That to which the caller's process belongs, by its session."""
        pid = PEER.unpack(conn.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))[0]
        with suppress(ProcessLookupError):
            session = os.getsid(pid)
            for command in self._commands:
                if session in command.sessions:
                    return command
        return Command(Progress())

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            self._services.forget(pid)
            if pid in self._waiting:
                self._end(pid, os.waitstatus_to_exitcode(status))

    def _end(self, pid: int, status: int) -> None:
        """Where one process of a command has died as it was meant to, all of them do, before anybody hears of it."""
        conn, command = self._waiting.pop(pid)
        progress = command.progress
        if progress.dead:
            _kill(command)
        with suppress(OSError):
            code = status if status >= 0 else 128 - status
            wire.send(conn, {"status": code, "dead": progress.dead, "changes": progress.made, "name": progress.name})
        conn.close()
        if not any(each is command for _conn, each in self._waiting.values()):
            self._commands.discard(command)


def _kill(command: Command) -> None:
    for session in command.sessions:
        with suppress(ProcessLookupError):
            os.killpg(session, signal.SIGKILL)


def _be_child(message: wire.Message, files: Sequence[int], progress: Progress) -> NoReturn:
    """A shell command, or a program that is a function of ours."""
    os.setsid()
    signal.set_wakeup_fd(-1)
    for ours in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
        signal.signal(ours, signal.SIG_DFL)
    for number, file in enumerate(files):
        os.dup2(file, number)
    if message["do"] == "command":
        os.chdir("/root")
        os.execve("/bin/sh", ["sh", "-c", message["command"]], ENVIRONMENT)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    environment: Mapping[str, str] = message["environment"]
    os.environ.clear()
    os.environ.update(environment)
    with suppress(OSError):
        os.chdir(message["folder"])
    programs.run(message["name"], message["words"], progress)
