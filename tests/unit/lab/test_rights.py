"""Who may do what: every right in the table of calls, and those that functions ask for besides."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from lab.clock import Clock
from lab.cluster import Cluster
from lab.dispatch import Answer, Request, answer
from lab.model import Grant, Mapping, Pool, Token, User
from lab.registry import find_route
from lab.schema.rights import Need
from lab.schema.table import CallSpec, load_table
from lab.seeding import plant, read_seed

WHO = "ann@pve!t"
IN_PATH = {
    "groupid": "ops",
    "id": "ledger",
    "iface": "vmbr0",
    "newid": "778",
    "node": "pve",
    "pool": "team",
    "poolid": "team",
    "roleid": "Some",
    "snapname": "one",
    "storage": "local",
    "tokenid": "t",
    "upid": "UPID:x",
    "userid": "ann@pve",
    "vmid": "777",
    "volume": "local:iso/x.iso",
}
"""What stands for the parameters in a path; there is no container 777."""


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    """The conformance kit's node, a user without rights, container 102 and storage ctdata in a pool."""
    made = plant(read_seed("conformance")[0], Clock(), tmp_path, {})
    made.users["ann@pve"] = User("ann@pve", tokens={"t": Token("x", privsep=False)})
    made.users["bob@pve"] = User("bob@pve", groups=["ops"])
    made.groups["ops"] = ""
    made.pools["team"] = Pool("team", vms={102}, storages={"ctdata"})
    made.mappings["ledger"] = Mapping("ledger", ["node=pve,path=/tmp"])
    return made


def grant(cluster: Cluster, path: str, privileges: str, propagate: bool = True) -> None:
    """Give the user just these privileges at a path."""
    role = f"Role{len(cluster.roles)}"
    cluster.roles[role] = set(privileges.split())
    cluster.grants.append(Grant(path, "user", "ann@pve", role, propagate))
    cluster.index_grants()


def ask(cluster: Cluster, call: str, params: dict[str, Any] | None = None) -> Answer:
    method, path = call.split()
    return answer(cluster, "pve", WHO, Request(method, path, params or {}))


def declared() -> Iterator[CallSpec]:
    """The calls that declare privileges on one path, and that are answered."""
    for spec in load_table(9).calls.values():
        if isinstance(spec.rights, Need) and spec.rights.kind == "path" and find_route(spec.method, _filled(spec.path)):
            yield spec


def _filled(path: str) -> str:
    return re.sub(r"{([\w-]+)}", lambda part: IN_PATH[part[1]], path)


@pytest.mark.parametrize("spec", tuple(declared()), ids=lambda spec: f"{spec.method} {spec.path}")
def test_a_call_is_refused_without_the_rights_that_it_declares(cluster: Cluster, spec: CallSpec) -> None:
    need = spec.rights
    assert isinstance(need, Need)
    call, place = f"{spec.method} {_filled(spec.path)}", _filled(need.path)
    named = {name: IN_PATH[name] for name in re.findall(r"{([\w-]+)}", need.path) if f"{{{name}}}" not in spec.path}
    text = f"Permission check failed ({place}, {need.privileges[0] if need.every else '|'.join(need.privileges)})"
    assert ask(cluster, call, named).reason == text
    above = place.rpartition("/")[0] or "/"
    if above != place:
        grant(cluster, above, " ".join(need.privileges), propagate=False)
        assert ask(cluster, call, named).reason == text
    grant(cluster, above, need.privileges[-1] if not need.every else " ".join(need.privileges))
    assert ask(cluster, call, named).reason != text


