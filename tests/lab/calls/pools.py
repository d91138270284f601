"""Pools and their members (pve-manager, API2/Pool.pm)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from lab.access import check_modify
from lab.calls.cluster import guest_figures, storage_figures
from lab.cluster import Cluster
from lab.context import Call
from lab.disks import used_everywhere
from lab.errors import refuse
from lab.faces import last_round, notice_deaths
from lab.model import Pool
from lab.registry import Data, answers
from lab.schema.formats import split_list
from lab.userfile import user_file


@answers("GET", "/pools")
def list_pools(call: Call) -> Data:
    if (name := call.get("poolid")) is not None:
        call.check(f"/pool/{name}", "Pool.Audit")
        return [_shown(call, call.cluster.pool(name))]
    pools = sorted(call.cluster.pools.values(), key=lambda pool: pool.id)
    return [_head(pool) for pool in pools if call.may(f"/pool/{pool.id}", "Pool.Audit")]


@answers("GET", "/pools/{poolid}")
def read_pool(call: Call) -> Data:
    return _shown(call, call.cluster.pool(call.params["poolid"]))


def _head(pool: Pool) -> dict[str, Any]:
    return {"poolid": pool.id} | ({"comment": pool.comment} if pool.comment else {})


def _shown(call: Call, pool: Pool) -> dict[str, Any]:
    """A pool with its members as `/cluster/resources` shows them; those that are gone are left out."""
    cluster, kind = call.cluster, call.get("type")
    members: list[dict[str, Any]] = []
    notice_deaths(cluster)
    if kind in (None, "lxc"):
        guests = [cluster.guests[vmid] for vmid in sorted(pool.vms) if vmid in cluster.guests]
        members += [guest_figures(cluster, guest, last_round(cluster, guest.node)) for guest in guests]
    if kind in (None, "storage"):
        members += _storages(call, pool)
    return {**_head(pool), "members": members}


def _storages(call: Call, pool: Pool) -> Iterable[dict[str, Any]]:
    """Each storage once: as the node that was asked sees it, or the first one that has it."""
    used = used_everywhere(call.cluster)
    for name in sorted(pool.storages & call.cluster.storages.keys()):
        storage = call.cluster.storages[name]
        node = call.asked if not storage.nodes or call.asked in storage.nodes else sorted(storage.nodes)[0]
        yield storage_figures(call.cluster, storage, call.cluster.nodes[node], used)


@answers("POST", "/pools")
def create_pool(call: Call) -> Data:
    cluster, name = call.cluster, str(call.params["poolid"])
    with user_file(cluster, "create pool failed"):
        if not re.match("[A-Za-z]", name):
            raise refuse("pool name must start with a letter")
        if name in cluster.pools:
            raise refuse(f"pool '{name}' already exists")
        parent = name.rpartition("/")[0]
        if parent and parent not in cluster.pools:
            raise refuse(f"parent '{parent}' of pool '{name}' does not exist")
        cluster.pools[name] = Pool(name, call.get("comment", ""))


@answers("PUT", "/pools/{poolid}")
def change_pool(call: Call) -> Data:
    """All or nothing: what is refused changes neither the members nor the comment."""
    cluster = call.cluster
    with user_file(cluster, "update pools failed"):
        pool = cluster.pool(call.params["poolid"])
        vms, storages = dict.fromkeys(map(int, split_list(call.get("vms", "")))), dict.fromkeys(split_list(call.get("storage", "")))
        for vmid in vms:
            check_modify(cluster, call.user, f"/vms/{vmid}")
            _check_member(call, vmid in pool.vms, f"VM {vmid}")
            _check_other_pool(call, vmid)
        for name in storages:
            check_modify(cluster, call.user, f"/storage/{name}")
            _check_member(call, name in pool.storages, f"Storage '{name}'")
        pool.comment = call.get("comment", pool.comment)
        if call.get("delete"):
            pool.vms -= vms.keys()
            pool.storages -= storages.keys()
            return
        for other in cluster.pools.values():
            other.vms -= vms.keys()
        pool.vms |= vms.keys()
        pool.storages |= storages.keys()


@answers("PUT", "/pools")
def change_named_pool(call: Call) -> Data:
    return change_pool(call)


def _check_member(call: Call, is_member: bool, what: str) -> None:
    if call.get("delete") and not is_member:
        raise refuse(f"{what} is not a pool member")
    if is_member and not call.get("delete"):
        raise refuse(f"{what} is already a pool member")


def _check_other_pool(call: Call, vmid: int) -> None:
    """A guest is in one pool at most; to move it is a right on the pool that it leaves."""
    other = call.cluster.pool_of(vmid)
    if not other or call.get("delete"):
        return
    if not call.get("allow-move"):
        raise refuse(f"VM {vmid} belongs already to pool '{other}' and 'allow-move' is not set")
    call.check(f"/pool/{other}", "Pool.Allocate")


@answers("DELETE", "/pools/{poolid}")
def delete_pool(call: Call) -> Data:
    cluster, name = call.cluster, call.params["poolid"]
    with user_file(cluster, "delete pool failed"):
        if content := _content(cluster, cluster.pool(name)):
            raise refuse(f"pool '{name}' is not empty (contains {content})")
        del cluster.pools[name]
        cluster.grants = [grant for grant in cluster.grants if grant.path != f"/pool/{name}"]


@answers("DELETE", "/pools")
def delete_named_pool(call: Call) -> Data:
    return delete_pool(call)


def _content(cluster: Cluster, pool: Pool) -> str:
    """The first thing that a pool holds, as refusals name it; members that are gone do not count."""
    found = [f"VM {vmid}" for vmid in sorted(pool.vms) if vmid in cluster.guests]
    found += [f"storage '{name}'" for name in sorted(pool.storages) if name in cluster.storages]
    found += [f"pool '{other}'" for other in sorted(cluster.pools) if other.rpartition("/")[0] == pool.id]
    return found[0] if found else ""
