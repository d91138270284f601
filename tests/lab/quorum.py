"""What a cluster without quorum refuses: it can be read, not written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from lab.errors import refuse

if TYPE_CHECKING:
    from lab.cluster import Cluster


def check_quorum(cluster: Cluster) -> None:
    """What is to start something asks first."""
    if not cluster.quorate:
        raise refuse("cluster not ready - no quorum?")


def check_writable(cluster: Cluster, node: str, vmid: int) -> None:
    """What writes a container's config file learns it from the file system."""
    if not cluster.quorate:
        raise refuse(f"unable to open file '/etc/pve/nodes/{node}/lxc/{vmid}.conf.tmp.{os.getpid()}' - Permission denied")
