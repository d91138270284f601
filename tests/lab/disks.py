"""Volumes: their ids, finding them, making and freeing a container's disks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from lab.errors import refuse
from lab.model import Volume
from lab.schema.formats import parse_size, print_size
from lab.schema.verify import parse_properties, print_properties

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Guest, Storage

GIB = 1024**3
VOLUME_ID = re.compile(r"(?i:([a-z][a-z0-9\-_.]*[a-z0-9])):(.+)")
NEW_DISK = re.compile(r"([^:\s]+):(\d+(?:\.\d+)?)")
MOUNTS = re.compile(r"rootfs|mp\d+")
NAMES = {
    "vztmpl": r"vztmpl/[^/]+\.tar(\.(gz|xz|zst|bz2))?",
    "iso": r"iso/[^/]+\.(iso|img)",
    "snippets": r"snippets/[^/]+",
    "backup": r"backup/vzdump-\w+-\d+-[^/]+\.(tar|tar\.gz|tar\.lzo|tar\.zst|tgz|vma(\.\w+)?)",
    "images": r"\d+/[^/]+\.(raw|qcow2|vmdk|subvol)|\d+/[^/]+/\d+/[^/]+|(base(vol)?-\d+-[^/]+/)?(base|vm|subvol|basevol)-\d+-[^/]+",
}
"""content type -> the names of its volumes on directory storage."""


def split_volume(volid: str) -> tuple[str, str]:
    """`local:vztmpl/x` -> (`local`, `vztmpl/x`); two empty texts when it is no volume id."""
    parts = VOLUME_ID.fullmatch(volid)
    return (parts[1], parts[2]) if parts else ("", "")


def content_of(cluster: Cluster, volid: str) -> str:
    """The content type that a volume id's name tells; the volume need not be there."""
    storage, name = split_volume(volid)
    cluster.storage(storage)
    for content, pattern in NAMES.items():
        if re.fullmatch(pattern, name):
            return content
    raise refuse(f"unable to parse directory volume name '{name}'")


def owner_of(name: str) -> int | None:
    """The vmid in a volume's name."""
    parts = re.match(r"(\d+)/|backup/vzdump-\w+-(\d+)-|(?:base(?:vol)?-\d+-[^/]+/)?(?:base|vm|subvol|basevol)-(\d+)-", name)
    return int(next(part for part in parts.groups() if part)) if parts else None


def volume_key(cluster: Cluster, node: str, volid: str) -> tuple[str, str]:
    """The key of `Cluster.volumes`, as that node sees it."""
    storage = cluster.storages.get(split_volume(volid)[0])
    return ("" if storage and storage.shared else node, volid)


def find_volume(cluster: Cluster, node: str, volid: str) -> Volume | None:
    return cluster.volumes.get(volume_key(cluster, node, volid))


def volumes_on(cluster: Cluster, storage: Storage, node: str) -> Iterable[Volume]:
    """What a node sees on a storage."""
    place = "" if storage.shared else node
    return (volume for (where, _), volume in cluster.volumes.items() if where == place and volume.storage == storage.id)


def used_on(cluster: Cluster, storage: Storage, node: str) -> int:
    """Bytes in use."""
    return storage.used + sum(volume.used or volume.size for volume in volumes_on(cluster, storage, node))


def used_everywhere(cluster: Cluster) -> dict[tuple[str, str], int]:
    """(node, storage) -> bytes that volumes take there; the node is empty on shared storage."""
    found: dict[tuple[str, str], int] = {}
    for volume in cluster.volumes.values():
        place = volume.node, volume.storage
        found[place] = found.get(place, 0) + (volume.used or volume.size)
    return found


def add_volume(cluster: Cluster, node: str, volume: Volume) -> Volume:
    volume.node = "" if cluster.storages[volume.storage].shared else node
    cluster.volumes[volume.node, volume.volid] = volume
    return volume


