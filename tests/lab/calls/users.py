"""Users and their API tokens (pve-access-control, API2/User.pm)."""

from __future__ import annotations

import uuid
from typing import Any

from lab.context import Call
from lab.errors import refuse, wrong
from lab.model import Token, User
from lab.registry import Data, answers
from lab.schema.formats import split_list
from lab.userfile import user_file

DETAILS = ("comment", "email", "firstname", "lastname", "keys")
REALMS = {"pam", "pve"}


@answers("GET", "/access/users")
def list_users(call: Call) -> Data:
    """Oneself, and those whose groups one may see."""
    wanted, enabled = ("User.Modify", "Sys.Audit"), call.get("enabled")
    every = call.may("/access/groups", *wanted, every=False)
    groups = {name for name in call.cluster.groups if call.may(f"/access/groups/{name}", *wanted, every=False)}
    return [
        _listed(call, user)
        for _, user in sorted(call.cluster.users.items())
        if (every or user.id == call.user or groups & {*user.groups}) and enabled in (None, int(user.enable))
    ]


def _listed(call: Call, user: User) -> dict[str, Any]:
    shown = {"userid": user.id, "realm-type": user.id.rpartition("@")[2], **_shown(user)}
    if call.get("full"):
        shown |= {"groups": ",".join(sorted(user.groups)), "tokens": [{"tokenid": name, **_info(token)} for name, token in _tokens(user)]}
    return shown


def _shown(user: User) -> dict[str, Any]:
    return {"enable": int(user.enable), "expire": user.expire, **{name: text for name, text in user.details.items() if text}}


def _tokens(user: User) -> list[tuple[str, Token]]:
    return sorted(user.tokens.items())


def _info(token: Token) -> dict[str, Any]:
    return {"privsep": int(token.privsep), "expire": token.expire, **({"comment": token.comment} if token.comment else {})}


def find_user(call: Call) -> User:
    name = call.params["userid"]
    if name not in call.cluster.users:
        raise refuse(f"no such user ('{name}')")
    return call.cluster.users[name]


@answers("GET", "/access/users/{userid}")
def read_user(call: Call) -> Data:
    user = find_user(call)
    return {**_shown(user), "groups": sorted(user.groups), "tokens": {name: _info(token) for name, token in _tokens(user)}}


@answers("POST", "/access/users")
def create_user(call: Call) -> Data:
    name = call.params["userid"]
    with user_file(call.cluster, "create user failed"):
        if name in call.cluster.users:
            raise refuse(f"user '{name}' already exists")
        realm = name.rpartition("@")[2]
        if "password" in call.params and realm not in REALMS:
            raise refuse(f"authentication domain '{realm}' does not exist")
        user = User(name, call.get("password", ""))
        _set(call, user)
        call.cluster.users[name] = user


@answers("PUT", "/access/users/{userid}")
def change_user(call: Call) -> Data:
    with user_file(call.cluster, "update user failed"):
        _set(call, find_user(call))


def _set(call: Call, user: User) -> None:
    """What is given; groups are set anew unless they are to be appended."""
    groups = split_list(call.get("groups", ""))
    for group in groups:
        if group not in call.cluster.groups:
            raise refuse(f"no such group '{group}'")
    user.enable, user.expire = bool(call.get("enable", user.enable)), call.get("expire", user.expire)
    if "groups" in call.params:
        user.groups = sorted({*groups, *(user.groups if call.get("append") else ())})
    user.details |= {name: call.params[name] for name in DETAILS if name in call.params}


@answers("DELETE", "/access/users/{userid}")
def delete_user(call: Call) -> Data:
    cluster, name = call.cluster, call.params["userid"]
    with user_file(cluster, "delete user failed"):
        cluster.users.pop(name, None)
        cluster.grants = [grant for grant in cluster.grants if grant.who != name and not grant.who.startswith(f"{name}!")]


# Tokens.


@answers("GET", "/access/users/{userid}/token")
def list_tokens(call: Call) -> Data:
    return [{"tokenid": name, **_info(token)} for name, token in _tokens(find_user(call))]


def find_token(call: Call) -> Token:
    user, name = find_user(call), call.params["tokenid"]
    if name not in user.tokens:
        raise refuse(f"no such token '{name}' for user '{user.id}'")
    return user.tokens[name]


@answers("GET", "/access/users/{userid}/token/{tokenid}")
def read_token(call: Call) -> Data:
    return _info(find_token(call))


@answers("POST", "/access/users/{userid}/token/{tokenid}")
def create_token(call: Call) -> Data:
    """The secret is told only here; numbers are shown as the text that they came as."""
    user, name = find_user(call), call.params["tokenid"]
    if name in user.tokens:
        raise wrong({"tokenid": "Token already exists."})
    token = Token(str(uuid.uuid4()))
    with user_file(call.cluster, "generating token failed"):
        _set_token(call, token)
        user.tokens[name] = token
    given = {key: str(call.params[key]) for key in ("expire", "comment") if call.get(key) not in (None, "")}
    return {"value": token.secret, "full-tokenid": f"{user.id}!{name}", "info": {"privsep": str(int(token.privsep)), **given}}


@answers("PUT", "/access/users/{userid}/token/{tokenid}")
def change_token(call: Call) -> Data:
    token, more = find_token(call), dict[str, str]()
    with user_file(call.cluster, "updating token info failed"):
        _set_token(call, token)
        if "comment" in split_list(call.get("delete", "")):
            token.comment = ""
        if call.get("regenerate"):
            token.secret = str(uuid.uuid4())
            more = {"value": token.secret, "full-tokenid": f"{call.params['userid']}!{call.params['tokenid']}"}
    return {**_info(token), **more}


def _set_token(call: Call, token: Token) -> None:
    token.privsep, token.expire = bool(call.get("privsep", token.privsep)), call.get("expire", token.expire)
    token.comment = call.get("comment") or token.comment


@answers("DELETE", "/access/users/{userid}/token/{tokenid}")
def delete_token(call: Call) -> Data:
    cluster, who = call.cluster, f"{call.params['userid']}!{call.params['tokenid']}"
    find_token(call)
    with user_file(cluster, "deleting token failed"):
        del find_user(call).tokens[call.params["tokenid"]]
        cluster.grants = [grant for grant in cluster.grants if grant.who != who]
