# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Who holds a lease: this user on this machine, and the run of Ansible that we are part of."""

from __future__ import annotations

import getpass
import hashlib
import os
import secrets
import socket
from pathlib import Path

from .model import Controller

PROC = Path("/proc")
COMMANDS = frozenset({"ansible", "ansible-playbook", "ansible-console"})
REAPERS = frozenset({"init", "systemd", "tini", "dumb-init"})
"""Who adopts a process whose parent was killed."""
INITIAL_PID_NAMESPACE = "pid:[4026531836]"


def identify() -> Controller:
    return Controller(f"{_user()}@{socket.gethostname()}", _run(), secrets.token_hex(16))


def run_has_ended(run: str) -> bool:
    """Whether this run was on this machine and its process is gone. Of another machine's runs nothing is known."""
    machine, pid, ticks = (*run.split(":"), "", "")[:3]
    return machine == _machine() and pid.isdigit() and ticks.isdigit() and ticks != "0" and _started(int(pid)) != int(ticks)


def run_is_left_over(run: str) -> bool:
    """Whether this run is a process of this machine that has lost its parent: of a killed Ansible, the last task is finished by itself."""
    machine, pid, ticks = (*run.split(":"), "", "")[:3]
    if machine != _machine() or not pid.isdigit() or str(_started(int(pid))) != ticks:
        return False
    parent = _parent(int(pid))
    return parent == 1 or bool(_command(parent) & REAPERS)


def _run() -> str:
    """The topmost Ansible command above us: all tasks of a play share it, and no two plays do."""
    pid, top = os.getpid(), os.getpid()
    while pid > 1:
        if _command(pid) & COMMANDS:
            top = pid
        pid = _parent(pid)
    return f"{_machine()}:{top}:{_started(top)}"


def _machine() -> str:
    """Tells machines apart, and containers of one machine too: a pid means nothing in another's process table."""
    parts = [_text(Path("/etc/machine-id")), socket.gethostname()]
    try:
        namespace = os.readlink(PROC / "self/ns/pid")  # noqa: PTH115 - it is no path
    except OSError:
        namespace = ""
    if namespace != INITIAL_PID_NAMESPACE:
        parts += [_text(PROC / "sys/kernel/random/boot_id"), namespace]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def _command(pid: int) -> set[str]:
    """The names of a process's program and, for an interpreter, of its script or module (`python -m ansible`)."""
    return {word.rpartition("/")[2] for word in _text(PROC / str(pid) / "cmdline").split("\0")[:3]}


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on: the second, a name, may hold anything."""
    return _text(PROC / str(pid) / "stat").rpartition(")")[2].split()


def _parent(pid: int) -> int:
    fields = _stat(pid)
    return int(fields[1]) if fields else 0


def _started(pid: int) -> int:
    """Ticks since boot; 0 where there is no such process, or no /proc."""
    fields = _stat(pid)
    return int(fields[19]) if fields and fields[0] != "Z" else 0


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return str(os.getuid())
