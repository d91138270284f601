"""What storages can do with a container's volumes (pve-storage, the plugins' `volume_has_feature`)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.disks import mounts_of, split_volume

if TYPE_CHECKING:
    from lab.cluster import Cluster

DIRECTORY = {"template": "current", "copy": "base current"}
CAN: dict[str, dict[str, str]] = {
    "dir": DIRECTORY,
    "nfs": DIRECTORY,
    "cifs": DIRECTORY,
    "cephfs": DIRECTORY,
    "btrfs": {"snapshot": "current snap", "clone": "base current snap", "template": "current", "copy": "base current snap"},
    "zfspool": {"snapshot": "current snap", "clone": "base", "template": "current", "copy": "base current"},
    "lvmthin": {"snapshot": "current", "clone": "base snap", "template": "current", "copy": "base current snap"},
    "rbd": {"snapshot": "current snap", "clone": "base snap", "template": "current", "copy": "base current snap"},
    "lvm": {"copy": "base current"},
}
"""storage type -> feature -> what it can be done with: a plain volume, a template's (base), or a snapshot.

Containers' disks are raw images or file systems: that is why a directory can neither snapshot nor link them.
"""
NAMES_ITS_BASE = {"zfspool", "rbd"}
"""Here a linked clone's name begins with that of its base, which cannot be freed before it."""


def volume_can(cluster: Cluster, feature: str, volid: str, snapshot: str = "") -> bool:
    """Whether a volume, or its snapshot of that name, can be snapshotted, cloned, copied or made a template."""
    storage, name = split_volume(volid)
    if storage not in cluster.storages:
        return False
    is_base = re.search(r"(^|/)base(vol)?-[^/]+$", name)
    state = "snap" if snapshot else "base" if is_base else "current"
    return state in CAN.get(cluster.storages[storage].type, {}).get(feature, "").split()


def guest_can(cluster: Cluster, feature: str, config: Mapping[str, Any], snapshot: str = "") -> bool:
    """Whether all volumes of a config can."""
    volumes = [str(mount["volume"]) for mount in mounts_of(cluster, config).values()]
    return all(volume_can(cluster, feature, volume, snapshot) for volume in volumes)
