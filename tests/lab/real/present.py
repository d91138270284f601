"""What is there now: nodes, guests, whether they run. Answered by the kernel and the disk, never from memory."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

from lab.guests.runtime import GuestState, RuntimeFailure
from lab.real.cgroups import guest_group, init_of, node_group, populated_group
from lab.real.layout import StateDir
from lab.real.node import Node, find, vmids
from lab.real.shell import Process

COMPLETE = "complete"
"""The file in a guest's directory that says: its root file system is whole."""


@dataclass
class Present:
    """Questions about one lab. It remembers only which process a guest's PID 1 was, and checks that each time."""

    state: StateDir
    _inits: dict[int, Process] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def node(self, name: str) -> Node:
        """The living node of that name."""
        node = find(self.state, name)
        if node is None:
            raise RuntimeFailure(f"node '{name}' is not running")
        return node

    def nodes(self) -> list[str]:
        """All nodes of the lab, living or not."""
        return sorted(path.name for path in (self.state.root / "nodes").glob("*") if path.is_dir())

    def guests(self) -> dict[int, str]:
        """vmid -> node of every guest with a whole root file system."""
        return {vmid: node for node in self.nodes() for vmid in vmids(self.state, node) if self.is_complete(node, vmid)}

    def is_complete(self, node: str, vmid: int) -> bool:
        return (self.state.guest(node, vmid) / COMPLETE).exists()

    def group(self, node: str, vmid: int, kind: str = "payload") -> Path | None:
        """The guest's control group (or its monitor's), None when no process is in it."""
        return populated_group(node_group(self.state.root, node) / guest_group(self.state.root, vmid), kind)

    def runs(self, node: str, vmid: int) -> bool:
        return self.group(node, vmid) is not None

    def is_held(self, node: str, vmid: int) -> bool:
        """Whether LXC still has its hands on a guest: it runs, or its monitor is not done with it."""
        return self.runs(node, vmid) or self.group(node, vmid, "monitor") is not None

    def guest(self, node: str, vmid: int) -> GuestState:
        group = self.group(node, vmid)
        if group is None:
            return GuestState(running=False)
        process = self._init(vmid, group)
        return GuestState(running=True, pid=process.pid, started=_started(process)) if process else GuestState(running=True)

    def pid(self, node: str, vmid: int) -> int:
        """The PID 1 of a running guest, by its number here."""
        pid = self.guest(node, vmid).pid
        if pid is None:
            raise RuntimeFailure(f"CT {vmid} not running")
        return pid

    def _init(self, vmid: int, group: Path) -> Process | None:
        with self._lock:
            known = self._inits.get(vmid)
        if known is not None and known.alive():
            return known
        pid = init_of(group)
        process = Process.of(pid) if pid is not None else None
        if process is not None:
            with self._lock:
                self._inits[vmid] = process
        return process

    def must_exist(self, node: str, vmid: int) -> None:
        if not self.is_complete(node, vmid):
            raise RuntimeFailure(f"Configuration file 'nodes/{node}/lxc/{vmid}.conf' does not exist")

    def must_not_exist(self, vmid: int) -> None:
        node = self.guests().get(vmid)
        if node is not None:
            raise RuntimeFailure(f"CT {vmid} already exists on node '{node}'")

    def must_run(self, node: str, vmid: int) -> None:
        if not self.runs(node, vmid):
            raise RuntimeFailure(f"CT {vmid} not running")

    def must_be_stopped(self, node: str, vmid: int) -> None:
        if self.runs(node, vmid):
            raise RuntimeFailure(f"CT {vmid} is running")


def _started(process: Process) -> float:
    """Unix time at which a process began."""
    for line in Path("/proc/stat").read_text().splitlines():
        if line.startswith("btime "):
            return int(line.split()[1]) + process.ticks / os.sysconf("SC_CLK_TCK")
    return 0.0
