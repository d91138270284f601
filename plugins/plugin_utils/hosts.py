# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Guests as hosts of an inventory: their names, groups and variables, as plain data."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

GROUPINGS = ("entry", "owner", "node", "status", "tag")
GUESTS, APPS, UNMANAGED = "proximity_guests", "proximity_managed", "proximity_unmanaged"
PCT = "proximity.platform.pct"
NODE_VARS = {
    "node_hosts": "proximity_node_hosts",
    "node_user": "proximity_node_user",
    "node_port": "proximity_node_port",
    "node_private_key_file": "proximity_node_private_key_file",
    "pct_command": "proximity_pct_command",
}
"""Option of a cluster -> variable of connection pct."""


@dataclass(frozen=True)
class Host:
    name: str
    groups: tuple[str, ...]
    variables: Mapping[str, Any]


@dataclass(frozen=True)
class Style:
    """How guests become hosts. `entries` are the catalog's: they tell an entry among an app's tags."""

    connection: str = "pct"
    qualified: bool = False
    group_by: Collection[str] = GROUPINGS
    entries: Collection[str] = ()


@lru_cache(maxsize=4096)
def group_name(kind: str, value: str) -> str:
    """A name that Ansible takes for a group: letters, digits and underscores."""
    return re.sub(r"\W", "_", f"{kind}_{value}", flags=re.ASCII)


def cluster_variables(cluster: Mapping[str, Any], found: Mapping[str, Any], connection: str) -> dict[str, Any]:
    """What all hosts of a cluster share: how to get into them."""
    hosts = cluster.get("node_hosts") or found.get("node_addresses") or {}
    given = {**cluster, "node_hosts": hosts}
    variables: dict[str, Any] = {"proximity_cluster": cluster["name"]}
    jump = f"-o ProxyJump={shlex.quote(cluster['jump_host'])}" if cluster.get("jump_host") else ""
    if connection == "pct":
        variables |= {"ansible_connection": PCT}
        variables |= {variable: given[option] for option, variable in NODE_VARS.items() if given.get(option)}
        variables |= {"proximity_node_ssh_common_args": jump} if jump else {}
    if connection == "ssh":
        variables |= {"ansible_connection": "ssh", **({"ansible_ssh_common_args": jump} if jump else {})}
    return {**variables, **(cluster.get("vars") or {})}


def hosts_of(clusters: Mapping[str, Mapping[str, Any]], style: Style) -> Iterator[Host]:
    """Name every guest of every cluster; what would be named twice is told apart by its cluster, and then by its number."""
    rows = [(cluster, guest) for cluster, found in clusters.items() for guest in found["guests"]]
    plain = Counter(guest["name"] for _cluster, guest in rows)
    within = Counter((cluster, guest["name"]) for cluster, guest in rows)
    for cluster, guest in rows:
        name = guest["name"]
        if not name or within[cluster, name] > 1:
            host = f"{name or 'guest'}-{guest['vmid']}.{cluster}"
        else:
            host = f"{name}.{cluster}" if style.qualified or plain[name] > 1 else name
        yield _host(host, cluster, guest, style)


def _host(name: str, cluster: str, guest: Mapping[str, Any], style: Style) -> Host:
    managed, tags = "entry" in guest, guest["tags"]
    entry = (guest["entry"] or _known_entry(tags, style.entries)) if managed else None
    groups = [group_name("cluster", cluster), APPS if managed else UNMANAGED]
    by = style.group_by
    if "node" in by:
        groups.append(group_name("node", guest["node"]))
    if "status" in by:
        groups.append(group_name("status", guest["status"]))
    if "entry" in by and entry:
        groups.append(group_name("entry", entry))
    if "owner" in by and guest.get("owner"):
        groups.append(group_name("owner", guest["owner"]))
    if "tag" in by:
        groups += [group_name("tag", tag) for tag in tags if tag not in ("proximity", entry) and not tag.startswith(("rev-", "slot-"))]
    variables = {
        "proximity_vmid": guest["vmid"],
        "proximity_node": guest["node"],
        "proximity_guest": {**guest, "cluster": cluster, **({"entry": entry} if managed else {})},
    }
    if guest.get("address"):
        variables["ansible_host"] = guest["address"]
    return Host(name, tuple(groups), variables)


def _known_entry(tags: Iterable[str], entries: Collection[str]) -> str | None:
    known = [tag for tag in tags if tag in entries]
    return known[0] if len(known) == 1 else None
