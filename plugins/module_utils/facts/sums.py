# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What of a cluster is in order, how its ports are used, and how its backups stand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..archives import parse_rescue_pool
from ..claims import Claim, PortRange
from ..model import Guest
from .rights import stopped_features

Row = Mapping[str, Any]
USUAL_BRIDGE = "vmbr0"
"""What `placement.py` takes where nothing else is said."""


def judge_health(seen: Mapping[str, Any], rights: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that stands in the way of the main work, in sentences; `ok` where there is nothing."""
    figures, quorum = seen["figures"], seen.get("quorum")
    offline = [node["name"] for node in figures.nodes if not node["online"]]
    lost = [storage for storage in figures.storages if not storage["available"] and storage["node"] not in offline]
    problems = [f"Node {name} is offline." for name in offline]
    problems += [f"Storage {each['name']} is not available on node {each['node']}." for each in lost]
    if quorum and not quorum["quorate"]:
        problems.append("The cluster has no quorum: all can be read, nothing can be changed.")
    problems += [_told_lost(vmid, name) for vmid, name in _lost_apps(figures.pools, figures.guests)]
    for feature in stopped_features(rights["features"]):
        wanting = [each for each in rights["missing"] if each["feature"] == feature]
        what = "; ".join(f"{', '.join(each['privileges'])} on {each['path']}" for each in wanting)
        problems.append(f"The token may not {feature}: it lacks {what}.")
    return {
        "ok": not problems,
        "problems": problems,
        "lab": seen["version"]["lab"] if seen.get("version") else None,
        "nodes_offline": offline,
        "storages_unavailable": [{"name": each["name"], "node": each["node"]} for each in lost],
        "rights": dict(rights),
    }


def _lost_apps(pools: Iterable[str], guests: Iterable[Row]) -> list[tuple[int, str]]:
    """Apps that a restore has taken away and not brought back yet: a pool tells of them, and their container is gone, or only a lock."""
    whole = {guest["vmid"] for guest in guests if guest["lock"] != "create"}
    return [about for about in map(parse_rescue_pool, sorted(pools)) if about and about[0] not in whole]


def _told_lost(vmid: int, name: str) -> str:
    return (
        f"App {name} (guest {vmid}) is not there: it is being restored from a backup, or was when that broke off. "
        "Unless a run is at it, run playbook restore for it again."
    )


def judge_bridge(wish: str | None, bridges: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Whether new apps find their bridge. A node without it is passed over, so that it takes all of them to be wrong."""
    bridge = wish or USUAL_BRIDGE
    lacking = {node: names for node, names in bridges.items() if bridge not in names}
    problems = [
        f"Node {node} has no bridge '{bridge}' (it has {', '.join(names) or 'none'}): no new app is put there."
        for node, names in lacking.items()
    ]
    return {
        "ok": len(lacking) < len(bridges),
        "problems": problems,
        "bridge": bridge,
        "bridges": {node: list(names) for node, names in bridges.items()},
    }


def slot_of_tags(tags: Sequence[str]) -> int:
    """The slot that an adopted guest announces in its tags; 0 for any other."""
    return Guest(0, "", tags=tuple(tags)).slot if any(tag.startswith("slot-") for tag in tags) else 0


def count_ports(guests: Sequence[Row], claims: Iterable[Claim], slots: PortRange) -> dict[str, Any]:
    """Both ranges, and what holds which pair: a guest's number, an adopted guest, or a reservation."""
    ours = [guest for guest in guests if 0 <= guest["vmid"] - slots.first_vmid < slots.size]
    pairs = [{**slots.ports(guest["vmid"]), "name": guest["name"], "vmid": guest["vmid"], "by": "number"} for guest in ours]
    taken = {guest["vmid"] for guest in ours}
    for guest in guests:
        slot = slot_of_tags(guest["tags"])
        if slot in slots.slots and slot not in taken:
            taken.add(slot)
            pairs.append({**slots.ports(slot), "name": guest["name"], "vmid": guest["vmid"], "by": "adopted"})
    for claim in claims:
        if claim.slot not in taken and 0 <= claim.slot - slots.first_vmid < slots.size:
            by = "adopted" if claim.vmid else "reserved"
            pairs.append({**slots.ports(claim.slot), "name": claim.name, "vmid": claim.vmid or None, "by": by})
    used = len({pair["public"] for pair in pairs})

    def span(first: int) -> dict[str, int]:
        return {"first": first, "last": first + slots.size - 1, "used": used, "free": slots.size - used}

    return {
        "public": span(slots.public_first),
        "internal": span(slots.internal_first),
        "pairs": sorted(pairs, key=lambda pair: int(pair["public"])),
    }


def count_backups(backups: Sequence[Row], apps: Iterable[Row]) -> dict[str, Any]:
    """Sums over all, by storage and by guest; `without` names the apps that have none."""
    by_guest: dict[int, dict[str, Any]] = {}
    by_storage: dict[str, dict[str, Any]] = {}
    names = {app["vmid"]: app["name"] for app in apps}
    for backup in sorted(backups, key=lambda each: str(each["time"])):
        vmid, storage = backup["vmid"], backup["storage"]
        _count(by_guest.setdefault(vmid, {"vmid": vmid, "name": names.get(vmid, "")}), backup)
        _count(by_storage.setdefault(storage, {"storage": storage}), backup)
    return {
        "count": len(backups),
        "size_mb": sum(each["size_mb"] for each in backups),
        "storages": [by_storage[name] for name in sorted(by_storage)],
        "guests": [by_guest[vmid] for vmid in sorted(by_guest)],
        "without": sorted(name for vmid, name in names.items() if vmid not in by_guest),
    }


def _count(row: dict[str, Any], backup: Row) -> None:
    row["count"] = row.get("count", 0) + 1
    row["size_mb"] = row.get("size_mb", 0) + backup["size_mb"]
    row.setdefault("oldest", backup["time"])
    row["newest"] = backup["time"]
