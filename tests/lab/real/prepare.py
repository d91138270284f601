"""What has to be on disk before LXC starts a guest: its LXC configuration, its seccomp profile, the files in its root."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.guests.runtime import Config
from lab.real import rootfs, shell
from lab.real.builder import architecture
from lab.real.cgroups import guest_group, limits_are_unified
from lab.real.guest_files import at_start, names
from lab.real.layout import StateDir, guest_dir_on_node
from lab.real.lxc_config import INCLUDES, Host, lxc_config, seccomp_profile
from lab.real.node import Node
from lab.real.properties import mount_points

NOT_KEPT = ("ssh-public-keys", "password", "digest", "description")


def root_on_node(vmid: int) -> str:
    return f"{guest_dir_on_node(vmid)}/rootfs"


def prepare(state: StateDir, node: Node, vmid: int, config: Config) -> None:
    """For a stopped guest: everything, as Proxmox does it before each start."""
    root = state.rootfs(node.name, vmid)
    rootfs.mend(root)
    for number in mount_points(config):
        volume = state.guest(node.name, vmid) / "volumes" / str(number)
        if not volume.exists():
            rootfs.make_root(volume)
    rootfs.put(node, root_on_node(vmid), at_start(vmid, config, rootfs.look(root), node.addresses.node))
    write_config(state, node, vmid, config)


def rename(state: StateDir, node: Node, vmid: int, config: Config) -> None:
    """The files that bear the host name."""
    rootfs.put(node, root_on_node(vmid), names(vmid, config, rootfs.look(state.rootfs(node.name, vmid)), node.addresses.node))


def write_config(state: StateDir, node: Node, vmid: int, config: Config) -> None:
    """LXC's own files, and the configuration as it is in force now."""
    directory = state.guest(node.name, vmid)
    host = Host(limits_are_unified(), guest_group(state.root, vmid), architecture())
    shell.replace(directory / "seccomp", seccomp_profile(config, Path(INCLUDES, "common.seccomp").read_text()))
    shell.replace(directory / "config", lxc_config(vmid, config, host))
    shell.write_json(directory / "applied.json", {key: value for key, value in config.items() if key not in NOT_KEPT})


def applied(state: StateDir, node: str, vmid: int) -> dict[str, Any]:
    """The configuration in force, empty for a guest that has none yet."""
    path = state.guest(node, vmid) / "applied.json"
    found: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return found


def conf_text(config: Config) -> str:
    """A configuration as a file of Proxmox's: the notes as comment lines, then `key: value`, sorted."""
    notes = "".join(f"#{line}\n" for line in str(config.get("description") or "").splitlines())
    return notes + "".join(f"{key}: {value}\n" for key, value in sorted(config.items()) if key not in NOT_KEPT)
