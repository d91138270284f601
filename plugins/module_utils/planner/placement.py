# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Where a new app goes: a node that is online and has the storage, the template and the bridge."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..desired import DesiredApp
from ..errors import PlanError
from ..model import Cluster, Node, Observed, Storage
from . import facts
from .slots import Claims

DEFAULT_BRIDGE = "vmbr0"
ORIGINAL = re.compile(r"-(standard|default)_")


@dataclass(frozen=True)
class Place:
    node: str
    storage: str
    template: str
    bridge: str


def place_app(app: DesiredApp, observed: Observed, claims: Claims) -> Place:
    """Choose the node named, else the one with the most free memory, else the first; says of every node why it will not do."""
    cluster = facts.cluster(observed)
    reasons = []
    for node in _nodes(app, cluster, claims):
        try:
            return _place_on(node, app, cluster, observed)
        except _Unfit as unfit:
            reasons.append(str(unfit))
    raise PlanError(f"Cannot create app {app.name}: {'; '.join(reasons) or 'no node is online'}.")


class _Unfit(Exception):
    """This node will not do."""


def _nodes(app: DesiredApp, cluster: Cluster, claims: Claims) -> list[Node]:
    if app.node:
        if app.node not in cluster.nodes:
            raise PlanError(f"Cannot create app {app.name}: there is no node '{app.node}'. The cluster has {_listed(cluster.nodes)}.")
        return [cluster.nodes[app.node]]
    online = sorted((node for node in cluster.nodes.values() if node.online and node.name != app.off_node), key=lambda node: node.name)
    if any(node.memory_free_mb is None for node in online):
        return online
    return sorted(online, key=lambda node: claims.memory_mb.get(node.name, 0) - (node.memory_free_mb or 0))


def _place_on(node: Node, app: DesiredApp, cluster: Cluster, observed: Observed) -> Place:
    if not node.online:
        raise _Unfit(f"node {node.name} is offline")
    here = [storage for storage in cluster.storages if storage.node == node.name and storage.available]
    storage = _disk_storage(app.storage, node, here)
    shelves = _template_storages(app.template, node, here)
    templates, bridges = facts.templates_and_bridges(observed, node.name, shelves)
    bridge = app.network.bridge or DEFAULT_BRIDGE
    template = newest_template(app.template, templates)
    if not template:
        raise _Unfit(f"node {node.name} has no template '{app.template}' (it has {_listed(templates)}); download it or name another")
    if bridge not in bridges:
        raise _Unfit(f"node {node.name} has no bridge '{bridge}' (it has {_listed(bridges)})")
    return Place(node.name, storage, template, bridge)


def _disk_storage(wish: str | None, node: Node, here: list[Storage]) -> str:
    """The storage named, else the one with the most room among those that take disks of containers."""
    fitting = [storage for storage in here if "rootdir" in storage.content]
    if not wish and fitting:
        return max(fitting, key=lambda storage: (storage.free_mb, storage.name)).name
    if wish in [storage.name for storage in fitting]:
        return str(wish)
    if wish in [storage.name for storage in here]:
        raise _Unfit(f"storage '{wish}' on node {node.name} takes no disks of containers (use {_listed(each.name for each in fitting)})")
    what = f"storage '{wish}'" if wish else "storage for disks of containers"
    raise _Unfit(f"node {node.name} has no {what} (it has {_listed(each.name for each in fitting)})")


def _template_storages(wish: str, node: Node, here: list[Storage]) -> list[str]:
    named, colon, _rest = wish.partition(":")
    shelves = sorted(storage.name for storage in here if "vztmpl" in storage.content and (not colon or storage.name == named))
    if not shelves:
        raise _Unfit(f"node {node.name} has no storage " + (f"'{named}' with templates" if colon else "with templates"))
    return shelves


def newest_template(wish: str, volids: Iterable[str]) -> str | None:
    """The volume of that id or file name, else the newest whose file name begins so, as in `debian-13`.

    Of several flavours, the distribution's own come before what somebody made of them.
    """
    matching = [volid for volid in volids if wish in (volid, _file(volid))]
    matching = matching or [volid for volid in volids if _file(volid).startswith(wish.partition("vztmpl/")[2] or wish)]
    return max(matching, key=lambda volid: (bool(ORIGINAL.search(volid)), _version(_file(volid))), default=None)


def _version(file: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", file)]


def _file(volid: str) -> str:
    return volid.partition("vztmpl/")[2]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"
