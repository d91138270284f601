"""What Linux has to make a process a world of its own; Python has it from 3.12 on only."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct
from collections.abc import Sequence
from pathlib import Path

NEW_NAMESPACES = 0x00020000 | 0x04000000 | 0x08000000 | 0x20000000 | 0x40000000
"""CLONE_NEWNS, _NEWUTS, _NEWIPC, _NEWPID, _NEWNET."""
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
DIE_WITH_PARENT = 1
SET_FLAGS, UP = 0x8914, 1

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, about: str) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), about)


def leave_host() -> None:
    """Namespaces for this process; a new process table holds for the children that it will have."""
    _checked(_libc.unshare(NEW_NAMESPACES), "unshare")
    mount("none", "/", "", RECURSIVE | PRIVATE)


def mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    _checked(_libc.mount(source.encode(), target.encode(), kind.encode() or None, flags, None), target)


def bind(source: str, target: Path, read_only: bool = True) -> None:
    mount(source, str(target), "", BIND | RECURSIVE)
    if read_only:
        mount("none", str(target), "", BIND | REMOUNT | READ_ONLY)


def enter_root(root: Path, shown: Sequence[str], programs: Path) -> None:
    """Make a folder the root of this process's world: with these folders of the machine, and these programs before all others."""
    mount(str(root), str(root), "", BIND)
    for folder in shown:
        bind(folder, root / folder.lstrip("/"))
    bind(str(programs), root / "usr/local/bin")
    bind("/dev", root / "dev", read_only=False)
    mount("proc", str(root / "proc"), "proc")
    mount("tmpfs", str(root / "run"), "tmpfs")
    os.chroot(root)
    os.chdir("/")


def raise_loopback() -> None:
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", UP))


def die_with_parent() -> None:
    _checked(_libc.prctl(DIE_WITH_PARENT, signal.SIGKILL, 0, 0, 0), "prctl")
