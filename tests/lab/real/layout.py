"""Numbers and places: which addresses a node has, which directories a lab keeps. Pure.

The lab owns 10.231.0.0/16. Node number i (0 to 14) has 10.231.(16 * i).0/24 on vmbr0, its address is .1, DHCP gives .100 to .199;
its line to the machine is the i-th /30 of 10.231.254.0/24. What the machine serves (apt cache, registry) has addresses of its own on
`lo`, so that it depends on no node.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

RANGE = "10.231.0.0/16"
CACHE_ADDRESS = "10.231.255.1"
REGISTRY_ADDRESS = "10.231.255.2"
REGISTRY = f"{REGISTRY_ADDRESS}:80"
"""Port 80, so that the registry can also answer under a name without a port."""
NODE_LIMIT = 15
PUBLIC_BRIDGE = "vmbr0"
PRIVATE_BRIDGE = "vmbr1"
IDMAP = ("u:0:100000:65536", "g:0:100000:65536")
IDMAP_FIRST = 100000

RUN = Path("/run/proximity-lab")
"""What belongs to this machine until it reboots: slots, process notes, the lock."""


def cache_dir() -> Path:
    """Where downloads, templates and images stay; outside every checkout."""
    named = os.environ.get("PROXIMITY_LAB_CACHE")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "proximity-lab"


@dataclass(frozen=True)
class NodeAddresses:
    """The addresses of node number `index`."""

    index: int

    @property
    def subnet(self) -> str:
        return f"10.231.{16 * self.index}"

    @property
    def network(self) -> str:
        return f"{self.subnet}.0/24"

    @property
    def node(self) -> str:
        return f"{self.subnet}.1"

    @property
    def dhcp(self) -> tuple[str, str]:
        return f"{self.subnet}.100", f"{self.subnet}.199"

    @property
    def uplink_machine(self) -> str:
        return f"10.231.254.{4 * self.index + 1}"

    @property
    def uplink_node(self) -> str:
        return f"10.231.254.{4 * self.index + 2}"

    @property
    def veth(self) -> str:
        """The machine's end of the line."""
        return f"proxlab{self.index}"


@dataclass(frozen=True)
class StateDir:
    """The directories of one lab; on the node, `root` is /run/lab and `lxc(node)` is /var/lib/lxc."""

    root: Path

    def node(self, node: str) -> Path:
        return self.root / "nodes" / node

    def lxc(self, node: str) -> Path:
        return self.node(node) / "lxc"

    def guest(self, node: str, vmid: int) -> Path:
        return self.lxc(node) / str(vmid)

    def rootfs(self, node: str, vmid: int) -> Path:
        return self.guest(node, vmid) / "rootfs"

    @property
    def pve(self) -> Path:
        """What nodes show as /etc/pve/nodes."""
        return self.root / "pve" / "nodes"

    def conf(self, node: str, vmid: int) -> Path:
        return self.pve / node / "lxc" / f"{vmid}.conf"

    @property
    def ssh(self) -> Path:
        return self.root / "ssh"


def guest_dir_on_node(vmid: int) -> str:
    """A guest's directory as the node sees it; the same on every node, so that a guest can be moved."""
    return f"/var/lib/lxc/{vmid}"