def free_disk_name(cluster: Cluster, node: str, storage: Storage, vmid: int, *, base: bool = False) -> str:
    """The name of a guest's next disk on a storage; a linked clone's name there may stand behind that of its base."""
    taken = {volume.name.rpartition("/")[2] for volume in volumes_on(cluster, storage, node) if volume.vmid == vmid}
    kind = ("basevol" if base else "subvol") if storage.type == "zfspool" else "base" if base else "vm"
    directory = storage.type in {"dir", "btrfs", "nfs", "cifs", "cephfs"}
    frame = f"{{}}-{vmid}-disk-{{}}" + (".raw" if directory else "")
    kinds = ("vm", "base", "subvol", "basevol")
    number = next(n for n in range(10_000) if not any(frame.format(each, n) in taken for each in kinds))
    return f"{vmid}/{frame.format(kind, number)}" if directory else frame.format(kind, number)


def make_disk(cluster: Cluster, node: str, storage_id: str, vmid: int, size: int, *, base: bool = False) -> Volume:
    """A new disk with the lowest free number; `base` is a template's."""
    storage = cluster.storages[storage_id]
    shape = "subvol" if storage.type == "zfspool" else "raw"
    name = free_disk_name(cluster, node, storage, vmid, base=base)
    return add_volume(cluster, node, Volume(storage_id, name, "rootdir", shape, size, cluster.now(), vmid=vmid, used=min(size, GIB // 2)))


def make_disks(cluster: Cluster, guest: Guest, wanted: Mapping[str, str]) -> list[Volume]:
    """Make what `rootfs` and `mpN` ask for (STORAGE:GIB) and write it into the config; existing volumes are taken as they are.

    The answer is the new volumes. A size next to a new volume is ignored, as by the original.
    """
    made = []
    for name in sorted(wanted, key=lambda name: (name != "rootfs", len(name), name)):
        schema = "ct-rootfs" if name == "rootfs" else "ct-mount"
        found = parse_properties(cluster.table, schema, wanted[name], name)
        if new := NEW_DISK.fullmatch(found["volume"]):
            volume = make_disk(cluster, guest.node, new[1], guest.vmid, int(float(new[2]) * GIB))
            made.append(volume)
            found |= {"volume": volume.volid, "size": print_size(volume.size)}
        elif "size" not in found and (known := find_volume(cluster, guest.node, found["volume"])):
            found["size"] = print_size(known.size)
        guest.config[name] = print_properties(cluster.table, schema, found)
    return made


def mounts_of(cluster: Cluster, config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """rootfs and mpN -> their properties: `volume`, `mp`, `size`, ..."""
    return {
        name: parse_properties(cluster.table, "ct-rootfs" if name == "rootfs" else "ct-mount", str(config[name]), name)
        for name in config
        if MOUNTS.fullmatch(name)
    }


def disks_of(cluster: Cluster, guest: Guest) -> list[Volume]:
    """The volumes of rootfs, mpN and unusedN that are there."""
    names = [str(mount["volume"]) for mount in mounts_of(cluster, guest.config).values()]
    names += [str(value) for name, value in guest.config.items() if re.fullmatch(r"unused\d+", name)]
    return [volume for name in names if (volume := find_volume(cluster, guest.node, name))]


def free_volumes(cluster: Cluster, volumes: Iterable[Volume]) -> None:
    for volume in list(volumes):
        cluster.volumes.pop((volume.node, volume.volid), None)


def grow(cluster: Cluster, guest: Guest, mount: str, size: int) -> None:
    """Set a disk's size, in bytes."""
    found = mounts_of(cluster, {mount: guest.config[mount]})[mount]
    schema = "ct-rootfs" if mount == "rootfs" else "ct-mount"
    guest.config[mount] = print_properties(cluster.table, schema, {**found, "size": print_size(size)})
    if volume := find_volume(cluster, guest.node, str(found["volume"])):
        volume.size = size


def mount_size(cluster: Cluster, guest: Guest, mount: str) -> int:
    """Bytes, as the config says."""
    found = mounts_of(cluster, {mount: guest.config[mount]})[mount]
    return parse_size(str(found.get("size", "0"))) or 0
