"""What the lab asks of the guests behind its API: real LXC containers, or simulated ones.

The API server keeps the configuration, the locks and the tasks; a runtime only makes guests run.
Every method may take its time: the server calls it from the task's own thread.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

Log = Callable[[str], None]
Config = Mapping[str, Any]
"""A container's configuration in Proxmox's spelling: hostname, memory, cores, net0, rootfs, features, ..."""


class RuntimeFailure(Exception):
    """A guest could not do what was asked; the text becomes the task's exit status."""


@dataclass(frozen=True)
class GuestState:
    """`started` is a Unix time, None for a stopped guest."""

    running: bool
    pid: int | None = None
    started: float | None = None


@dataclass(frozen=True)
class Usage:
    """Live figures of one running guest, in bytes, and the share of its CPUs (0 to 1)."""

    cpu: float = 0.0
    mem: int = 0
    disk: int = 0
    netin: int = 0
    netout: int = 0
    diskread: int = 0
    diskwrite: int = 0


class Runtime(Protocol):
    """Guests of one cluster; `node` names the node that a guest is on."""

    kind: str
    """`real` or `simulated`."""

    def create(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None:
        """Unpack a template archive into a new root file system; clean up after itself on failure."""

    def apply(self, node: str, vmid: int, config: Config) -> None:
        """The configuration has changed: take over what a running guest takes at once (hostname, limits, networks)."""

    def start(self, node: str, vmid: int, config: Config, log: Log) -> None: ...

    def stop(self, node: str, vmid: int) -> None: ...

    def shutdown(self, node: str, vmid: int, timeout_s: float) -> bool:
        """Ask the guest to end; False when it still runs after the time."""

    def suspend(self, node: str, vmid: int) -> None: ...

    def resume(self, node: str, vmid: int) -> None: ...

    def states(self) -> dict[int, GuestState]:
        """Of all guests at once, as they are now: a guest that died by itself shows as stopped."""

    def interfaces(self, node: str, vmid: int) -> list[dict[str, Any]]:
        """As `GET /nodes/{node}/lxc/{vmid}/interfaces` answers for a running guest."""

    def usage(self, node: str, vmid: int) -> Usage: ...

    def destroy(self, node: str, vmid: int) -> None: ...

    def clone(self, node: str, source: int, target: int, snapshot: str | None, log: Log) -> None: ...

    def snapshot(self, node: str, vmid: int, name: str) -> None: ...

    def rollback(self, node: str, vmid: int, name: str) -> None: ...

    def delete_snapshot(self, node: str, vmid: int, name: str) -> None: ...

    def backup(self, node: str, vmid: int, archive: Path, config_text: str, log: Log) -> None:
        """Write the root file system and, inside it as ./etc/vzdump/pct.conf, the configuration; the suffix names the compression."""

    def restore(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None: ...

    def migrate(self, source: str, target: str, vmid: int) -> None: ...
