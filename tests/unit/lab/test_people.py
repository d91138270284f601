"""Users, tokens, groups, roles and the ACL, as an administrator sees them."""

from __future__ import annotations

from typing import Any

import lab
import pytest
from lab.client import Client


def test_roles(client: Client) -> None:
    assert client.data("POST /access/roles", roleid="Mine", privs="VM.Audit,VM.Backup") is None
    assert client.data("GET /access/roles/Mine") == {"VM.Audit": 1, "VM.Backup": 1}
    assert client.data("PUT /access/roles/Mine", privs="VM.Clone", append=1) is None
    (listed,) = (role for role in client.data("GET /access/roles") if role["roleid"] == "Mine")
    assert listed == {"roleid": "Mine", "privs": "VM.Audit,VM.Backup,VM.Clone", "special": 0}
    assert client.data("PUT /access/roles/Mine", privs="VM.Clone") is None
    assert client.data("GET /access/roles/Mine") == {"VM.Clone": 1}
    assert client.data("PUT /access/acl", path="/vms", users="alice@pve", roles="Mine") is None
    assert client.data("DELETE /access/roles/Mine") is None
    assert all(grant["roleid"] != "Mine" for grant in client.data("GET /access/acl"))


@pytest.mark.parametrize(
    ("call", "params", "reason"),
    [
        ("POST /access/roles", {"roleid": "Mine", "privs": "VM.Monitor"}, {"privs": "invalid format - invalid privilege 'VM.Monitor'\n"}),
        (
            "POST /access/roles",
            {"roleid": "pveMine"},
            {"roleid": "cannot use role ID starting with the (case-insensitive) 'PVE' namespace"},
        ),
        ("POST /access/roles", {"roleid": "NoAccess"}, "create role failed: role 'NoAccess' already exists"),
        ("PUT /access/roles/PVEAdmin", {"privs": "VM.Audit"}, "auto-generated role 'PVEAdmin' cannot be modified"),
        ("DELETE /access/roles/PVEAdmin", {}, "auto-generated role 'PVEAdmin' cannot be deleted"),
        ("DELETE /access/roles/Nope", {}, "delete role failed: role 'Nope' does not exist"),
        ("GET /access/roles/Nope", {}, "role 'Nope' does not exist"),
        ("PUT /access/roles/Nope", {"privs": "VM.Audit"}, "update role failed: role 'Nope' does not exist"),
        ("POST /access/groups", {"groupid": "ops"}, "create group failed: group 'ops' already exists"),
        ("DELETE /access/groups/nope", {}, "delete group failed: group 'nope' does not exist"),
        ("GET /access/groups/nope", {}, "group 'nope' does not exist"),
        ("GET /access/users/nope@pve", {}, "no such user ('nope@pve')"),
        ("PUT /access/users/nope@pve", {"comment": "x"}, "no such user ('nope@pve')"),
        ("DELETE /access/users/nope@pve", {}, "no such user ('nope@pve')"),
        ("POST /access/users", {"userid": "x@pve", "groups": "nope"}, "create user failed: no such group 'nope'"),
        ("POST /access/users/nope@pve/token/t9", {}, "Permission check failed"),
        ("PUT /access/users/alice@pve/token/no", {"comment": "x"}, "no such token 'no' for user 'alice@pve'"),
        ("PUT /access/acl", {"path": "/vms", "roles": "Nope", "users": "alice@pve"}, "ACL update failed: role 'Nope' does not exist"),
        ("PUT /access/acl", {"path": "/vms", "roles": "PVEAdmin", "users": "x@pve"}, "ACL update failed: user 'x@pve' does not exist"),
        ("PUT /access/acl", {"path": "/vms", "roles": "PVEAdmin", "groups": "no"}, "ACL update failed: group 'no' does not exist"),
        (
            "PUT /access/acl",
            {"path": "/vms", "roles": "PVEAdmin", "tokens": "alice@pve!no"},
            "ACL update failed: no such token 'no' for user 'alice@pve'",
        ),
        ("PUT /access/acl", {"path": "/nope", "roles": "PVEAdmin", "users": "alice@pve"}, {"path": "invalid ACL path '/nope'"}),
        (
            "PUT /access/acl",
            {"path": "/vms", "roles": "PVEAdmin"},
            dict.fromkeys(("users", "groups", "tokens"), "either 'users', 'groups' or 'tokens' is required."),
        ),
    ],
)
def test_what_is_refused(client: Client, call: str, params: dict[str, Any], reason: str | dict[str, str]) -> None:
    client.data("POST /access/groups", groupid="ops")
    found = client(call, **params)
    assert reason in (found.reason, found.json().get("errors"))


