# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A look into a guest: who listens there, and which containers it runs, as `roles/adopt/files/look.sh` tells it.

The text has sections, each begun by `== name`: `tcp` (/proc/net/tcp and tcp6), `names` (/proc/*/comm), `fds` (open files of every
process), `containers` (a line each: image, state, Compose project, service, folder, published ports, tabs between).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

LISTENING = "0A"
LOOPBACK = ("0100007F", "00000000000000000000000001000000", "0000000000000000FFFF00000100007F")
PUBLISHED = re.compile(r"(?:\S*:)?(\d+)->(\d+)/tcp")


@dataclass(frozen=True)
class Socket:
    """A port that is listened on for connections from outside. `process` is empty where nobody may know."""

    port: int
    process: str = ""


@dataclass(frozen=True)
class Container:
    """A container within the guest. `ports` pairs published ones with its own; `project` is that of Docker Compose."""

    image: str
    running: bool = True
    project: str = ""
    service: str = ""
    folder: str = ""
    ports: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Look:
    sockets: tuple[Socket, ...] = ()
    containers: tuple[Container, ...] = ()


def parse_look(text: str) -> Look:
    """Read what the script said; whatever is no line of it is passed over, since a login may greet with anything."""
    sections = _sections(text)
    names = dict(_matches(r"/proc/(\d+)/comm:(.+)", sections.get("names", ())))
    owners = dict(_owners(sections.get("fds", ())))
    sockets = {_socket(port, owners.get(inode, ""), names) for port, inode in _listening(sections.get("tcp", ()))}
    containers = (line.split("\t") for line in sections.get("containers", ()))
    return Look(
        tuple(sorted(sockets, key=lambda socket: (socket.port, socket.process))),
        tuple(_container(words) for words in containers if len(words) == 6),
    )


def _sections(text: str) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith("== "):
            lines = sections.setdefault(line[3:].strip(), [])
        else:
            lines.append(line.rstrip("\r"))
    return sections


def _matches(pattern: str, lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    found = (re.fullmatch(pattern, line) for line in lines)
    yield from ((match[1], match[2]) for match in found if match)


def _owners(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Inode of a socket -> process, from `ls -l` of several folders."""
    process = ""
    for line in lines:
        if folder := re.fullmatch(r"/proc/(\d+)/fd:", line):
            process = folder[1]
        elif socket := re.search(r"socket:\[(\d+)\]", line):
            yield socket[1], process


def _listening(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Ports and inodes, from the kernel's table: `sl local_address rem_address st ... uid timeout inode`."""
    for line in lines:
        words = line.split()
        if len(words) < 10 or words[3] != LISTENING or ":" not in words[1]:
            continue
        address, _colon, port = words[1].partition(":")
        if address not in LOOPBACK:
            yield int(port, 16), words[9]


def _socket(port: int, process: str, names: dict[str, str]) -> Socket:
    return Socket(port, names.get(process, ""))


def _container(words: Sequence[str]) -> Container:
    image, state, project, service, folder, ports = words
    pairs = {(int(published), int(own)) for published, own in PUBLISHED.findall(ports)}
    return Container(image, state == "running", project, service, folder, tuple(sorted(pairs)))
