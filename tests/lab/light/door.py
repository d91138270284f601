"""SSH to the lab's nodes, for light guests: what a stand-in for the program ssh asks, is answered as a node with pct would."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fcntl import ioctl
from pathlib import Path
from struct import unpack
from termios import FIONREAD

from lab.containers import stop_container
from lab.faces import note_face
from lab.light import wire
from lab.light.runtime import LightRuntime
from lab.light.strikes import BEFOREHAND, DIES, HAS_EFFECT, PHRASES, SLOW_S, Strike
from lab.model import Guest
from lab.server import Lab

WITH_VALUE = frozenset("BbcDEeFIiJLlmOopQRSWw")
"""Options of ssh that take a value."""
ENTERS = re.compile(r"(?:^|\s)pct exec (\d+) -- ")
LOOKS = re.compile(r"(?:^|\s)find /etc/pve/nodes -path '\*/lxc/(\d+)\.conf'")
LOST, NO_FILE = 255, 2
"""pct ends with the number of the system's error where there is one, as Perl's die does."""
PASSING = ("tmp/", "root/.ansible/", "run/")
"""What Ansible itself leaves and takes away on a disk."""


@dataclass
class Heard:
    """A command that came by SSH: its number, beginning with 1, the node, and what it did.

    `task`: what the one who calls says that it is about, in LIGHT_TASK. `name`: the module or program that it called; `changes`: how many
    these made. `wrote`: whether the disk is another one now, where that is looked at.
    """

    number: int
    node: str
    vmid: int
    command: str
    task: str = ""
    name: str = ""
    changes: int = 0
    wrote: bool = False
    status: int | None = None


class Door:
    """A place that `ssh` in the folder of tools goes to, named by LIGHT_DOOR; its thread answers until it is closed."""

    def __init__(self, lab: Lab, runtime: LightRuntime, address: str) -> None:
        self._lab, self._runtime, self.address = lab, runtime, address
        self.heard: list[Heard] = []
        self.looks_closely = False
        self._strike: Strike | None = None
        self._first = 0
        self._lock = threading.Lock()
        self._socket = wire.listen(address)
        threading.Thread(target=self._listen, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def set(self, strike: Strike | None) -> None:
        with self._lock:
            self._strike, self._first = strike, len(self.heard)

    def _listen(self) -> None:
        with suppress(OSError):
            while True:
                conn = self._socket.accept()[0]
                threading.Thread(target=self._converse, args=(conn,), daemon=True).start()

    def _converse(self, conn: socket.socket) -> None:
        with conn:
            try:
                message, files = wire.receive(conn, 3)
            except EOFError:
                return
            try:
                status = self._serve(conn, message, files)
            finally:
                for file in files:
                    os.close(file)
            with suppress(OSError):
                wire.send(conn, {"status": status})

    def _serve(self, conn: socket.socket, message: wire.Message, files: Sequence[int]) -> int:
        node, command = parse_words(message["words"])
        entered = ENTERS.search(command)
        with self._lock:
            heard = Heard(
                len(self.heard) + 1, node, int(entered[1]) if entered else 0, command, message["environment"].get("LIGHT_TASK", "")
            )
            self.heard.append(heard)
            strike = self._strike if self._strike and heard.number - self._first == self._strike.nth else None
        if strike:
            heard.status = self._befall(conn, strike, heard, files)
        else:
            heard.status = self._answer(heard, files)
        return heard.status

    def _befall(self, conn: socket.socket, strike: Strike, heard: Heard, files: Sequence[int]) -> int:
        kind = strike.kind
        if kind in BEFOREHAND:
            self._happen(kind, heard)
        elif kind == "lost-midst":
            self._half(strike, heard, files)
        elif kind in HAS_EFFECT:
            self._unheard(heard, files)
        strike.struck.set()
        if kind in BEFOREHAND:
            return self._answer(heard, files)
        if kind in DIES:
            conn.recv(1)  # until it is dead
            return LOST
        say(files, PHRASES[kind].format(node=heard.node))
        return 1 if kind == "fails" else LOST

    def _happen(self, kind: str, heard: Heard) -> None:
        """What comes between; the command takes its way all the same."""
        guest = self._lab.cluster.guests.get(heard.vmid)
        if kind == "slow":
            time.sleep(SLOW_S)
        elif kind in ("ssh-down", "node-down"):
            self._lab.fault(kind, target=heard.node, seconds=0, **({"power": 1} if kind == "node-down" else {}))
        elif guest and kind == "stopped":
            stop_container(self._lab.cluster, guest)
        elif guest:
            carry_off(self._lab, guest)

    def _unheard(self, heard: Heard, files: Sequence[int]) -> None:
        with Path(os.devnull).open("wb") as nobody:
            self._answer(heard, [files[0], nobody.fileno(), nobody.fileno()])

    def _half(self, strike: Strike, heard: Heard, files: Sequence[int]) -> None:
        """The command dies where it is told to; one that only takes what it is given, when it has had half of that."""
        with Path(os.devnull).open("wb") as nobody:
            others = [nobody.fileno(), nobody.fileno()]
            if strike.die_at:
                self._answer(heard, [files[0], *others], strike.die_at)
                return
            given = read_all(files[0])
            ready, fed = os.pipe()
            thread = threading.Thread(target=self._answer, args=(heard, [ready, *others]))
            thread.start()
            os.write(fed, given[: len(given) // 2][:60_000])
            while unpack("i", ioctl(ready, FIONREAD, b"\0" * 4))[0]:
                time.sleep(0.005)
            time.sleep(0.02)
            self._runtime.interrupt(heard.vmid)
            thread.join()
            os.close(ready)
            os.close(fed)

    def _answer(self, heard: Heard, files: Sequence[int], die_at: int = 0) -> int:
        cluster = self._lab.cluster
        node = cluster.nodes.get(heard.node)
        if node is None or not node.online:
            say(files, PHRASES["offline"].format(node=heard.node))
            return LOST
        if not node.ssh:
            say(files, PHRASES["refused"].format(node=heard.node))
            return LOST
        if found := LOOKS.search(heard.command):
            guest = cluster.guests.get(int(found[1]))
            os.write(files[1], f"/etc/pve/nodes/{guest.node}/lxc/{guest.vmid}.conf\n".encode() if guest else b"")
            return 0
        guest = cluster.guests.get(heard.vmid)
        if guest is None or guest.node != heard.node:
            gone = f"Configuration file 'nodes/{heard.node}/lxc/{heard.vmid}.conf' does not exist"
            return on_node(heard.command, gone, NO_FILE, files)
        if not cluster.running(guest):
            return on_node(heard.command, f"container '{heard.vmid}' not running!", LOST, files)
        return self._enter(heard, files, die_at)

    def _enter(self, heard: Heard, files: Sequence[int], die_at: int) -> int:
        before = fingerprint(self._runtime.root(heard.vmid)) if self.looks_closely else None
        try:
            done = self._runtime.enter(heard.vmid, f'pct() {{ shift 3; "$@"; }}; {heard.command}', files, die_at)
        except (EOFError, OSError):  # the guest has ended, and its node's pct with it
            return LOST
        heard.name, heard.changes = done["name"], done["changes"]
        if self.looks_closely:
            heard.wrote = before != fingerprint(self._runtime.root(heard.vmid))
        return LOST if done["dead"] else int(done["status"])


def parse_words(words: Sequence[str]) -> tuple[str, str]:
    """The node and the command of a call of ssh."""
    rest = list(words)
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option[-1] in WITH_VALUE and len(option) == 2:
            rest.pop(0)
    return rest[0], " ".join(rest[1:])


def on_node(command: str, refusal: str, status: int, files: Sequence[int]) -> int:
    """What the node's shell makes of the command where pct refuses."""
    script = f"pct() {{ printf '%s\\n' \"$REFUSAL\" >&2; return {status}; }}; {command}"
    environment = {"PATH": "/usr/bin:/bin", "REFUSAL": refusal}
    return subprocess.run(["/bin/sh", "-c", script], stdin=files[0], stdout=files[1], stderr=files[2], env=environment).returncode


