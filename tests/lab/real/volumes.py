"""What guests consist of on disk: made from archives, copied, set back, thrown away."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from lab.guests.runtime import Log, RuntimeFailure
from lab.real import rootfs
from lab.real.guest_files import GuestFile
from lab.real.layout import StateDir, guest_dir_on_node
from lab.real.node import Node
from lab.real.prepare import root_on_node
from lab.real.present import COMPLETE

PARTS = ("volumes", "rootfs")


def fill(state: StateDir, node: Node, vmid: int, archive: Path, log: Log) -> None:
    """A root file system from an archive, in the place of whatever was there; nothing stays of a failed attempt."""
    directory = state.guest(node.name, vmid)
    existed, new = (directory / COMPLETE).exists(), directory / "rootfs.new"
    rootfs.delete(new)
    try:
        told = rootfs.unpack(node, archive, new, f"{guest_dir_on_node(vmid)}/rootfs.new", ("./dev/*", "./etc/vzdump"))
        log(told)
    except RuntimeFailure:
        rootfs.delete(new if existed else directory)
        raise
    rootfs.delete(directory / "snapshots")
    rootfs.swap(new, directory / "rootfs")


def complete(state: StateDir, node: str, vmid: int) -> None:
    """From now on it counts as a guest."""
    (state.guest(node, vmid) / COMPLETE).touch()


def remove(state: StateDir, node: str, vmid: int) -> None:
    (state.guest(node, vmid) / COMPLETE).unlink(missing_ok=True)
    rootfs.delete(state.guest(node, vmid))


def first_boot(state: StateDir, node: Node, vmid: int, hostname: str, config: Mapping[str, object]) -> None:
    """What a guest from a template gets once: host keys, root's keys and password."""
    files = rootfs.first_files(
        state.rootfs(node.name, vmid), hostname, str(config.get("ssh-public-keys") or ""), str(config.get("password") or "")
    )
    rootfs.put(node, root_on_node(vmid), files)


def clone(state: StateDir, node: Node, source: int, target: int, snapshot: str | None, log: Log) -> None:
    """Copy a guest or one of its snapshots; the copy's machine id is its own, its configuration is still to come."""
    log(f"copying root file system of CT {source}")
    rootfs.delete(state.guest(node.name, target))
    copy_parts(
        snapshot_dir(state, node.name, source, snapshot) if snapshot else state.guest(node.name, source), state.guest(node.name, target)
    )
    rootfs.put(node, root_on_node(target), [GuestFile("etc/machine-id", "", 0o444)])
    complete(state, node.name, target)


def snapshot_dir(state: StateDir, node: str, vmid: int, name: str) -> Path:
    if "/" in name or name in ("", ".", ".."):
        raise RuntimeFailure(f"'{name}' is no name for a snapshot")
    return state.guest(node, vmid) / "snapshots" / name


def copy_parts(source: Path, target: Path) -> None:
    """Root and volumes from one directory into another, each whole or not at all."""
    if not (source / "rootfs").is_dir():
        raise RuntimeFailure(f"snapshot '{source.name}' does not exist")
    for part in PARTS:
        if (source / part).is_dir():
            rootfs.copy(source / part, target / f"{part}.new")
            rootfs.swap(target / f"{part}.new", target / part)