def test_version_8_knows_the_privilege_that_9_has_dropped() -> None:
    with lab.start(seed="conformance@8.4") as server:
        client = Client(server.url, server.token, server.ca_path)
        assert client.data("POST /access/roles", roleid="Mine", privs="VM.Monitor") is None
        client.close()


def test_users_and_groups(client: Client) -> None:
    assert client.data("POST /access/groups", groupid="ops", comment="they") is None
    assert client.data("POST /access/users", userid="ann@pve", groups="ops", comment="Ann", email="a@example.org") is None
    assert client.data("GET /access/groups/ops") == {"comment": "they", "members": ["ann@pve"]}
    shown = {"enable": 1, "expire": 0, "comment": "Ann", "email": "a@example.org"}
    assert client.data("GET /access/users/ann@pve") == {**shown, "groups": ["ops"], "tokens": {}}
    assert client.data("PUT /access/users/ann@pve", enable=0, firstname="Ann", comment="") is None
    (listed,) = (user for user in client.data("GET /access/users", enabled=0, full=1) if user["userid"] == "ann@pve")
    assert (listed["enable"], listed["firstname"], listed["groups"], listed["tokens"]) == (0, "Ann", "ops", [])
    assert "comment" not in listed
    assert client.data("DELETE /access/groups/ops") is None
    assert client.data("GET /access/users/ann@pve")["groups"] == []


def test_a_disabled_or_expired_user_s_token_is_none(server: lab.Lab, client: Client, limited: Client) -> None:
    assert client.data("PUT /access/users/alice@pve", enable=0) is None
    assert limited("GET /version").status_code == 401
    assert client.data("PUT /access/users/alice@pve", enable=1, expire=server.cluster.now() + 60) is None
    assert limited("GET /version").status_code == 200
    server.advance(61)
    assert limited("GET /version").status_code == 401


def test_a_user_goes_with_tokens_and_grants(client: Client, limited: Client) -> None:
    assert client.data("PUT /access/acl", path="/vms", tokens="alice@pve!t1", roles="PVEVMUser") is None
    assert client.data("DELETE /access/users/alice@pve") is None
    assert client.data("GET /access/acl") == []
    assert limited("GET /version").status_code == 401


def test_tokens(client: Client, server: lab.Lab) -> None:
    made = client.data("POST /access/users/alice@pve/token/t2", comment="c", expire=0)
    assert made["info"] == {"privsep": "1", "comment": "c", "expire": "0"}
    assert client.data("GET /access/users/alice@pve/token")[1] == {"tokenid": "t2", "privsep": 1, "expire": 0, "comment": "c"}
    other = Client(server.url, f"alice@pve!t2={made['value']}", server.ca_path)
    assert other.data("GET /access/permissions") == {}
    assert client.data("PUT /access/users/alice@pve/token/t2", privsep=0, delete="comment") == {"privsep": 0, "expire": 0}
    assert "/pool/labpool" in other.data("GET /access/permissions")
    again = client.data("PUT /access/users/alice@pve/token/t2", regenerate=1)
    assert again["value"] != made["value"]
    assert other("GET /version").status_code == 401
    other.close()


def test_grants_are_set_and_taken_one_by_one(client: Client, limited: Client) -> None:
    for role in ("PVEAuditor", "PVEVMAdmin"):
        assert client.data("PUT /access/acl", path="/vms//100/", users="alice@pve", roles=role, propagate=0) is None
    here = [grant for grant in client.data("GET /access/acl") if grant["path"] == "/vms/100"]
    assert [(grant["roleid"], grant["ugid"], grant["type"], grant["propagate"]) for grant in here] == [
        ("PVEAuditor", "alice@pve", "user", 0),
        ("PVEVMAdmin", "alice@pve", "user", 0),
    ]
    assert limited("GET /nodes/pve/lxc/100/config").status_code == 200
    assert client.data("PUT /access/acl", path="/vms/100", users="alice@pve", roles="PVEAuditor,PVEVMAdmin", delete=1) is None
    assert limited("GET /nodes/pve/lxc/100/config").status_code == 403


def test_without_quorum_nothing_changes(server: lab.Lab, client: Client) -> None:
    server.cluster.quorate = False
    text = "create user failed: error with cfs lock 'file-user_cfg': no quorum!"
    assert client("POST /access/users", userid="x@pve").reason == text
    assert client("POST /pools", poolid="x").reason.endswith("no quorum!")
    assert client("POST /cluster/mapping/dir", id="reg", map="node=pve,path=/tmp").reason.endswith("no quorum!")
