"""Storages, and what lies on them."""

from __future__ import annotations

import hashlib
from typing import Any

from lab.config_rights import check_volume
from lab.context import Call
from lab.disks import used_on, volumes_on
from lab.errors import Refusal, wrong
from lab.model import Storage, Volume
from lab.registry import Data, answers
from lab.schema.formats import split_list

SEE = ("Datastore.Audit", "Datastore.AllocateSpace")


def _figures(call: Call, storage: Storage) -> dict[str, Any]:
    """Sizes in bytes; a storage that is not enabled tells none."""
    shown: dict[str, Any] = {"type": storage.type, "content": ",".join(storage.content), "shared": int(storage.shared)}
    shown |= {"enabled": int(storage.enabled), "active": int(storage.enabled)}
    used = min(storage.size, used_on(call.cluster, storage, call.node))
    return {**shown, "total": storage.size, "used": used, "avail": storage.size - used}


@answers("GET", "/nodes/{node}/storage")
def node_storages(call: Call) -> Data:
    kinds, found = split_list(call.get("content", "")), []
    for storage in call.cluster.storages.values():
        fits = not kinds or set(kinds) & set(storage.content)
        here = not storage.nodes or call.node in storage.nodes
        wanted = call.get("storage", storage.id) == storage.id and (storage.enabled or not call.get("enabled"))
        if fits and here and wanted and call.may(f"/storage/{storage.id}", *SEE, every=False):
            shown = _figures(call, storage)
            found.append({"storage": storage.id, **shown, "used_fraction": shown["used"] / max(1, shown["total"])})
    return found


@answers("GET", "/nodes/{node}/storage/{storage}")
def storage_index(call: Call) -> Data:
    call.cluster.storage(call.params["storage"])
    return [{"subdir": name} for name in ("content", "download-url", "prunebackups", "rrddata", "status", "upload")]


@answers("GET", "/nodes/{node}/storage/{storage}/status")
def storage_status(call: Call) -> Data:
    storage = call.cluster.storages.get(call.params["storage"])
    if storage is None or (storage.nodes and call.node not in storage.nodes):
        raise wrong({"storage": "No such storage."})
    return _figures(call, storage)


@answers("GET", "/nodes/{node}/storage/{storage}/content")
def content(call: Call) -> Data:
    storage = call.cluster.storage_on(call.params["storage"], call.node)
    kind, vmid = call.get("content"), call.get("vmid")
    volumes = sorted(volumes_on(call.cluster, storage, call.node), key=lambda volume: volume.volid)
    return [
        shown_volume(volume)
        for volume in volumes
        if kind in (None, volume.content) and vmid in (None, volume.vmid) and _may_see(call, volume)
    ]


def _may_see(call: Call, volume: Volume) -> bool:
    """Backups and disks belong to their guests."""
    try:
        check_volume(call, None, volume.volid)
    except Refusal:
        return False
    return True


def shown_volume(volume: Volume) -> dict[str, Any]:
    """A volume in a list; only the first line of its notes."""
    shown: dict[str, Any] = {"volid": volume.volid, "content": volume.content, "format": volume.format}
    shown |= {"size": volume.size, "ctime": volume.ctime}
    if volume.vmid is not None:
        shown["vmid"] = volume.vmid
    if volume.content in {"rootdir", "images"}:
        shown |= {"used": volume.used, "parent": volume.facts.get("parent")}
    if volume.content == "backup":
        shown["subtype"] = "lxc"
    if volume.notes:
        shown["notes"] = volume.notes.split("\n")[0]
    if volume.protected:
        shown["protected"] = 1
    return shown


def _defined(call: Call, storage: Storage) -> dict[str, Any]:
    """A storage as storage.cfg has it, with the digest of that file."""
    shown: dict[str, Any] = {"storage": storage.id, "type": storage.type, "content": ",".join(storage.content), "path": storage.path}
    shown |= storage.options | ({"shared": 1} if storage.shared else {}) | ({"nodes": ",".join(storage.nodes)} if storage.nodes else {})
    text = repr([vars(each) for each in call.cluster.storages.values()])
    return {**shown, "digest": hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()}


@answers("GET", "/storage")
def storages(call: Call) -> Data:
    kind = call.get("type")
    found = [storage for storage in call.cluster.storages.values() if kind in (None, storage.type)]
    return [_defined(call, storage) for storage in found if call.may(f"/storage/{storage.id}", *SEE, every=False)]


@answers("GET", "/storage/{storage}")
def storage(call: Call) -> Data:
    return _defined(call, call.cluster.storage(call.params["storage"]))
