# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups on storages: their making, what is said of them, their restoring and their end.

Deeds answer a task's UPID; an empty one where Proxmox did nothing, as for a guest that lives on another node.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from ..api import Client
from ..archives import Archive, Label, Work
from ..errors import ApiError
from ..model import GuestConfig
from ..wire.labels import format_notes, parse_label, with_label
from ..wire.times import format_time
from .configs import format_config, parse_config
from .refusals import state_may_have_moved

MIB = 1024**2
COMPRESSIONS = {"zstd": "zstd", "gzip": "gzip", "lzo": "lzo", "none": "0"}
NOTES_LIMIT = 1024
"""Characters that Proxmox takes as the template of a backup's notes."""
STAMP = re.compile(r"(\d{4})[_-](\d\d)[_-](\d\d)[-T](\d\d)[_:](\d\d)[_:](\d\d)")
STATUS = {"vzdump": "creating", "vzrestore": "restoring", "imgdel": "deleting"}
UNTOLD = "job errors"
"""How a backup ends that failed: its log knows why."""
BROKEN_OFF = "unexpected status"
"""How Proxmox tells of a task whose log has no end."""
REASONS_AT_MOST = 20
REASON = re.compile(r"ERROR: Backup of VM \d+ failed - (.*)")


def observe_backups(client: Client, node: str, storage: str) -> list[dict[str, Any]]:
    """List the backups of containers that this token may see there."""
    rows = client.get(f"/nodes/{node}/storage/{storage}/content", content="backup")
    return [
        {
            "volume": str(row["volid"]),
            "storage": storage,
            "vmid": int(row["vmid"]),
            "size_mb": int(row.get("size", 0)) // MIB,
            "time": format_time(datetime.fromtimestamp(int(row.get("ctime", 0)), UTC)),
            "protected": bool(row.get("protected", 0)),
        }
        for row in rows
        if _is_of_container(row)
    ]


def observe_archives(client: Client, node: str, storage: str) -> tuple[Archive, ...]:
    """The backups of containers that this node sees on a storage; of each one's notes, lists have the first line."""
    rows = client.get(f"/nodes/{node}/storage/{storage}/content", content="backup")
    return tuple(_archive(node, storage, row) for row in rows if _is_of_container(row))


def _is_of_container(row: Mapping[str, Any]) -> bool:
    """What a Proxmox Backup Server stores has had no `subtype` at first, and says it by its format, as pbs-ct or pbs-vm."""
    kind = row.get("subtype") or {"pbs-vm": "qemu"}.get(str(row.get("format", "")), "lxc")
    return bool(row.get("vmid")) and kind == "lxc"


def _archive(node: str, storage: str, row: Mapping[str, Any]) -> Archive:
    volume, made = str(row["volid"]), datetime.fromtimestamp(int(row.get("ctime", 0)), UTC)
    stamp = STAMP.search(volume)
    return Archive(
        volume=volume,
        storage=storage,
        node=node,
        vmid=int(row["vmid"]),
        made=made,
        local=datetime.strptime("".join(stamp.groups()), "%Y%m%d%H%M%S").replace(tzinfo=UTC) if stamp else made,
        size=int(row.get("size", 0)),
        protected=bool(row.get("protected", 0)),
        label=parse_label(str(row.get("notes", ""))),
    )


def observe_archived(client: Client, node: str, volume: str) -> GuestConfig:
    """The configuration that a backup holds: its file, in which the description is a comment in front and snapshots are sections."""
    text = str(client.get(f"/nodes/{node}/vzdump/extractconfig", volume=volume))
    lines = text.partition("\n[")[0].splitlines()
    options = (line.partition(": ") for line in lines if not line.startswith("#"))
    notes = "\n".join(unquote(line[1:]) for line in lines if line.startswith("#"))
    owner = re.search(r"-(\d+)-\d{4}_|/(\d+)/\d{4}-", volume)
    vmid = next((int(number) for number in owner.groups() if number), 0) if owner else 0
    return parse_config(vmid, {**{key: value for key, colon, value in options if colon}, "description": notes})