def say(files: Sequence[int], text: str) -> None:
    with suppress(OSError):
        os.write(files[2], f"{text}\n".encode())


def read_all(file: int) -> bytes:
    found = b""
    while piece := os.read(file, 65536):
        found += piece
    return found


def carry_off(lab: Lab, guest: Guest) -> None:
    """To another node that has such disks, as a migration with a restart does."""
    cluster = lab.cluster
    with cluster.lock:
        own = [volume for volume in cluster.volumes.values() if volume.vmid == guest.vmid and volume.content == "rootdir" and volume.node]
        storages = [cluster.storages[volume.storage] for volume in own]
        free = [name for name in cluster.nodes if name != guest.node and all(name in (each.nodes or cluster.nodes) for each in storages)]
        was_running = cluster.running(guest)
        if was_running:
            cluster.runtime.stop(guest.node, guest.vmid)
        for volume in own:
            del cluster.volumes[volume.node, volume.volid]
            volume.node = free[0]
            cluster.volumes[volume.node, volume.volid] = volume
        guest.node = free[0]
        if was_running:
            cluster.runtime.start(guest.node, guest.vmid, guest.config, lambda line: None)
        note_face(cluster, guest)


def fingerprint(root: Path) -> frozenset[tuple[str, int, int, int, int]]:
    """Differs where something on a disk differs that lasts."""
    found = set()
    for folder, _folders, files in os.walk(root):
        inside = f"{Path(folder).relative_to(root)}/"
        if inside.startswith(PASSING):
            continue
        for name in (".", *files):
            about = Path(folder, name).lstat()
            moved = 0 if name == "." else about.st_mtime_ns
            found.add((f"{inside}{name}", about.st_mode, about.st_uid, about.st_ino, moved))
    return frozenset(found)
