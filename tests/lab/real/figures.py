"""What a running guest uses: read from its control groups and its network namespace."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from lab.guests.runtime import RuntimeFailure, Usage
from lab.real.cgroups import group_of, limits_are_unified
from lab.real.shell import run

DISK_AGE_S = 60.0
"""Counting a root file system's bytes takes a quarter of a second: not at every call."""


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _table(path: Path) -> dict[str, int]:
    """A file of `name value` lines."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return {}
    return {name: int(value) for name, _, value in (line.partition(" ") for line in lines) if value.isdigit()}


def memory_bytes(pid: int) -> int:
    """As Proxmox shows it: without the file cache that could be dropped."""
    group = group_of(pid, "memory")
    if group is None:
        return 0
    if limits_are_unified():
        used, droppable = _number(group / "memory.current"), _table(group / "memory.stat").get("inactive_file", 0)
    else:
        used, droppable = _number(group / "memory.usage_in_bytes"), _table(group / "memory.stat").get("total_inactive_file", 0)
    return max(0, used - droppable)


def cpu_seconds(pid: int) -> float:
    group = group_of(pid, "cpuacct")
    if group is None:
        return 0.0
    if (group / "cpuacct.usage").exists():
        return _number(group / "cpuacct.usage") / 1e9
    return _table(group / "cpu.stat").get("usage_usec", 0) / 1e6


def disk_traffic(pid: int) -> tuple[int, int]:
    """Bytes read and written."""
    group = group_of(pid, "blkio")
    if group is None:
        return 0, 0
    read = written = 0
    for name in ("io.stat", "blkio.throttle.io_service_bytes"):
        try:
            words = (group / name).read_text().split()
        except OSError:
            continue
        for word, after in zip(words, [*words[1:], ""], strict=True):
            read += int(after) if word == "Read" else int(word[7:]) if word.startswith("rbytes=") else 0
            written += int(after) if word == "Write" else int(word[7:]) if word.startswith("wbytes=") else 0
    return read, written


def network_traffic(pid: int) -> tuple[int, int]:
    """Bytes received and sent on all interfaces but lo."""
    received = sent = 0
    for line in Path(f"/proc/{pid}/net/dev").read_text().splitlines()[2:]:
        name, _, numbers = line.partition(":")
        fields = numbers.split()
        if name.strip().startswith(("eth", "net", "en")):
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent


@dataclass
class Figures:
    """Remembers what rates need: the last CPU time and the last count of the disk, by vmid."""

    _cpu: dict[int, tuple[int, float, float, float]] = field(default_factory=dict)
    _disk: dict[int, tuple[float, int]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def usage(self, vmid: int, pid: int, rootfs: Path, cores: float | None) -> Usage:
        """All figures of one running guest, whose PID 1 is `pid`."""
        try:
            netin, netout = network_traffic(pid)
            diskread, diskwrite = disk_traffic(pid)
            return Usage(
                cpu=self._share(vmid, pid, cores),
                mem=memory_bytes(pid),
                disk=self.disk(vmid, rootfs),
                netin=netin,
                netout=netout,
                diskread=diskread,
                diskwrite=diskwrite,
            )
        except (FileNotFoundError, ProcessLookupError) as error:
            raise RuntimeFailure(f"CT {vmid} not running") from error

    def _share(self, vmid: int, pid: int, cores: float | None) -> float:
        """CPU time since the last call, as a share of what the guest may use; calls within a second see the same share."""
        now, used = time.monotonic(), cpu_seconds(pid)
        with self._lock:
            known, then, before, share = self._cpu.get(vmid, (0, 0.0, 0.0, 0.0))
            if known != pid:
                self._cpu[vmid] = (pid, now, used, 0.0)
                return 0.0
            if now - then < 1:
                return share
            share = min(1.0, max(0.0, (used - before) / (now - then) / (cores or os.cpu_count() or 1)))
            self._cpu[vmid] = (pid, now, used, share)
            return share

    def disk(self, vmid: int, rootfs: Path) -> int:
        """Bytes that the root file system holds, at most a minute old."""
        with self._lock:
            counted, size = self._disk.get(vmid, (-DISK_AGE_S, 0))
            if time.monotonic() - counted < DISK_AGE_S:
                return size
            self._disk[vmid] = (time.monotonic(), size)
        size = int(run(["du", "-sxB1", rootfs], ok=(0, 1)).split()[0])
        with self._lock:
            self._disk[vmid] = (time.monotonic(), size)
        return size

    def forget(self, vmid: int) -> None:
        with self._lock:
            self._cpu.pop(vmid, None)
            self._disk.pop(vmid, None)
