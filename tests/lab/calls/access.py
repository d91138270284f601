"""Roles, groups, the ACL, and who holds which privileges (pve-access-control, API2)."""

from __future__ import annotations

import re

from lab.access import check_modify, normal_path, privileges_at, split_token
from lab.context import Call
from lab.errors import Refusal, refuse, wrong
from lab.model import Grant
from lab.registry import Data, answers
from lab.roles import built_in_roles, privileges
from lab.schema.formats import split_list
from lab.userfile import user_file

NAME = r"[A-Za-z0-9._-]+"
PATHS = re.compile(
    rf"/|/access(/groups(/{NAME})?|/realm(/{NAME})?)?|/mapping(/(dir|pci|usb)(/{NAME})?)?|/nodes(/{NAME})?|/pool(/{NAME}){{0,3}}"
    rf"|/sdn(/(controllers|dns|ipams|fabrics)(/{NAME})?|/zones(/{NAME}(/{NAME}(/[1-9]\d{{0,3}})?)?)?)?|/storage(/{NAME})?|/vms(/[1-9]\d{{2,}})?"
)
"""Where a grant may be made."""
TOP = ("/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms")
"""Paths that `/access/permissions` tells of besides those that something says something about."""


@answers("GET", "/access")
def access_index(call: Call) -> Data:
    return [{"subdir": name} for name in ("users", "groups", "acl", "roles", "permissions", "ticket")]


# Roles.


@answers("GET", "/access/roles")
def list_roles(call: Call) -> Data:
    special = built_in_roles(call.cluster.major)
    every = {**call.cluster.roles, **special}
    return [{"roleid": name, "privs": ",".join(sorted(held)), "special": int(name in special)} for name, held in sorted(every.items())]


@answers("GET", "/access/roles/{roleid}")
def read_role(call: Call) -> Data:
    _check_role(call, call.params["roleid"])
    return dict.fromkeys(sorted(call.cluster.role_privileges(call.params["roleid"])), 1)


def _check_role(call: Call, name: str) -> None:
    if name not in call.cluster.roles and name not in built_in_roles(call.cluster.major):
        raise refuse(f"role '{name}' does not exist")


def _given_privileges(call: Call) -> set[str]:
    """What the call names, all of them known to this version."""
    found = split_list(call.get("privs", ""))
    for name in found:
        if name not in privileges(call.cluster.major):
            raise wrong({"privs": f"invalid format - invalid privilege '{name}'\n"})
    return set(found)


@answers("POST", "/access/roles")
def create_role(call: Call) -> Data:
    name, held = str(call.params["roleid"]), _given_privileges(call)
    if name.upper().startswith("PVE"):
        raise wrong({"roleid": "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"})
    with user_file(call.cluster, "create role failed"):
        if name in call.cluster.roles or name in built_in_roles(call.cluster.major):
            raise refuse(f"role '{name}' already exists")
        call.cluster.roles[name] = held


@answers("PUT", "/access/roles/{roleid}")
def change_role(call: Call) -> Data:
    name, held = call.params["roleid"], _given_privileges(call)
    if name in built_in_roles(call.cluster.major):
        raise refuse(f"auto-generated role '{name}' cannot be modified")
    with user_file(call.cluster, "update role failed"):
        _check_role(call, name)
        call.cluster.roles[name] = held | (call.cluster.roles[name] if call.get("append") else set())


@answers("DELETE", "/access/roles/{roleid}")
def delete_role(call: Call) -> Data:
    cluster, name = call.cluster, call.params["roleid"]
    if name in built_in_roles(cluster.major):
        raise refuse(f"auto-generated role '{name}' cannot be deleted")
    with user_file(cluster, "delete role failed"):
        _check_role(call, name)
        del cluster.roles[name]
        cluster.grants = [grant for grant in cluster.grants if grant.role != name]


# Groups.


@answers("GET", "/access/groups")
def list_groups(call: Call) -> Data:
    wanted = ("User.Modify", "Sys.Audit", "Group.Allocate")
    names = [name for name in sorted(call.cluster.groups) if call.may(f"/access/groups/{name}", *wanted, every=False)]
    return [{"groupid": name, **_comment(call, name), "users": ",".join(_members(call, name))} for name in names]


@answers("GET", "/access/groups/{groupid}")
def read_group(call: Call) -> Data:
    name = call.params["groupid"]
    _check_group(call, name)
    return {**_comment(call, name), "members": _members(call, name)}


def _comment(call: Call, name: str) -> dict[str, str]:
    comment = call.cluster.groups[name]
    return {"comment": comment} if comment else {}


def _members(call: Call, name: str) -> list[str]:
    return sorted(user.id for user in call.cluster.users.values() if name in user.groups)


def _check_group(call: Call, name: str) -> None:
    if name not in call.cluster.groups:
        raise refuse(f"group '{name}' does not exist")


@answers("POST", "/access/groups")
def create_group(call: Call) -> Data:
    name = call.params["groupid"]
    with user_file(call.cluster, "create group failed"):
        if name in call.cluster.groups:
            raise refuse(f"group '{name}' already exists")
        call.cluster.groups[name] = call.get("comment", "")


