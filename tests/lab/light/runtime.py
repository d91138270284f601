"""Simulated guests with a disk, which can be entered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from lab.guests.runtime import Config, Log
from lab.guests.simulated import SimulatedRuntime
from lab.light import wire
from lab.light.keeping import Keeping
from lab.light.roots import copy_tree, make_root, remove_tree
from lab.mishaps import stepwise

if TYPE_CHECKING:
    from lab.cluster import Cluster


class LightRuntime(SimulatedRuntime):
    """`disks` holds a folder for each guest: `root`, and a copy of it for each snapshot. A guest begins when it is entered first."""

    def __init__(self, like: SimulatedRuntime, disks: Path, keeping: Keeping) -> None:
        super().__init__(like.clock, like._bridges)
        self._disks, self._keeping = disks, keeping

    def root(self, vmid: int) -> Path:
        """A guest that was planted without one gets the disk of a new guest."""
        root = self._disks / str(vmid) / "root"
        if not root.exists():
            make_root(root)
        return root

    def _kept(self, vmid: int, snapshot: str | None) -> Path:
        kept = self._disks / str(vmid) / (snapshot or "root")
        return kept if kept.exists() else self.root(vmid)

    def enter(self, vmid: int, command: str, files: Sequence[int], die_at: int = 0) -> wire.Message:
        """Run a shell command in a running guest. Raises as `Keeping.ask`."""
        self._keeping.begin(vmid, self.root(vmid), str(self._configs[vmid].get("hostname", f"CT{vmid}")))
        return self._keeping.ask(vmid, {"do": "command", "command": command, "die_at": die_at}, files)

    def interrupt(self, vmid: int) -> None:
        """Kill the commands that are under way in a guest."""
        self._keeping.ask(vmid, {"do": "interrupt"})

    # What the lab asks of a runtime.

    def stop(self, node: str, vmid: int) -> None:
        super().stop(node, vmid)
        self._keeping.end(vmid)

    def replace_running(self, guests: Mapping[int, tuple[Config, float]]) -> None:
        self._keeping.end_all()
        super().replace_running(guests)

    def destroy(self, node: str, vmid: int) -> None:
        super().destroy(node, vmid)
        remove_tree(self._disks / str(vmid))

    def clone(self, node: str, source: int, target: int, snapshot: str | None, log: Log) -> None:
        copy_tree(self._kept(source, snapshot), self._disks / str(target) / "root")

    def snapshot(self, node: str, vmid: int, name: str) -> None:
        copy_tree(self.root(vmid), self._disks / str(vmid) / name)

    def rollback(self, node: str, vmid: int, name: str) -> None:
        self.stop(node, vmid)
        copy_tree(self._kept(vmid, name), self._disks / str(vmid) / "root")

    def delete_snapshot(self, node: str, vmid: int, name: str) -> None:
        remove_tree(self._disks / str(vmid) / name)

    def backup(self, node: str, vmid: int, archive: Path, config_text: str, log: Log) -> None:
        """The disk lies beside the archive."""
        super().backup(node, vmid, archive, config_text, log)
        copy_tree(self.root(vmid), disk_of(archive))

    def restore(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None:
        """From a template, too, which has no disk beside it: that of a new guest."""
        super().restore(node, vmid, config, archive, log)
        remove_tree(self._disks / str(vmid))
        if disk_of(archive).exists():
            copy_tree(disk_of(archive), self._disks / str(vmid) / "root")


def disk_of(archive: Path) -> Path:
    return archive.with_name(f"{archive.name}.disk")


def make_light(cluster: Cluster, disks: Path, keeping: Keeping) -> LightRuntime:
    """Give a cluster of simulated guests this runtime; those that run do so no longer."""
    runtime = LightRuntime(cast(SimulatedRuntime, cluster.runtime), disks, keeping)
    cluster.runtime = stepwise(runtime)
    return runtime
