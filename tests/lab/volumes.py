"""What becomes of a container's disks: bases of templates, linked clones, moves to other storages and nodes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from lab.disks import add_volume, find_volume, free_disk_name, free_volumes, make_disk, mounts_of
from lab.errors import refuse
from lab.features import NAMES_ITS_BASE
from lab.schema.formats import parse_size
from lab.schema.verify import print_properties

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Config, Guest, Storage, Volume

UNPACKED = 163_563_520
"""Bytes that a small Debian takes on a disk: what is copied when nothing more is known of a container."""


def written_mount(cluster: Cluster, name: str, properties: Mapping[str, Any]) -> str:
    """`rootfs` or `mpN` as the config holds it."""
    return print_properties(cluster.table, "ct-rootfs" if name == "rootfs" else "ct-mount", properties)


def bytes_to_copy(guest: Guest) -> int:
    """What a copy of all its files has to carry."""
    return int(guest.facts.get("unpacked", UNPACKED))


def volumes_in(cluster: Cluster, config: Mapping[str, Any], *, unused: bool = True) -> list[str]:
    """The volume ids in a config, those of bind mounts and devices excepted."""
    names = [str(mount["volume"]) for mount in mounts_of(cluster, config).values()]
    if unused:
        names += [str(value) for name, value in sorted(config.items()) if re.fullmatch(r"unused\d+", name)]
    return [name for name in names if not name.startswith("/")]


def leave_behind(cluster: Cluster, guest: Guest, volid: str) -> None:
    """A volume that neither the config nor a snapshot uses any more stays as `unusedN`."""
    configs = [guest.config, *(snapshot.config for snapshot in guest.snapshots.values())]
    if find_volume(cluster, guest.node, volid) and not any(volid in volumes_in(cluster, config) for config in configs):
        guest.config[next(name for n in range(256) if (name := f"unused{n}") not in guest.config)] = volid


def make_base(cluster: Cluster, volume: Volume) -> Volume:
    """Turn a disk into the base of a template's clones: its name says so."""
    free_volumes(cluster, [volume])
    head, slash, tail = volume.name.rpartition("/")
    return add_volume(cluster, volume.node, replace(volume, name=head + slash + re.sub("^(vm|sub)", "base", tail)))


def link_disk(cluster: Cluster, node: str, source: Volume, vmid: int, size: int) -> Volume:
    """A disk that shares its blocks with another."""
    made = make_disk(cluster, node, source.storage, vmid, size)
    made.used = 1024**2
    if cluster.storages[source.storage].type not in NAMES_ITS_BASE:
        return made
    free_volumes(cluster, [made])
    facts = {"parent": f"{source.name}@__base__"}
    return add_volume(cluster, node, replace(made, name=f"{source.name}/{made.name}", facts=facts))


def check_unlinked(cluster: Cluster, volumes: Iterable[Volume]) -> None:
    """Refuse to free bases of linked clones, where the clones' names tell of them."""
    in_use = {(other.storage, other.name.rpartition("/")[0]) for other in cluster.volumes.values() if other.content == "rootdir"}
    for volume in volumes:
        if (volume.storage, volume.name) in in_use:
            raise refuse(f"base volume '{volume.name}' is still in use by linked clones")


def carry(cluster: Cluster, volume: Volume, storage: Storage, node: str) -> Volume:
    """Move a disk to another node's storage; it keeps its name where that is free."""
    free_volumes(cluster, [volume])
    name = volume.name
    if storage.id != volume.storage or find_volume(cluster, node, f"{storage.id}:{name}"):
        name = free_disk_name(cluster, node, storage, volume.vmid or 0, base="base" in name)
    return add_volume(cluster, node, replace(volume, storage=storage.id, name=name))


def rename_volumes(cluster: Cluster, config: Config, names: Mapping[str, str]) -> None:
    """Write the new volume ids of moved disks into a config."""
    for name, mount in mounts_of(cluster, config).items():
        if (new := names.get(str(mount["volume"]))) and new != mount["volume"]:
            config[name] = written_mount(cluster, name, {**mount, "volume": new})
    for name in [name for name in config if re.fullmatch(r"unused\d+", name)]:
        config[name] = names.get(str(config[name]), config[name])


def restore_sizes(cluster: Cluster, guest: Guest) -> None:
    """After a rollback the disks are as large as the config says."""
    for mount in mounts_of(cluster, guest.config).values():
        volume, size = find_volume(cluster, guest.node, str(mount["volume"])), parse_size(str(mount.get("size", "")))
        if volume and size:
            volume.size = size
