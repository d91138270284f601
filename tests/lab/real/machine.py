"""What labs share on one machine: the range that never leaves it, node numbers, and the services on `lo`.

Everything under RUN is a note of a process that we started. A note is written before the process may run on, so that
a runner killed at any moment leaves nothing unknown behind.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.guests.runtime import RuntimeFailure
from lab.real.layout import CACHE_ADDRESS, NODE_LIMIT, RANGE, REGISTRY_ADDRESS, RUN
from lab.real.shell import Process, as_json, locked, read_process, run, succeeds, write_json

INOTIFY_INSTANCES = 1024
"""All containers share the machine's count; the kernel's default of 128 ends at about six of them."""
KERNEL_MODULES = (
    "overlay",
    "veth",
    "bridge",
    "br_netfilter",
    "nf_tables",
    "nft_compat",
    "nft_chain_nat",
    "nf_conntrack",
    "xt_conntrack",
    "xt_MASQUERADE",
    "xt_addrtype",
    "ip_tables",
    "iptable_nat",
    "iptable_filter",
)
"""What dockerd needs; a guest cannot load them."""


@dataclass(frozen=True)
class Slot:
    """A node number in use: by which lab, for which node, run by which process.

    `holder` is the `unshare` that started the node; `init` is the node's PID 1, None until the node is ready;
    `owner` is the process that the lab is for, None for a lab that stays until it is taken down.
    """

    index: int
    state: str
    node: str
    holder: Process
    init: Process | None = None
    owner: Process | None = None

    def alive(self) -> bool:
        return self.holder.alive()

    def wanted(self) -> bool:
        """Whether somebody may still need it."""
        return self.alive() and Path(self.state).is_dir() and (self.owner is None or self.owner.alive())

    def write(self) -> None:
        processes = {"holder": as_json(self.holder), "init": as_json(self.init), "owner": as_json(self.owner)}
        write_json(_slot_file(self.index), {"state": self.state, "node": self.node, **processes})

    def remove(self) -> None:
        _slot_file(self.index).unlink(missing_ok=True)


@contextmanager
def machine_lock() -> Iterator[None]:
    """One `up` or `down` at a time on this machine."""
    with locked(RUN / "lock"):
        yield


@contextmanager
def services_in_use() -> Iterator[None]:
    """While a lab is on its way up, another's `down` leaves the services alone."""
    RUN.mkdir(parents=True, exist_ok=True)
    with (RUN / "in-use").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_SH)
        yield


def services_are_in_use() -> bool:
    with (RUN / "in-use").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _slot_file(index: int) -> Path:
    return RUN / "slots" / f"{index}.json"


def slots() -> list[Slot]:
    """All node numbers taken, by living and by dead nodes."""
    found = []
    for path in sorted((RUN / "slots").glob("*.json")):
        noted: dict[str, Any] = json.loads(path.read_text())
        holder = read_process(noted["holder"])
        if holder is not None:
            init, owner = read_process(noted["init"]), read_process(noted.get("owner"))
            found.append(Slot(int(path.stem), noted["state"], noted["node"], holder, init, owner))
    return found


def free_index(taken: list[Slot]) -> int:
    """The lowest node number that nobody has."""
    used = {slot.index for slot in taken}
    for index in range(NODE_LIMIT):
        if index not in used:
            return index
    raise RuntimeFailure(f"all {NODE_LIMIT} node numbers of {RANGE} are in use; end another lab first")


def fence() -> None:
    """First of all: nothing sent to the lab's range may ever leave the machine. Stays when the lab goes."""
    run(["ip", "route", "replace", "blackhole", RANGE, "metric", "9999"])


def prepare() -> None:
    """The services' addresses, and what the kernel must offer to systemd and dockerd in guests."""
    for address in (CACHE_ADDRESS, REGISTRY_ADDRESS):
        run(["ip", "address", "replace", f"{address}/32", "dev", "lo"])
    instances = Path("/proc/sys/fs/inotify/max_user_instances")
    if int(instances.read_text()) < INOTIFY_INSTANCES:
        instances.write_text(str(INOTIFY_INSTANCES))
    release = Path("/lib/modules") / os.uname().release
    if release.is_dir():
        for module in KERNEL_MODULES:
            succeeds(["modprobe", "-q", module])


def release_addresses() -> None:
    for address in (CACHE_ADDRESS, REGISTRY_ADDRESS):
        succeeds(["ip", "address", "del", f"{address}/32", "dev", "lo"])