@answers("PUT", "/access/groups/{groupid}")
def change_group(call: Call) -> Data:
    name = call.params["groupid"]
    with user_file(call.cluster, "update group failed"):
        _check_group(call, name)
        call.cluster.groups[name] = call.get("comment", call.cluster.groups[name])


@answers("DELETE", "/access/groups/{groupid}")
def delete_group(call: Call) -> Data:
    cluster, name = call.cluster, call.params["groupid"]
    with user_file(cluster, "delete group failed"):
        _check_group(call, name)
        del cluster.groups[name]
        for user in cluster.users.values():
            user.groups = [group for group in user.groups if group != name]
        cluster.grants = [grant for grant in cluster.grants if (grant.kind, grant.who) != ("group", name)]


# The ACL.


@answers("GET", "/access/acl")
def list_grants(call: Call) -> Data:
    every = call.may("/access", "Sys.Audit")
    seen = [grant for grant in call.cluster.grants if every or _may_modify(call, grant.path)]
    return [
        {"path": grant.path, "type": grant.kind, "ugid": grant.who, "roleid": grant.role, "propagate": int(grant.propagate)}
        for grant in seen
    ]


def _may_modify(call: Call, path: str) -> bool:
    try:
        check_modify(call.cluster, call.user, path)
    except Refusal:
        return False
    return True


@answers("PUT", "/access/acl")
def change_grants(call: Call) -> Data:
    cluster = call.cluster
    kinds = {"group": "groups", "user": "users", "token": "tokens"}
    if not any(call.get(name) for name in kinds.values()):
        raise wrong(dict.fromkeys(kinds.values(), "either 'users', 'groups' or 'tokens' is required."))
    path = normal_path(call.params["path"])
    if not path or not (call.get("delete") or PATHS.fullmatch(path)):
        raise wrong({"path": f"invalid ACL path '{call.params['path']}'"})
    propagate = bool(call.get("propagate", 1))
    with user_file(cluster, "ACL update failed"):
        meant = []
        for role in split_list(call.params["roles"]):
            _check_may_give(call, path, role, propagate)
            for kind, name in kinds.items():
                for who in split_list(call.get(name, "")):
                    _check_known(call, kind, who)
                    meant.append(Grant(path, kind, who, role, propagate))
        gone = {(grant.path, grant.kind, grant.who, grant.role) for grant in meant}
        cluster.grants = [grant for grant in cluster.grants if (grant.path, grant.kind, grant.who, grant.role) not in gone]
        cluster.grants += [] if call.get("delete") else meant


def _check_may_give(call: Call, path: str, role: str, propagate: bool) -> None:
    """Without Permissions.Modify nobody gives or takes more than what is theirs."""
    _check_role(call, role)
    held = privileges_at(call.cluster, call.user, path)
    if "Permissions.Modify" in held:
        return
    verb = "remove" if call.get("delete") else "add"
    for privilege in call.cluster.role_privileges(role):
        if privilege not in held:
            raise wrong({"role": f"Cannot {verb} role '{role}' - requires 'Permissions.Modify' or superset of privileges."})
        if propagate and not held[privilege] and verb == "add":
            text = "requires 'Permissions.Modify' or propagated superset of privileges."
            raise wrong({"role": f"Cannot {verb} role '{role}' with propagation - {text}"})
    if role == "NoAccess":
        raise wrong({"role": f"Cannot {verb} role '{role}' - requires 'Permissions.Modify'"})


def _check_known(call: Call, kind: str, who: str) -> None:
    cluster = call.cluster
    if kind == "group":
        _check_group(call, who)
    elif kind == "user" and who not in cluster.users:
        raise refuse(f"user '{who}' does not exist")
    elif kind == "token":
        user, token = split_token(who)
        if user not in cluster.users:
            raise refuse(f"no such user ('{user}')")
        if token not in cluster.users[user].tokens:
            raise refuse(f"no such token '{token}' for user '{user}'")


# What somebody may do.


@answers("GET", "/access/permissions")
def permissions(call: Call) -> Data:
    """Path -> privilege -> whether it propagates. One's own and one's tokens' are free to read."""
    who = str(call.get("userid", call.user))
    user, token = split_token(who)
    if who != call.user and not (token and user == call.user):
        call.check("/access", "Sys.Audit")
    paths = [call.params["path"]] if call.get("path") else _known_paths(call)
    found = {path: privileges_at(call.cluster, who, path) for path in paths}
    return {path: {name: int(propagate) for name, propagate in sorted(held.items())} for path, held in found.items() if held}


def _known_paths(call: Call) -> list[str]:
    """Those with grants and the ones above them, and what pools hold."""
    found = set(TOP)
    for grant in call.cluster.grants:
        parts = grant.path.strip("/").split("/")
        found |= {"/" + "/".join(parts[: n + 1]) for n in range(len(parts))}
    for pool in call.cluster.pools.values():
        found |= {f"/vms/{vmid}" for vmid in pool.vms} | {f"/storage/{name}" for name in pool.storages}
    return sorted(found)