def observe_works(client: Client, node: str, vmid: int) -> tuple[Work, ...]:
    """Backups and restores of a guest that are under way on a node, those that wait for their turn included."""
    rows = client.get(f"/nodes/{node}/tasks", source="active", vmid=vmid)
    return tuple(_work(row) for row in rows if row.get("type") in ("vzdump", "vzrestore") and not row.get("endtime"))


def is_under_way(client: Client, upid: str) -> bool:
    return bool(client.get(f"/nodes/{upid.split(':')[1]}/tasks/{upid}/status", poll=True)["status"] != "stopped")


def stop_work(client: Client, upid: str) -> None:
    """Stop a task of ours. Proxmox says nothing of one that has ended."""
    client.delete(f"/nodes/{upid.split(':')[1]}/tasks/{upid}")


def observe_running_works(client: Client) -> tuple[Work, ...]:
    """Backups and restores that are under way anywhere, as far as the cluster's list of tasks tells."""
    rows = client.get("/cluster/tasks")
    return tuple(_work(row) for row in rows if row.get("type") in ("vzdump", "vzrestore") and not row.get("endtime"))


def observe_backup_broke_off(client: Client, node: str, vmid: int) -> bool:
    """Whether the last backup of a guest ended without a word, as it does when its node loses power, and no other is made on that node."""
    last = client.get(f"/nodes/{node}/tasks", poll=True, vmid=vmid, typefilter="vzdump", source="all", limit=1)
    if not last or last[0].get("status") != BROKEN_OFF:
        return False
    rows = client.get(f"/nodes/{node}/tasks", poll=True, typefilter="vzdump", source="active")
    if not all(row.get("endtime") for row in rows):
        return False
    # A backup takes its lock away before its task ends: one that has ended since the lock was seen has not left it behind.
    return bool(client.get(f"/nodes/{node}/lxc/{vmid}/config", poll=True).get("lock") == "backup")


def observe_all_works(client: Client) -> tuple[Work, ...]:
    """What is under way with backups anywhere, and what failed lately."""
    rows = client.get("/cluster/tasks")
    works = [_work(row) for row in rows if row.get("type") in STATUS]
    silent = [work.upid for work in works if work.reason == UNTOLD][:REASONS_AT_MOST]
    reasons = {upid: reason_of(client, upid) for upid in silent}
    return tuple(replace(work, reason=reasons.get(work.upid, work.reason)) for work in works)


def observe_uncovered(client: Client) -> frozenset[int] | None:
    """Guests that no backup job of the cluster is about; None where this token may not know (Sys.Audit on /)."""
    try:
        rows = client.get("/cluster/backup-info/not-backed-up")
    except ApiError as error:
        if error.status == 403:
            return None
        raise
    return frozenset(int(row["vmid"]) for row in rows)


def reason_of(client: Client, upid: str) -> str:
    """Why a backup failed: the end of a task only says that there were errors."""
    lines = [str(line["t"]) for line in client.get(f"/nodes/{upid.split(':')[1]}/tasks/{upid}/log", limit=0)]
    return said_in(lines) or next(iter(lines[-1:]), "")


def said_in(lines: Sequence[str]) -> str:
    return next((found[1] for found in map(REASON.match, reversed(lines)) if found), "")


def _work(row: Mapping[str, Any]) -> Work:
    ended, said = bool(row.get("endtime")), str(row.get("status", ""))
    vmid, _at, storage = str(row.get("id", "")).partition("@")
    good = said == "OK" or said.startswith("WARNINGS")
    status = STATUS[str(row["type"])] if not ended else "completed" if good else "failed"
    started, reason = datetime.fromtimestamp(int(row["starttime"]), UTC), said if status == "failed" else ""
    return Work(str(row["upid"]), str(row["node"]), int(vmid) if vmid.isdigit() else 0, status, started, storage, reason)


