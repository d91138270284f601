"""Back guests up (pve-manager, API2/VZDump.pm)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lab.config_rights import check_volume
from lab.configs import config_text
from lab.context import Call
from lab.disks import find_volume, owner_of, split_volume
from lab.errors import refuse, wrong
from lab.model import Guest
from lab.notes import check_template
from lab.registry import Data, answers
from lab.retention import check_keep
from lab.schema.formats import split_list
from lab.schema.verify import parse_properties
from lab.vzdump import Job, run_job

ROOT_ONLY = ("tmpdir", "dumpdir", "script", "job-id")
COSTLY = ("bwlimit", "ionice", "performance")
DEFAULTS: dict[str, Any] = {
    "bwlimit": 0,
    "compress": "0",
    "ionice": 7,
    "lockwait": 180,
    "mailnotification": "always",
    "mode": "snapshot",
    "notification-mode": "auto",
    "pigz": 0,
    "prune-backups": "keep-all=1",
    "remove": 1,
    "stdexcludes": 1,
    "stopwait": 10,
    "zstd": 1,
}


@answers("POST", "/nodes/{node}/vzdump")
def back_up(call: Call) -> Data:
    """`OK` instead of a task where all that is meant lives on other nodes."""
    if call.get("stdout"):
        raise wrong({"stdout": "option is only allowed on the command line interface."})
    _check_rights(call)
    _check_combination(call)
    vmids = _meant(call)
    if call.get("stop"):
        _stop_running(call)
    if not vmids and (call.get("stop") or not _means_all(call)):
        return "OK"
    storage = str(call.get("storage") or "local")
    call.check(f"/storage/{storage}", "Datastore.AllocateSpace")
    options = {**call.params, "all": 1} if _means_all(call) else call.params
    job = Job(call.cluster, call.node, call.user, vmids, options, call.may(f"/storage/{storage}", "Datastore.Allocate"))
    return call.start_task("vzdump", vmids[0] if len(vmids) == 1 else "", lambda task: run_job(task, job))


def _check_rights(call: Call) -> None:
    if call.is_root:
        return
    for name in ROOT_ONLY:
        if name in call.params:
            raise wrong({name: "Only root may set this option."})
    if any(name in call.params for name in COSTLY):
        call.check("/", "Sys.Modify")
    fleecing = parse_properties(call.cluster.table, "backup-fleecing", call.get("fleecing", ""))
    if "storage" in fleecing:
        call.check(f"/storage/{fleecing['storage']}", "Datastore.AllocateSpace")
    if "prune-backups" in call.params or "maxfiles" in call.params:
        call.check(f"/storage/{call.get('storage') or 'local'}", "Datastore.Allocate")


def _means_all(call: Call) -> bool:
    return bool(call.get("all") or ("exclude" in call.params and not call.get("pool")))


def _check_combination(call: Call) -> None:
    for name in ("all", "exclude", "pool"):
        if call.get(name) and call.get("vmid"):
            raise wrong({name: "option conflicts with option 'vmid'"})
    if "prune-backups" in call.params and "maxfiles" in call.params:
        raise wrong({"prune-backups": "option conflicts with option 'maxfiles'"})
    check_keep(call.cluster, call.get("prune-backups"))
    check_template(call.get("notes-template", ""))
    if not any(call.get(name) for name in ("vmid", "all", "stop", "pool")) and not _means_all(call):
        raise wrong({"vmid": "property is missing"})


def _meant(call: Call) -> list[int]:
    """The vmids that this node is to back up: its own, and those that nobody has, which will fail where it is seen."""
    guests, named = call.cluster.guests, split_list(call.get("vmid", ""))
    meant: Iterable[int] = map(int, named)
    if pool := call.get("pool"):
        meant = call.cluster.pool(pool).vms & guests.keys()
    elif not named and _means_all(call):
        meant = guests
    left_out = set(map(int, split_list(call.get("exclude", ""))))
    return sorted(vmid for vmid in {*meant} - left_out if vmid not in guests or guests[vmid].node == call.node)


def _stop_running(call: Call) -> None:
    for task in call.cluster.tasks.values():
        if task.running and task.type == "vzdump" and task.node == call.node:
            task.stopping = True
    call.cluster.lock.notify_all()


@answers("GET", "/nodes/{node}/vzdump/defaults")
def defaults(call: Call) -> Data:
    name = str(call.get("storage") or "local")
    call.check(f"/storage/{name}", "Datastore.Audit", "Datastore.AllocateSpace", every=False)
    options = call.cluster.storage(name).options
    own = {key: options[key] for key in ("prune-backups",) if key in options}
    return {**DEFAULTS, **own, "storage": name}


@answers("GET", "/nodes/{node}/vzdump/extractconfig")
def extract_config(call: Call) -> Data:
    """The configuration in a backup, as its file would be."""
    volid = call.params["volume"]
    check_volume(call, None, volid, "backup")
    owner = owner_of(split_volume(volid)[1])
    call.check(f"/vms/{owner}", "VM.Backup")
    volume = find_volume(call.cluster, call.node, volid)
    if volume is None:
        raise refuse(f"volume '{volid}' does not exist")
    return config_text(Guest(owner or 0, call.node, dict(volume.facts["config"])))
