"""Who may set which option of a container (pve-container, LXC.pm); root@pam by ticket may all."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from lab.context import Call
from lab.disks import NEW_DISK, content_of, owner_of, split_volume
from lab.errors import forbidden, refuse
from lab.schema.verify import parse_properties

NETWORK = {"nameserver", "searchdomain", "hostname"}
CPU = {"cores", "cpuunits", "cpulimit"}
ROOT_ONLY = "is only allowed for root@pam"
ONLY_ROOT_PATHS = "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 551."


@dataclass(frozen=True)
class Change:
    """What is to become of a container's options; `old` is empty for one that is made."""

    vmid: int
    pool: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    deleted: Iterable[str]
    unprivileged: bool


def check_config_rights(call: Call, change: Change) -> None:
    """403 unless the caller may set and delete all these options."""
    if call.is_root:
        return
    for name in change.new:
        _check_option(call, change, name, deleted=False)
    for name in change.deleted:
        _check_option(call, change, name, deleted=True)


def _check_option(call: Call, change: Change, name: str, deleted: bool) -> None:
    kind = re.sub(r"\d+$", "", name)
    if kind in {"rootfs", "mp"}:
        call.check_guest(change.vmid, change.pool, "VM.Config.Disk")
        if not deleted:
            _check_mount(call, change, name)
    elif kind == "net":
        call.check_guest(change.vmid, change.pool, "VM.Config.Network")
        for config in (change.old, change.new):
            check_bridge(call, str(config.get(name, "")))
    elif kind == "dev":
        raise forbidden(f"configuring device passthrough {ROOT_ONLY}")
    elif name == "features":
        _check_features(call, change, deleted)
    elif name == "hookscript":
        raise forbidden(f"changing the hookscript {ROOT_ONLY}")
    elif name == "tags":
        call.check(f"/vms/{change.vmid}", "VM.Config.Options")
    else:
        call.check_guest(change.vmid, change.pool, f"VM.Config.{_plain_privilege(name, kind)}")


def _plain_privilege(name: str, kind: str) -> str:
    if name in CPU:
        return "CPU"
    if name in {"memory", "swap"}:
        return "Memory"
    if name in NETWORK:
        return "Network"
    return "Disk" if kind == "unused" else "Options"


def _check_mount(call: Call, change: Change, name: str) -> None:
    text = str(change.new[name])
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return
    found = parse_properties(call.cluster.table, "ct-rootfs" if name == "rootfs" else "ct-mount", text, name)
    volume = str(found["volume"])
    if volume.startswith("/"):
        raise forbidden(f"mount point type {'device' if volume.startswith('/dev/') else 'bind'} {ROOT_ONLY}")
    if new := NEW_DISK.fullmatch(volume):
        call.check(f"/storage/{new[1]}", "Datastore.AllocateSpace")
    else:
        check_volume(call, change.vmid, volume, "images")


def check_bridge(call: Call, net: str) -> None:
    """403 unless the caller may use the bridge of a network."""
    found = dict(part.split("=", 1) for part in net.split(",") if "=" in part)
    if bridge := found.get("bridge"):
        tag = f"/{found['tag']}" if "tag" in found else ""
        call.check(f"/sdn/zones/localnetwork/{bridge}{tag}", "SDN.Use")


def _check_features(call: Call, change: Change, deleted: bool) -> None:
    if not change.unprivileged:
        raise forbidden(f"changing feature flags for privileged container {ROOT_ONLY}")
    table = call.cluster.table
    old = parse_properties(table, "ct-features", str(change.old.get("features", "")))
    new = {} if deleted else parse_properties(table, "ct-features", str(change.new["features"]))
    changed = {name for name in {*old, *new} if old.get(name, "") != new.get(name, "")}
    first = not old and new and new != {"nesting": "1"}
    if changed - {"nesting"} or first:
        raise forbidden(f"changing feature flags (except nesting) {ROOT_ONLY}")
    if changed:
        call.check_guest(change.vmid, change.pool, "VM.Allocate")


def check_volume(call: Call, vmid: int | None, volid: str, content: str = "") -> None:
    """Refuse a volume of another content type than this one, or one that the caller may not use."""
    storage, name = split_volume(volid)
    if not storage:
        raise refuse(ONLY_ROOT_PATHS)
    found = content_of(call.cluster, volid)
    if content and found != content:
        raise refuse(f"unable to use volume {volid} - content type needs to be '{content}'")
    owner, place = owner_of(name), f"/storage/{storage}"
    if call.may(place, "Datastore.Allocate"):
        return
    if found in {"iso", "vztmpl", "import"}:
        call.check(place, "Datastore.AllocateSpace", "Datastore.Audit", every=False)
    elif owner is not None and owner == vmid:
        return
    elif owner is not None and found in {"backup", "images"}:
        call.check(place, "Datastore.AllocateSpace" if found == "backup" else "Datastore.Audit")
        call.check(f"/vms/{owner}", "VM.Backup" if found == "backup" else "VM.Config.Disk")
    else:
        raise refuse(f"missing privileges to access {volid}")