def observe_notes(client: Client, node: str, volume: str) -> str:
    """All of a backup's notes; lists hold the first line."""
    return str(client.get(_path(node, volume)).get("notes") or "")


def create_backup(client: Client, node: str, vmid: int, storage: str, mode: str, compress: str, notes: str, protected: bool = False) -> str:
    """Back a guest up; answers nothing where `node` does not hold it. Nothing older is pruned.

    `mode` is snapshot, suspend or stop, `compress` zstd, gzip, lzo or none. `notes` may have several lines, NOTES_LIMIT characters in all.
    """
    form = {
        "vmid": vmid,
        "storage": storage,
        "mode": mode,
        "compress": COMPRESSIONS[compress],
        "notes-template": template_of(notes),
        "remove": 0,
        **({"protected": 1} if protected else {}),
    }
    with state_may_have_moved():
        answer = str(client.post(f"/nodes/{node}/vzdump", **form))
    return answer if answer.startswith("UPID:") else ""


def restore_guest(client: Client, node: str, vmid: int, archive: str, wish: Mapping[str, Any], force: bool) -> str:
    """Make a guest of a backup: a new one, or with `force` in the place of the stopped one that has the number.

    `wish` holds what shall differ from the backup, by the names of GuestConfig; beside them `storage` (of its disks), `disk_gb` (needs
    storage), `pool`, `running`, and `unique` (a MAC address of its own). What became empty cannot be given and stays as it was saved.
    """
    form: dict[str, Any] = {"vmid": vmid, "ostemplate": archive, "restore": 1, **format_config(wish)}
    if wish.get("storage"):
        form["storage"] = wish["storage"]
        if wish.get("disk_gb"):
            form["rootfs"] = f"{wish['storage']}:{wish['disk_gb']}"
    if wish.get("pool"):
        form["pool"] = wish["pool"]
    form |= {key: 1 for key, given in (("force", force), ("start", wish.get("running")), ("unique", wish.get("unique"))) if given}
    with state_may_have_moved():
        return str(client.post(f"/nodes/{node}/lxc", **form))


def remove_archive(client: Client, node: str, volume: str) -> str | None:
    """Delete a backup; one that is gone already is no failure."""
    answer = client.delete(_path(node, volume))
    return str(answer) if answer else None


def describe_archive(client: Client, node: str, volume: str, notes: str | None = None, protected: bool | None = None) -> None:
    """Set a backup's notes and protection, those that are given. Proxmox says nothing of one that is gone."""
    form: dict[str, Any] = {} if notes is None else {"notes": notes}
    if protected is not None:
        form["protected"] = int(protected)
    client.put(_path(node, volume), **form)


def record_verdict(client: Client, node: str, volume: str, verdict: str) -> None:
    """Write into a backup's notes how a trial of it went just now; the rest of them stays."""
    notes = observe_notes(client, node, volume)
    label = parse_label(notes)
    if label:
        describe_archive(client, node, volume, notes=with_label(notes, replace(label, verdict=verdict, proven=datetime.now(UTC))))


def fitting_notes(label: Label, text: str) -> str:
    """Notes with this label, without what does not fit: the first line always does, the user's text may not."""
    notes = format_notes(label, text)
    while (excess := len(template_of(notes)) - NOTES_LIMIT) > 0:
        notes = notes[:-excess]
    return notes


def template_of(notes: str) -> str:
    r"""Notes as Proxmox's template for them: line ends are spelled `\n`, and nothing in them is a variable."""
    return notes.replace("\\", "\\\\").replace("{{", "{ {").replace("\n", "\\n")


def _path(node: str, volume: str) -> str:
    return f"/nodes/{node}/storage/{volume.partition(':')[0]}/content/{quote(volume, safe='')}"