@pytest.mark.parametrize(
    ("path", "privileges", "propagate", "call", "reason"),
    [
        ("/pool/team", "VM.Audit", True, "GET /nodes/pve/lxc/102/config", ""),
        ("/pool/team", "VM.Audit", False, "GET /nodes/pve/lxc/102/config", ""),
        ("/pool", "VM.Audit", True, "GET /nodes/pve/lxc/102/config", ""),
        ("/pool", "VM.Audit", False, "GET /nodes/pve/lxc/102/config", "/vms/102, VM.Audit"),
        ("/pool/team", "VM.Audit", True, "GET /nodes/pve/lxc/100/config", "/vms/100, VM.Audit"),
        ("/pool/team", "Datastore.Audit", True, "GET /nodes/pve/storage/ctdata/status", ""),
        (
            "/pool/team",
            "Datastore.Audit",
            True,
            "GET /nodes/pve/storage/local/status",
            "/storage/local, Datastore.Audit|Datastore.AllocateSpace",
        ),
        ("/", "VM.Audit", True, "GET /nodes/pve/lxc/102/config", ""),
        ("/vms/102", "VM.PowerMgmt", True, "POST /nodes/pve/lxc/102/status/stop", ""),
        ("/vms/102", "VM.PowerMgmt", True, "GET /nodes/pve/lxc/102/config", "/vms/102, VM.Audit"),
    ],
)
def test_rights_come_from_above_and_from_pools(
    cluster: Cluster, path: str, privileges: str, propagate: bool, call: str, reason: str
) -> None:
    grant(cluster, path, privileges, propagate)
    found = ask(cluster, call)
    assert found.reason == f"Permission check failed ({reason})" if reason else found.status != 403


@dataclass(frozen=True)
class Case:
    """A call that asks for rights besides the declared ones; an empty `reason`: it is not refused for them."""

    call: str
    grants: dict[str, str]
    reason: str
    params: dict[str, Any] = field(default_factory=dict)


TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
BACKUP = "local:backup/vzdump-lxc-102-2026_01_01-00_00_00.tar.zst"
NEW = {"vmid": "777", "ostemplate": TEMPLATE, "storage": "ctdata"}
STORE, SPACE, READ = "Permission check failed (/storage/local, {})", "Datastore.AllocateSpace", "Datastore.Audit"
MAKE = {"/vms": "VM.Allocate", "/storage/local": READ, "/storage/ctdata": SPACE}


def refused(text: str) -> str:
    return f"Permission check failed ({text})"


