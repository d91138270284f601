"""Rights along the ACL's paths, through tokens, groups and pools."""

from __future__ import annotations

from pathlib import Path

import pytest
from lab.access import check_declared, missing, normal_path, privileges_at
from lab.clock import Clock
from lab.cluster import Cluster
from lab.errors import Refusal
from lab.model import Grant, Guest, Pool, Token, User
from lab.schema.rights import parse_rights
from lab.seeding import plant


@pytest.fixture
def cluster(tmp_path: Path) -> Cluster:
    made = plant({"nodes": {"pve": None}, "storages": {}}, Clock(), tmp_path, {})
    made.users["ann@pve"] = User("ann@pve", groups=["ops"], tokens={"whole": Token("x", privsep=False), "part": Token("y")})
    made.guests[100] = Guest(100, "pve", {})
    made.pools["team"] = Pool("team", vms={100})
    return made


def grant(cluster: Cluster, *grants: Grant) -> None:
    cluster.grants += grants
    cluster.index_grants()


def test_a_deeper_grant_replaces_those_above(cluster: Cluster) -> None:
    grant(cluster, Grant("/", "user", "ann@pve", "PVEVMAdmin"), Grant("/vms/200", "user", "ann@pve", "PVEAuditor"))
    assert not missing(cluster, "ann@pve", "/vms/201", ("VM.Allocate",))
    assert missing(cluster, "ann@pve", "/vms/200", ("VM.Audit", "VM.Allocate")) == "VM.Allocate"


def test_a_grant_that_does_not_propagate_counts_at_its_path_only(cluster: Cluster) -> None:
    grant(cluster, Grant("/vms", "user", "ann@pve", "PVEAuditor", propagate=False))
    assert "VM.Audit" in privileges_at(cluster, "ann@pve", "/vms")
    assert not privileges_at(cluster, "ann@pve", "/vms/100")


def test_users_come_before_groups(cluster: Cluster) -> None:
    grant(cluster, Grant("/vms", "group", "ops", "PVEVMAdmin"), Grant("/vms", "user", "ann@pve", "PVEAuditor"))
    assert missing(cluster, "ann@pve", "/vms/100", ("VM.Allocate",))


def test_pools_give_rights_unless_there_is_no_access(cluster: Cluster) -> None:
    grant(cluster, Grant("/pool/team", "user", "ann@pve", "PVEVMUser"))
    assert not missing(cluster, "ann@pve", "/vms/100", ("VM.PowerMgmt",))
    assert missing(cluster, "ann@pve", "/vms/101", ("VM.PowerMgmt",))
    grant(cluster, Grant("/vms/100", "user", "ann@pve", "NoAccess"))
    assert missing(cluster, "ann@pve", "/vms/100", ("VM.PowerMgmt",))


def test_tokens_have_their_users_rights_or_fewer(cluster: Cluster) -> None:
    grant(cluster, Grant("/vms", "user", "ann@pve", "PVEAuditor"))
    assert not missing(cluster, "ann@pve!whole", "/vms/100", ("VM.Audit",))
    assert missing(cluster, "ann@pve!part", "/vms/100", ("VM.Audit",))
    grant(cluster, Grant("/vms", "token", "ann@pve!part", "PVEVMAdmin"))
    assert set(privileges_at(cluster, "ann@pve!part", "/vms/100")) == {"VM.Audit", "VM.GuestAgent.Audit"}


def test_only_the_ticket_of_root_is_root(cluster: Cluster) -> None:
    cluster.users["root@pam"] = User("root@pam", tokens={"t": Token("x", privsep=False)})
    assert not missing(cluster, "root@pam", None, ("Pool.Allocate",))
    assert missing(cluster, "root@pam!t", None, ("Pool.Allocate",)) == "Pool.Allocate"
    assert not missing(cluster, "root@pam!t", "/pool/x", ("Pool.Allocate",))


def test_alternatives_are_all_named(cluster: Cluster) -> None:
    with pytest.raises(Refusal, match=r"^Permission check failed \(/vms/100, VM.Snapshot\|VM.Snapshot.Rollback\)$"):
        check_declared(cluster, "ann@pve", parse_rights("/vms/{vmid} VM.Snapshot|VM.Snapshot.Rollback"), {"vmid": "100"})


def test_a_choice_of_paths_names_nothing(cluster: Cluster) -> None:
    rights = parse_rights("/vms/{vmid} VM.Clone and (/vms/{newid} VM.Allocate or /pool/{pool} VM.Allocate given:pool)")
    grant(cluster, Grant("/vms/100", "user", "ann@pve", "PVETemplateUser"))
    with pytest.raises(Refusal, match=r"^Permission check failed$"):
        check_declared(cluster, "ann@pve", rights, {"vmid": "100", "newid": "200"})
    grant(cluster, Grant("/pool/team", "user", "ann@pve", "PVEVMAdmin"))
    check_declared(cluster, "ann@pve", rights, {"vmid": "100", "newid": "200", "pool": "team"})


@pytest.mark.parametrize(("raw", "path"), [("/vms//100/", "/vms/100"), ("", None), ("/pool/bad pool", None)])
def test_paths_are_made_normal(raw: str, path: str | None) -> None:
    assert normal_path(raw) == path
