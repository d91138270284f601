"""Who may do what: roles along the ACL's paths, tokens, pools, and the rights that a call declares."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lab.errors import Refusal, forbidden, refuse
from lab.roles import privileges
from lab.schema.formats import split_list
from lab.schema.rights import Both, Either, Need, Rights

if TYPE_CHECKING:
    from lab.cluster import Cluster

ROOT = "root@pam"


def split_token(who: str) -> tuple[str, str]:
    """`root@pam!test` -> (`root@pam`, `test`); a plain user has no second part."""
    user, _, token = who.partition("!")
    return user, token


def roles_at(cluster: Cluster, who: str, path: str) -> dict[str, bool]:
    """Roles of a user or token at a path -> whether they propagate; the deepest path that says something decides.

    At one path the token's own grants come before its user's, and those before the groups'.
    """
    user, token = split_token(who)
    if token:
        known = cluster.users[user].tokens.get(token) if user in cluster.users else None
        if known is None:
            return {}
        if not known.privsep:
            return roles_at(cluster, user, path)
    elif user == ROOT:
        return {"Administrator": True}
    found: dict[str, bool] = {}
    for place in _places(path):
        here = [grant for grant in cluster.grants_at(place) if grant.propagate or place == path]
        groups = [] if token else cluster.users[user].groups if user in cluster.users else []
        for kind, names in (("token", [who]),) if token else (("user", [user]), ("group", groups)):
            if hits := {grant.role: grant.propagate for grant in here if grant.kind == kind and grant.who in names}:
                found = hits
                break
    return {"NoAccess": found["NoAccess"]} if "NoAccess" in found else found


def _places(path: str) -> list[str]:
    """The path and all above it, the root first."""
    parts = [part for part in path.split("/") if part]
    return ["/"] + ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]


def privileges_at(cluster: Cluster, who: str, path: str) -> dict[str, bool]:
    """Privileges of a user or token at a path -> whether they propagate; what pools give counts."""
    if who == ROOT:
        return dict.fromkeys(privileges(cluster.major), True)
    user, token = split_token(who)
    of_user: dict[str, bool] = {}
    if token:
        known = cluster.users[user].tokens.get(token) if user in cluster.users else None
        if known is None:
            return {}
        of_user = privileges_at(cluster, user, path)
        if not known.privsep:
            return of_user
    found: dict[str, bool] = {}
    for role, propagate in _with_pools(cluster, who, path).items():
        for privilege in cluster.role_privileges(role):
            found[privilege] = found.get(privilege, False) or propagate
    return {name: propagate and of_user[name] for name, propagate in found.items() if name in of_user} if token else found


def _with_pools(cluster: Cluster, who: str, path: str) -> dict[str, bool]:
    roles = roles_at(cluster, who, path)
    pool = cluster.pool_of_path(path)
    if not pool or "NoAccess" in roles:
        return roles
    given = roles_at(cluster, who, f"/pool/{pool}")
    if "NoAccess" in given:
        return {"NoAccess": False}
    return {**dict.fromkeys(given, False), **roles}


def normal_path(path: str) -> str | None:
    """An ACL path without double and final slashes; None when it cannot be one."""
    normal = "/" + re.sub(r"/+", "/", path).strip("/")
    return normal if path and re.fullmatch(r"[A-Za-z0-9._/-]+", normal) else None


def missing(cluster: Cluster, who: str, path: str | None, wanted: tuple[str, ...], every: bool = True) -> str:
    """What a refusal names: the first privilege that lacks, or all alternatives joined by a bar; empty when it is allowed."""
    if who == ROOT:
        return ""
    held = privileges_at(cluster, who, path) if path is not None else {}
    lacking = [name for name in wanted if name not in held]
    if every:
        return lacking[0] if lacking else ""
    return "|".join(wanted) if len(lacking) == len(wanted) else ""


def check_declared(cluster: Cluster, who: str, rights: Rights | None, params: Mapping[str, Any]) -> None:
    """Raise a 403 unless the rights that a call declares are held; parameters are not verified yet."""
    if rights is None:
        if who != ROOT:
            raise forbidden("user != root@pam")
    elif isinstance(rights, Both):
        for part in rights.parts:
            check_declared(cluster, who, part, params)
    elif isinstance(rights, Either):
        if not any(_holds(cluster, who, part, params) for part in rights.parts):
            raise forbidden()
    else:
        _check_need(cluster, who, rights, params)


def _holds(cluster: Cluster, who: str, rights: Rights, params: Mapping[str, Any]) -> bool:
    try:
        check_declared(cluster, who, rights, params)
    except Refusal:
        return False
    return True


def _check_need(cluster: Cluster, who: str, need: Need, params: Mapping[str, Any]) -> None:
    if need.given and need.given not in params:
        raise forbidden()
    if need.kind == "path":
        path = normal_path(re.sub(r"{([\w-]+)}", lambda part: str(params.get(part[1], "")), need.path))
        if lacking := missing(cluster, who, path, need.privileges, need.every):
            raise forbidden(f"{path or ''}, {lacking}")
    elif need.kind == "modify":
        if path := normal_path(str(params.get("path", ""))):
            check_modify(cluster, who, path)
    elif need.kind == "user-param":
        _check_user_param(cluster, who, need.path, str(params.get("userid", "")))
    elif need.kind == "user-group":
        _check_user_group(cluster, who, need.privileges, need.mode, params)


def check_modify(cluster: Cluster, who: str, raw: str) -> None:
    """Who may change the ACL at a path: Permissions.Modify, or the right to allocate what is there."""
    path = normal_path(raw)
    kinds = {"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}
    wanted: tuple[str, ...] = ("Permissions.Modify",)
    if path and (parts := re.fullmatch(r"/(storage|vms|pool)/.+", path)):
        wanted += (kinds[parts[1]],)
    if lacking := missing(cluster, who, path, wanted, every=False):
        raise forbidden(f"{path or ''}, {lacking}")


def _check_user_param(cluster: Cluster, who: str, what: str, userid: str) -> None:
    if what == "self":
        if who != userid:
            raise forbidden(f"{who} != {userid}")
        return
    path = f"/access/realm/{userid.rpartition('@')[2]}"
    if lacking := missing(cluster, who, path, (what,)):
        raise forbidden(f"{path}, {lacking}")


def _check_user_group(cluster: Cluster, who: str, wanted: tuple[str, ...], mode: str, params: Mapping[str, Any]) -> None:
    """These privileges on all of /access/groups, or on the groups that matter: those that are given (`create`, `update`),
    and one of those that the user is in (`update`, and without a mode)."""

    def may(group: str) -> bool:
        return not missing(cluster, who, f"/access/groups/{group}", wanted, every=False)

    user = cluster.users.get(str(params.get("userid", "")))
    if mode != "create" and user is None:
        raise refuse(f"no such user ('{params.get('userid', '')}')")
    if not missing(cluster, who, "/access/groups", wanted, every=False):
        return
    alternatives = "|".join(wanted)
    if mode:
        groups = split_list(str(params.get("groups", "")))
        if not groups:
            raise forbidden(f"/access/groups, {alternatives}")
        for group in groups:
            if not may(group):
                raise forbidden(f"/access/groups/{group}, {alternatives}")
    if mode != "create" and not any(may(group) for group in (user.groups if user else ())):
        raise forbidden()
