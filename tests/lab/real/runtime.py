"""`RealRuntime`: the lab's guests as real, unprivileged LXC containers on the nodes that `up` started.

A guest that died is stopped, and one that was started behind the lab's back runs: see `present`.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from lab.guests.runtime import Config, GuestState, Log, RuntimeFailure, Usage
from lab.real import rootfs, shell, volumes
from lab.real.cgroups import limits_are_unified
from lab.real.figures import Figures
from lab.real.layout import StateDir
from lab.real.lxc_config import limits
from lab.real.network import interfaces, prepare_bridges, replug
from lab.real.prepare import applied, conf_text, prepare, rename, root_on_node, write_config
from lab.real.present import Present
from lab.real.properties import core_count, hostname, mount_points, nics

GUEST_ENDS_S = 30.0
FREEZE_S, FREEZES = 8, 3
ASK_AGAIN_S = 3.0
"""A guest asked to end in its first moments does not hear it: its init has not set up its signals."""


class RealRuntime:
    """Guests of one lab. Methods may be called from several threads; for one guest, from one at a time."""

    kind = "real"

    def __init__(self, state_dir: Path) -> None:
        self.state = StateDir(state_dir.resolve())
        self.present = Present(self.state)
        self._figures = Figures()
        self._published: set[int] = set()

    def guests(self) -> dict[int, str]:
        """vmid -> node of all guests on disk, those of a killed lab included."""
        return self.present.guests()

    def states(self) -> dict[int, GuestState]:
        return {vmid: self.present.guest(node, vmid) for vmid, node in self.present.guests().items()}

    def interfaces(self, node: str, vmid: int) -> list[dict[str, Any]]:
        return interfaces(self.present.pid(node, vmid))

    def usage(self, node: str, vmid: int) -> Usage:
        cores = core_count(applied(self.state, node, vmid))
        return self._figures.usage(vmid, self.present.pid(node, vmid), self.state.rootfs(node, vmid), cores)

    def create(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None:
        """`ssh-public-keys` and `password` may stand in the configuration; they are used and not kept."""
        on_node = self.present.node(node)
        self.present.must_not_exist(vmid)
        log(f"extracting archive '{archive}'")
        volumes.fill(self.state, on_node, vmid, archive, log)
        volumes.first_boot(self.state, on_node, vmid, hostname(vmid, config), config)
        self._complete(node, vmid, config)

    def restore(self, node: str, vmid: int, config: Config, archive: Path, log: Log) -> None:
        """Over a stopped guest too: that one goes when the archive has been unpacked, with its snapshots."""
        on_node = self.present.node(node)
        self.present.must_be_stopped(node, vmid)
        log(f"extracting archive '{archive}'")
        volumes.fill(self.state, on_node, vmid, archive, log)
        self._complete(node, vmid, config)

    def _complete(self, node: str, vmid: int, config: Config) -> None:
        prepare(self.state, self.present.node(node), vmid, config)
        self._show(node, vmid, config)
        volumes.complete(self.state, node, vmid)

    def destroy(self, node: str, vmid: int) -> None:
        """Running or not, whole or not."""
        if self.present.runs(node, vmid):
            self.stop(node, vmid)
        volumes.remove(self.state, node, vmid)
        self.unpublish(vmid)
        self._figures.forget(vmid)

    def clone(self, node: str, source: int, target: int, snapshot: str | None, log: Log) -> None:
        """The copy gets its configuration by `apply`."""
        self.present.must_exist(node, source)
        self.present.must_not_exist(target)
        volumes.clone(self.state, self.present.node(node), source, target, snapshot, log)

    def migrate(self, source: str, target: str, vmid: int) -> None:
        self.present.must_exist(source, vmid)
        self.present.must_be_stopped(source, vmid)
        self.present.node(target)
        self.state.guest(source, vmid).rename(self.state.guest(target, vmid))
        conf = self.state.conf(source, vmid)
        if conf.exists():
            conf.rename(self.state.conf(target, vmid))

    def start(self, node: str, vmid: int, config: Config, log: Log) -> None:
        on_node = self.present.node(node)
        self.present.must_exist(node, vmid)
        if self.present.runs(node, vmid):
            raise RuntimeFailure(f"CT {vmid} already running")
        prepare_bridges(on_node, nics(config))
        prepare(self.state, on_node, vmid, config)
        (self.state.guest(node, vmid) / "log").unlink(missing_ok=True)
        try:
            on_node.run(["lxc-start", "-n", str(vmid), "-d"])
        except RuntimeFailure as error:
            raise RuntimeFailure(f"startup for container '{vmid}' failed{self._why(node, vmid)}") from error

    def _why(self, node: str, vmid: int) -> str:
        """The errors in LXC's log, without the first half of each line."""
        path = self.state.guest(node, vmid) / "log"
        lines = path.read_text(errors="replace").splitlines() if path.exists() else []
        errors = [line.split(" - ", 2)[-1] for line in lines if " ERROR " in line]
        return f": {'; '.join(errors[:3])}" if errors else ""

    def stop(self, node: str, vmid: int) -> None:
        """At once, frozen or not."""
        self.present.must_run(node, vmid)
        on_node = self.present.node(node)
        on_node.run(["lxc-unfreeze", "-n", str(vmid)], ok=(0, 1))
        self._held(node, vmid).unlink(missing_ok=True)
        on_node.run(["lxc-stop", "-n", str(vmid), "-k"], ok=(0, 1, 2))
        self._wait_until_over(node, vmid)

    def shutdown(self, node: str, vmid: int, timeout_s: float) -> bool:
        """A timeout of 0 is none."""
        self.present.must_run(node, vmid)
        on_node = self.present.node(node)
        deadline = time.monotonic() + timeout_s if timeout_s > 0 else float("inf")
        asked = float("-inf")
        while self.present.runs(node, vmid):
            if time.monotonic() > deadline:
                return False
            if time.monotonic() - asked > ASK_AGAIN_S:
                on_node.run(["lxc-stop", "-n", str(vmid), "--nokill", "--nowait"], ok=(0, 1, 2))
                asked = time.monotonic()
            time.sleep(0.05)
        self._wait_until_over(node, vmid)
        return True

    def _wait_until_over(self, node: str, vmid: int) -> None:
        shell.wait_until(lambda: not self.present.is_held(node, vmid), GUEST_ENDS_S, f"CT {vmid} stops")

    def suspend(self, node: str, vmid: int) -> None:
        self.present.must_run(node, vmid)
        shell.write_json(self._held(node, vmid), shell.as_json(shell.Process.of(os.getpid())))
        on_node, freeze = self.present.node(node), ["timeout", str(FREEZE_S), "lxc-freeze", "-n", str(vmid)]
        for _ in range(FREEZES - 1):
            try:
                on_node.run(freeze)
                return
            except RuntimeFailure:  # now and then, in a guest that has just started, it waits for ever: let the guest go on
                on_node.run(["lxc-unfreeze", "-n", str(vmid)], ok=(0, 1))
        on_node.run(freeze)

    def resume(self, node: str, vmid: int) -> None:
        self.present.must_run(node, vmid)
        self.present.node(node).run(["lxc-unfreeze", "-n", str(vmid)])
        self._held(node, vmid).unlink(missing_ok=True)

    def _held(self, node: str, vmid: int) -> Path:
        """Who suspended a guest."""
        return self.state.guest(node, vmid) / "held.json"

    def heal(self) -> None:
        """Let guests go on that a process suspended which is gone: killed in a snapshot or a backup."""
        for vmid, node in self.guests().items():
            note = self._held(node, vmid)
            holder = shell.read_process(json.loads(note.read_text())) if note.exists() else None
            if holder is not None and not holder.alive():
                note.unlink(missing_ok=True)
                if self.present.runs(node, vmid):
                    self.resume(node, vmid)

    def apply(self, node: str, vmid: int, config: Config) -> None:
        self.present.must_exist(node, vmid)
        on_node = self.present.node(node)
        self._show(node, vmid, config)
        if not self.present.runs(node, vmid):
            prepare(self.state, on_node, vmid, config)
            return
        pid, before = self.present.pid(node, vmid), applied(self.state, node, vmid)
        prepare_bridges(on_node, nics(config))
        for name, value in limits(config, limits_are_unified()).items():
            on_node.run(["lxc-cgroup", "-n", str(vmid), "--", name, value])
        if hostname(vmid, config) != hostname(vmid, before):
            shell.run(["nsenter", "-t", str(pid), "-u", "--", "hostname", hostname(vmid, config)])
            rename(self.state, on_node, vmid, config)
        replug(on_node, vmid, pid, nics(before), nics(config))
        write_config(self.state, on_node, vmid, config)

    def snapshot(self, node: str, vmid: int, name: str) -> None:
        """A running guest holds still meanwhile."""
        self.present.must_exist(node, vmid)
        running = self.present.runs(node, vmid)
        if running:
            self.suspend(node, vmid)
        try:
            volumes.copy_parts(self.state.guest(node, vmid), volumes.snapshot_dir(self.state, node, vmid, name))
        finally:
            if running:
                self.resume(node, vmid)

    def rollback(self, node: str, vmid: int, name: str) -> None:
        """A running guest ends; the snapshot stays."""
        kept = volumes.snapshot_dir(self.state, node, vmid, name)
        if not kept.is_dir():
            raise RuntimeFailure(f"snapshot '{name}' does not exist")
        if self.present.runs(node, vmid):
            self.stop(node, vmid)
        volumes.copy_parts(kept, self.state.guest(node, vmid))

    def delete_snapshot(self, node: str, vmid: int, name: str) -> None:
        rootfs.delete(volumes.snapshot_dir(self.state, node, vmid, name))

    def backup(self, node: str, vmid: int, archive: Path, config_text: str, log: Log) -> None:
        """Of the guest as it is: the caller suspends or stops it first where the mode asks so. Only the root is saved."""
        self.present.must_exist(node, vmid)
        for number, target in mount_points(applied(self.state, node, vmid)).items():
            log(f"INFO: excluding volume mount point mp{number} ('{target}') from backup (disabled)")
        log(f"INFO: creating vzdump archive '{archive}'")
        size = rootfs.pack(self.present.node(node), root_on_node(vmid), archive, config_text)
        log(f"INFO: archive file size: {size // (1 << 20)}MB")

    def publish(self, vmid: int, node: str, text: str) -> None:
        """Have every node show this as /etc/pve/nodes/NODE/lxc/VMID.conf, and no other node's, from now on instead of our own view."""
        self._published.add(vmid)
        self._write_conf(vmid, node, text)

    def unpublish(self, vmid: int) -> None:
        self._published.discard(vmid)
        self._withdraw(vmid, but=None)

    def _show(self, node: str, vmid: int, config: Config) -> None:
        """Our own view, for a server that publishes nothing."""
        if vmid not in self._published:
            self._write_conf(vmid, node, conf_text(config))

    def _write_conf(self, vmid: int, node: str, text: str) -> None:
        shell.replace(self.state.conf(node, vmid), text, 0o640)
        self._withdraw(vmid, but=node)

    def _withdraw(self, vmid: int, but: str | None) -> None:
        for other in self.state.pve.glob("*"):
            if other.name != but:
                self.state.conf(other.name, vmid).unlink(missing_ok=True)