CASES = (
    # Creating: the guest, each option, the template, the storage.
    Case("POST /nodes/pve/lxc", {}, "Permission check failed", NEW),
    Case("POST /nodes/pve/lxc", {"/pool/team": "VM.Allocate"}, "Permission check failed", NEW),
    Case("POST /nodes/pve/lxc", {"/vms": "VM.Allocate"}, refused("/storage/local, Datastore.AllocateSpace|Datastore.Audit"), NEW),
    Case("POST /nodes/pve/lxc", {"/vms": "VM.Allocate", "/storage/local": READ}, refused("/storage/ctdata, Datastore.AllocateSpace"), NEW),
    Case("POST /nodes/pve/lxc", MAKE, "", NEW),
    Case("POST /nodes/pve/lxc", MAKE, refused("pool 'nope' does not exist"), {**NEW, "pool": "nope"}),
    Case("POST /nodes/pve/lxc", MAKE, refused("/vms/777, VM.Config.CPU"), {**NEW, "cores": "2"}),
    Case("POST /nodes/pve/lxc", MAKE, refused("/vms/777, VM.Config.Memory"), {**NEW, "memory": "64"}),
    Case("POST /nodes/pve/lxc", MAKE, refused("/vms/777, VM.Config.Network"), {**NEW, "hostname": "x"}),
    Case("POST /nodes/pve/lxc", MAKE, refused("/vms/777, VM.Config.Options"), {**NEW, "description": "x"}),
    Case("POST /nodes/pve/lxc", MAKE, refused("/vms/777, VM.Config.Disk"), {**NEW, "rootfs": "ctdata:1"}),
    Case("POST /nodes/pve/lxc", MAKE, "", {**NEW, "features": "nesting=1"}),
    Case(
        "POST /nodes/pve/lxc",
        {**MAKE, "/vms": "VM.Allocate VM.Config.Network"},
        refused("/sdn/zones/localnetwork/vmbr0, SDN.Use"),
        {**NEW, "net0": "name=eth0,bridge=vmbr0"},
    ),
    Case(
        "POST /nodes/pve/lxc",
        {**MAKE, "/vms": "VM.Allocate VM.Config.Network", "/sdn/zones/localnetwork": "SDN.Use"},
        "",
        {**NEW, "net0": "name=eth0,bridge=vmbr0"},
    ),
    # A pool's rights make the container and its options, but not its tags.
    Case(
        "POST /nodes/pve/lxc",
        {**MAKE, "/vms": "VM.Audit", "/pool/team": "VM.Allocate VM.Config.Options"},
        "",
        {**NEW, "pool": "team", "description": "x"},
    ),
    Case(
        "POST /nodes/pve/lxc",
        {**MAKE, "/vms": "VM.Audit", "/pool/team": "VM.Allocate VM.Config.Options"},
        refused("/vms/777, VM.Config.Options"),
        {**NEW, "pool": "team", "tags": "x"},
    ),
    # Restoring.
    Case("POST /nodes/pve/lxc", MAKE, STORE.format(SPACE), {**NEW, "ostemplate": BACKUP, "restore": "1"}),
    Case(
        "POST /nodes/pve/lxc",
        {**MAKE, "/storage/local": SPACE},
        refused("/vms/102, VM.Backup"),
        {**NEW, "ostemplate": BACKUP, "restore": "1"},
    ),
    Case(
        "POST /nodes/pve/lxc",
        {**MAKE, "/storage/local": SPACE, "/vms/102": "VM.Backup"},
        "",
        {**NEW, "ostemplate": BACKUP, "restore": "1"},
    ),
    Case(
        "POST /nodes/pve/lxc",
        {"/vms/102": "VM.Backup", "/storage/ctdata": SPACE},
        "",
        {**NEW, "vmid": "102", "ostemplate": BACKUP, "restore": "1", "force": "1"},
    ),
    # Backing up.
    Case("POST /nodes/pve/vzdump", {"/vms": "VM.Backup"}, STORE.format(SPACE), {"vmid": "102", "storage": "local"}),
    Case("POST /nodes/pve/vzdump", {"/storage/local": SPACE}, "", {"vmid": "102", "storage": "local"}),
    Case("POST /nodes/pve/vzdump", {}, STORE.format(SPACE), {"vmid": "102"}),
    Case("POST /nodes/pve/vzdump", {"/storage": SPACE}, refused("/, Sys.Modify"), {"vmid": "102", "storage": "local", "bwlimit": "9"}),
    Case("POST /nodes/pve/vzdump", {"/storage": SPACE}, refused("/, Sys.Modify"), {"vmid": "102", "storage": "local", "ionice": "8"}),
    Case(
        "POST /nodes/pve/vzdump", {"/storage": SPACE}, STORE.format("Datastore.Allocate"), {"vmid": "102", "prune-backups": "keep-last=1"}
    ),
    Case("POST /nodes/pve/vzdump", {"/storage": SPACE}, "Parameter verification failed.", {"vmid": "102", "job-id": "x"}),
    Case("GET /nodes/pve/vzdump/defaults", {}, STORE.format(f"{READ}|{SPACE}")),
    Case("GET /nodes/pve/vzdump/extractconfig", {"/storage/local": SPACE}, refused("/vms/102, VM.Backup"), {"volume": BACKUP}),
    # What lies on storages.
    Case(f"GET /nodes/pve/storage/local/content/{BACKUP}", {"/storage/local": READ}, STORE.format(SPACE)),
    Case(f"PUT /nodes/pve/storage/local/content/{BACKUP}", {"/storage/local": SPACE}, refused("/vms/102, VM.Backup"), {"notes": "x"}),
    Case(f"PUT /nodes/pve/storage/local/content/{BACKUP}", {"/storage/local": SPACE, "/vms": "VM.Backup"}, "", {"notes": "x"}),
    Case(f"DELETE /nodes/pve/storage/local/content/{BACKUP}", {}, STORE.format(SPACE)),
    Case(f"DELETE /nodes/pve/storage/local/content/{BACKUP}", {"/storage/local": SPACE}, refused("/vms/102, VM.Backup")),
    Case(f"DELETE /nodes/pve/storage/local/content/{BACKUP}", {"/storage/local": SPACE, "/vms": "VM.Backup"}, ""),
    Case(f"DELETE /nodes/pve/storage/local/content/{TEMPLATE}", {"/storage/local": SPACE}, STORE.format("Datastore.Allocate")),
    Case(f"GET /nodes/pve/storage/local/content/{TEMPLATE}", {}, STORE.format(f"{SPACE}|{READ}")),
    Case("DELETE /nodes/pve/storage/local/prunebackups", {"/storage/local": SPACE}, STORE.format("Datastore.Allocate")),
    Case("DELETE /nodes/pve/storage/local/prunebackups", {"/storage/local": SPACE}, refused("/vms/102, VM.Backup"), {"vmid": "102"}),
    Case(
        "POST /nodes/pve/storage/local/download-url",
        {"/storage/local": "Datastore.AllocateTemplate"},
        "Permission check failed",
        {"content": "vztmpl", "filename": "x.tar", "url": "http://127.0.0.1:9/x"},
    ),
    Case(
        "POST /nodes/pve/storage/local/download-url",
        {"/storage/local": "Datastore.AllocateTemplate", "/nodes": "Sys.AccessNetwork"},
        "",
        {"content": "vztmpl", "filename": "x.tar", "url": "http://127.0.0.1:9/x"},
    ),
    Case("GET /nodes/pve/query-url-metadata", {"/nodes/pve": "Sys.Audit"}, "Permission check failed", {"url": "http://127.0.0.1:9/x"}),
    # Pools: each member asks for a right of its own, and the refusal is that of the file.
    Case("PUT /pools/team", {"/pool/team": "Pool.Allocate"}, "", {"comment": "x"}),
    Case(
        "PUT /pools/team",
        {"/pool/team": "Pool.Allocate"},
        "update pools failed: 403 Permission check failed (/vms/100, Permissions.Modify|VM.Allocate)",
        {"vms": "100"},
    ),
    Case("PUT /pools/team", {"/pool/team": "Pool.Allocate", "/vms": "VM.Allocate"}, "", {"vms": "100"}),
    Case(
        "PUT /pools/labpool",
        {"/pool/labpool": "Pool.Allocate", "/vms": "VM.Allocate"},
        "update pools failed: 403 Permission check failed (/pool/team, Pool.Allocate)",
        {"vms": "102", "allow-move": "1"},
    ),
    Case(
        "PUT /pools/team",
        {"/pool/team": "Pool.Allocate"},
        "update pools failed: 403 Permission check failed (/storage/local, Permissions.Modify|Datastore.Allocate)",
        {"storage": "local"},
    ),
    Case("GET /pools", {}, refused("/pool/team, Pool.Audit"), {"poolid": "team"}),
    # Mappings: one may be changed by those who may not make one.
    Case("PUT /cluster/mapping/dir/ledger", {"/mapping/dir/ledger": "Mapping.Modify"}, "", {"map": "node=pve,path=/tmp"}),
    Case(
        "POST /cluster/mapping/dir",
        {"/mapping/dir/ledger": "Mapping.Modify"},
        refused("/mapping/dir, Mapping.Modify"),
        {"id": "other", "map": "node=pve,path=/tmp"},
    ),
    Case("GET /cluster/mapping/dir/ledger", {"/mapping": "Mapping.Audit"}, ""),
    Case("GET /cluster/mapping/dir/ledger", {"/mapping": "Mapping.Audit", "/mapping/dir/ledger": "VM.Audit"}, "Permission check failed"),
    # Grants: nobody gives what is not theirs.
    Case(
        "PUT /access/acl",
        {},
        refused("/vms/100, Permissions.Modify|VM.Allocate"),
        {"path": "/vms/100", "roles": "PVEVMUser", "users": "x@pve"},
    ),
    Case(
        "PUT /access/acl",
        {"/vms": "VM.Allocate"},
        "ACL update failed: 400 Parameter verification failed. role: Cannot add role 'PVETemplateUser' - "
        "requires 'Permissions.Modify' or superset of privileges.",
        {"path": "/vms/100", "roles": "PVETemplateUser", "users": "alice@pve"},
    ),
    Case(
        "PUT /access/acl",
        {"/vms": "VM.Allocate VM.Audit VM.Clone"},
        "",
        {"path": "/vms/100", "roles": "PVETemplateUser", "users": "alice@pve"},
    ),
    # Who one is.
    Case("GET /access/permissions", {}, refused("/access, Sys.Audit"), {"userid": "alice@pve"}),
    Case("POST /access/roles", {"/": "Permissions.Modify"}, refused("/access, Sys.Modify"), {"roleid": "Mine"}),
    Case("POST /access/users/ann@pve/token/more", {}, "Permission check failed"),
    Case("GET /cluster/backup-info", {"/": "Sys.Audit"}, refused("user != root@pam")),
    Case("PUT /access/acl", {}, "Parameter verification failed.", {"path": "/a b", "roles": "PVEAdmin", "users": "x@pve"}),
    # Users: by their groups, or all of them.
    Case("GET /access/users/none@pve", {}, "no such user ('none@pve')"),
    Case("POST /access/users", {"/access/realm": "Realm.AllocateUser"}, refused("/access/groups, User.Modify"), {"userid": "x@pve"}),
    Case(
        "POST /access/users",
        {"/access/realm": "Realm.AllocateUser"},
        refused("/access/groups/ops, User.Modify"),
        {"userid": "x@pve", "groups": "ops"},
    ),
    Case(
        "POST /access/users",
        {"/access/realm/pve": "Realm.AllocateUser", "/access/groups/ops": "User.Modify"},
        "",
        {"userid": "x@pve", "groups": "ops"},
    ),
    Case("GET /access/users/alice@pve", {}, "Permission check failed"),
    Case("GET /access/users/alice@pve", {"/access/groups/ops": "User.Modify"}, "Permission check failed"),
    Case("GET /access/users/bob@pve", {"/access/groups/ops": "Sys.Audit"}, ""),
    Case("PUT /access/users/bob@pve", {"/access/groups/ops": "User.Modify"}, refused("/access/groups, User.Modify"), {"comment": "x"}),
    Case("PUT /access/users/bob@pve", {"/access/groups/ops": "User.Modify"}, "", {"groups": "ops"}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.call} {' '.join(case.params)}: {case.reason or 'allowed'}")
def test_functions_ask_for_more(cluster: Cluster, case: Case) -> None:
    for path, privileges in case.grants.items():
        grant(cluster, path, privileges)
    found = ask(cluster, case.call, case.params)
    if case.reason:
        assert found.reason == case.reason
    else:
        assert "Permission" not in found.reason


def test_lists_leave_out_what_one_may_not_see(cluster: Cluster) -> None:
    for call in (
        "GET /pools",
        "GET /nodes/pve/lxc",
        "GET /nodes/pve/storage",
        "GET /cluster/mapping/dir",
        "GET /access/acl",
        "GET /access/groups",
    ):
        assert ask(cluster, call).body == {"data": []}, call
    grant(cluster, "/pool/team", "Pool.Audit VM.Audit Datastore.Audit")
    found = {call: ask(cluster, call).body or {} for call in ("GET /pools", "GET /nodes/pve/lxc", "GET /nodes/pve/storage")}
    assert [item["poolid"] for item in found["GET /pools"]["data"]] == ["team"]
    assert [item["vmid"] for item in found["GET /nodes/pve/lxc"]["data"]] == [102]
    assert [item["storage"] for item in found["GET /nodes/pve/storage"]["data"]] == ["ctdata"]


def test_permissions_tell_path_by_path_what_one_holds_and_whether_it_goes_on(cluster: Cluster) -> None:
    grant(cluster, "/pool/team", "VM.Audit")
    grant(cluster, "/vms/100", "VM.Backup", propagate=False)
    found = (ask(cluster, "GET /access/permissions").body or {})["data"]
    assert found == {
        "/pool/team": {"VM.Audit": 1},
        "/storage/ctdata": {"VM.Audit": 0},
        "/vms/100": {"VM.Backup": 0},
        "/vms/102": {"VM.Audit": 0},
    }
