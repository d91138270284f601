"""A genuine Docker Compose for tests: this machine's own, or the one of Debian 13, unpacked into the lab's cache."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from lab.real import doctor
from lab.real.builder import Bootstrap, architecture, bootstrap, digest_of, kept
from lab.real.machine import fence, machine_lock, prepare, release_addresses, services_are_in_use, services_in_use, slots
from lab.real.mirror import Mirror, mirror_of_machine
from lab.real.services import start_services, stop_services

PACKAGE = Bootstrap("trixie", "extract", ("docker-compose",))
PROGRAM = "usr/libexec/docker/cli-plugins/docker-compose"
LIBRARIES = {"amd64": ("lib64/ld-linux-x86-64.so.2", "x86_64-linux-gnu"), "arm64": ("lib/ld-linux-aarch64.so.1", "aarch64-linux-gnu")}


class NoComposeError(Exception):
    """There is none, and none can be had; the text says why."""


@cache
def compose_command() -> tuple[str, ...]:
    """The words that run Compose, version 2 or later; raises NoComposeError."""
    for candidate in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(candidate[0]) and _is_new(candidate):
            return candidate
    report = doctor()
    if not report.possible:
        raise NoComposeError(f"no Docker Compose 2 on this machine, and none can be unpacked: {'; '.join(report.reasons)}")
    mirror = mirror_of_machine()
    loader, libraries = LIBRARIES[architecture()]
    root = kept("tools", digest_of(PACKAGE, mirror.sources(PACKAGE.suite), architecture()), "docker-compose", _unpacker(mirror), _quiet)
    return (str(_inside(root, loader)), "--library-path", str(root / "usr/lib" / libraries), str(root / PROGRAM))


def _is_new(command: tuple[str, ...]) -> bool:
    told = subprocess.run([*command, "version", "--short"], capture_output=True, text=True, check=False)
    return told.returncode == 0 and not told.stdout.strip().lstrip("v").startswith("1.")


def _inside(root: Path, name: str) -> Path:
    """A path of an unpacked system, where /lib64 may be a link to usr/lib64."""
    return next(path for path in (root / "usr" / name, root / name) if path.exists())


def _unpacker(mirror: Mirror) -> Callable[[Path], Path]:
    def make(work: Path) -> Path:
        with _apt_cache(mirror):
            bootstrap(PACKAGE, mirror, work, work / "root", _quiet)
        return work / "root"

    return make


@contextmanager
def _apt_cache(mirror: Mirror) -> Iterator[None]:
    """The lab's apt cache, for as long as it takes; it ends afterwards unless a lab needs it."""
    with services_in_use():
        with machine_lock():
            fence()
            prepare()
            start_services(mirror)
        yield
    with machine_lock():
        if not slots() and not services_are_in_use():
            stop_services()
            release_addresses()


def _quiet(_line: str) -> None:
    pass
