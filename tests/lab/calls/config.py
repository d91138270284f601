"""Read and change a container's config; pending values."""

from __future__ import annotations

from typing import Any

from lab.config_rights import Change, check_config_rights
from lab.configs import (
    check_digest,
    check_lock,
    check_protection,
    delete_options,
    digest_of,
    set_options,
    shown_config,
)
from lab.containers import apply_waiting, config_file
from lab.context import Call
from lab.disks import MOUNTS, NEW_DISK, make_disks
from lab.errors import refuse, wrong
from lab.faces import note_face
from lab.guests.runtime import RuntimeFailure
from lab.model import Guest
from lab.quorum import check_writable
from lab.registry import Data, answers
from lab.schema.formats import split_list
from lab.schema.verify import parse_properties
from lab.volumes import leave_behind, volumes_in


@answers("GET", "/nodes/{node}/lxc/{vmid}/config")
def read_config(call: Call) -> Data:
    guest = call.guest()
    if name := call.get("snapshot"):
        return {**snapshot_config(guest, name), "digest": digest_of(guest)}
    config = guest.config if call.get("current") else _with_pending(guest)
    return {**shown_config(config), "digest": digest_of(guest)}


def snapshot_config(guest: Guest, name: str) -> dict[str, Any]:
    """A snapshot's config, its own description and time included."""
    if name not in guest.snapshots:
        raise refuse(f"snapshot '{name}' does not exist")
    snapshot = guest.snapshots[name]
    own = {"description": snapshot.description, "parent": snapshot.parent, "snaptime": snapshot.snaptime}
    return {**shown_config(snapshot.config), **shown_config(own)}


def _with_pending(guest: Guest) -> dict[str, Any]:
    return {name: value for name, value in {**guest.config, **guest.pending}.items() if name not in guest.pending_delete}


@answers("GET", "/nodes/{node}/lxc/{vmid}/pending")
def read_pending(call: Call) -> Data:
    guest = call.guest()
    found: list[dict[str, Any]] = []
    for name in sorted({*guest.config, *guest.pending}):
        item = {"key": name}
        item |= {"value": guest.config[name]} if name in guest.config else {}
        item |= {"pending": guest.pending[name]} if name in guest.pending else {}
        found.append(item | ({"delete": 1} if name in guest.pending_delete else {}))
    return [*found, {"key": "digest", "value": digest_of(guest)}]


@answers("PUT", "/nodes/{node}/lxc/{vmid}/config")
def change_config(call: Call) -> Data:
    cluster, vmid = call.cluster, call.vmid
    options = {name: value for name, value in call.params.items() if name not in {"node", "vmid", "digest", "delete", "revert"}}
    deleted, reverted = split_list(call.get("delete", "")), split_list(call.get("revert", ""))
    if not options and "delete" not in call.params and "revert" not in call.params:
        raise refuse("no options specified")
    _check_names(call, options, deleted, reverted)
    guest = config_file(cluster, call.node, vmid)
    check_lock(guest)
    check_digest(guest, call.get("digest", ""))
    check_config_rights(call, Change(vmid, "", guest.config, options, deleted, bool(guest.config.get("unprivileged"))))
    if "unprivileged" in options:
        raise refuse("unable to modify read-only option: 'unprivileged'")
    check_writable(cluster, guest.node, vmid)
    running = cluster.running(guest)
    for name in reverted:
        guest.pending.pop(name, None)
        guest.pending_delete = [other for other in guest.pending_delete if other != name]
    _delete(call, guest, deleted, running)
    _set(call, guest, options, running)
    if not running:
        apply_waiting(cluster, guest)
    _apply(call, guest)
    note_face(cluster, guest)
    return None


def _check_names(call: Call, options: dict[str, Any], deleted: list[str], reverted: list[str]) -> None:
    """Options that are to be deleted or reverted must exist, and not be set in the same breath."""
    spec = call.cluster.table.options()
    for verb, names in (("revert", reverted), ("delete", deleted)):
        for name in names:
            if name in options:
                raise wrong({verb: f"you can't use '-{name}' and -{verb} {name}' at the same time"})
            if name in {"digest", "delete", "revert", "node", "vmid"} or spec.param(name) is None:
                raise wrong({verb: f"unknown option '{name}'"})


def _delete(call: Call, guest: Guest, names: list[str], running: bool) -> None:
    mounts = [name for name in names if name.startswith("mp") and name in guest.config]
    for name in mounts:
        check_protection(guest, f"can't remove CT {guest.vmid} drive '{name}'")
    volumes = [] if running else volumes_in(call.cluster, {name: guest.config[name] for name in mounts})
    delete_options(guest, names, running)
    for volume in volumes:
        leave_behind(call.cluster, guest, volume)


def _set(call: Call, guest: Guest, options: dict[str, Any], running: bool) -> None:
    cluster = call.cluster
    mounts = {name: str(value) for name, value in options.items() if MOUNTS.fullmatch(name)}
    for name, text in mounts.items():
        check_protection(guest, f"can't update CT {guest.vmid} drive '{name}'")
        found = parse_properties(cluster.table, "ct-rootfs" if name == "rootfs" else "ct-mount", text, name)
        if new := NEW_DISK.fullmatch(str(found["volume"])):
            storage = cluster.storage_on(new[1], guest.node)
            if "rootdir" not in storage.content:
                raise refuse(f"storage '{storage.id}' does not allow content type 'rootdir' (Container)")
    set_options(cluster, guest, {name: value for name, value in options.items() if name not in mounts}, running)
    replaced = volumes_in(cluster, {name: guest.config[name] for name in mounts if name in guest.config})
    make_disks(cluster, guest, mounts)
    for volume in replaced:
        leave_behind(cluster, guest, volume)


def _apply(call: Call, guest: Guest) -> None:
    """Hand the config on to the guest: a stopped one may be started on its node, past the API."""
    try:
        call.cluster.runtime.apply(guest.node, guest.vmid, dict(guest.config))
    except RuntimeFailure as failure:
        raise wrong({"hotplug": f"hotplug problem - {failure}"}) from failure
