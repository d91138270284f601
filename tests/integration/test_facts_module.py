"""What proximity_facts tells of a lab, in how many calls, and with which tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.modules import proximity_facts
from integration.fleet import grow_fleet, plant_app
from integration.pve import Pve
from integration.running import run_module

Facts = Callable[..., dict[str, Any]]
EVERYTHING = ["connection", "version", "quorum", "health", "nodes", "storages", "apps", "unmanaged", "ports"]


@pytest.fixture
def facts(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Facts:
    return lambda **params: run_module(proximity_facts, {**connection, **params}, capsys, monkeypatch)


@pytest.fixture
def three(lab: labs.Lab) -> labs.Lab:
    """Anna's, a stopped one of Ben's, and a container of somebody's own."""
    plant_app(lab, 8100, "feeds")
    plant_app(lab, 8101, "code", running=False)
    plant_app(lab, 8102, "own", ours=False, tags="backup")
    return lab


def test_everything_at_5000_guests_takes_five_calls(lab: labs.Lab, facts: Facts, pve: Pve) -> None:
    grow_fleet(lab)
    pve.post("/pools", poolid="proximity-ports")
    lab.journal_book.clear()
    result = facts()
    assert result["calls"] == {"reads": 5, "writes": 0, "polls": 0}
    assert len(lab.journal()) == 5
    assert lab.journal()[-1].path == "/cluster/mapping/dir"
    cluster = result["cluster"]
    assert (len(cluster["apps"]), len(cluster["unmanaged"]), len(cluster["nodes"])) == (4500, 500, 16)
    assert sum(node["containers"] for node in cluster["nodes"]) == 5000
    assert cluster["ports"]["public"] == {"first": 8100, "last": 8999, "used": 900, "free": 0}


def test_what_is_told(three: labs.Lab, facts: Facts) -> None:
    result = facts()
    cluster = result["cluster"]
    assert not result["changed"]
    assert set(cluster) == {*EVERYTHING, "denied"}
    assert cluster["version"]["release"] == "9.2"
    assert cluster["connection"]["who"] == "token proximity@pve!demo"
    assert cluster["connection"]["lab"] is True
    assert cluster["health"]["ok"], cluster["health"]["problems"]
    feeds, code = cluster["apps"]
    assert (feeds["name"], feeds["status"], feeds["entry"], feeds["ports"]) == (
        "feeds",
        "running",
        "miniflux",
        {"public": 8100, "internal": 9100},
    )
    assert (code["name"], code["status"], code["usage"]["memory_max_mb"]) == ("code", "stopped", 512)
    assert (feeds["owner"], feeds["record"], feeds["address"]) == (None, None, None)
    assert [each["name"] for each in cluster["unmanaged"]] == ["own"]
    assert [(pair["public"], pair["name"]) for pair in cluster["ports"]["pairs"]] == [(8100, "feeds"), (8101, "code"), (8102, "own")]
    assert {each["name"] for each in cluster["storages"]} == {"local", "local-lxc"}
    assert cluster["nodes"][0]["containers_running"] == 2


def test_a_check_tells_the_same(three: labs.Lab, facts: Facts) -> None:
    wanted = ["version", "apps", "unmanaged", "ports"]
    assert facts(gather_subset=wanted) == facts(gather_subset=wanted, _ansible_check_mode=True)


def test_records_and_addresses_are_read_of_what_is_asked_for_only(three: labs.Lab, facts: Facts) -> None:
    result = facts(gather_subset=["apps", "records", "addresses"], name=["feeds"])
    (feeds,) = result["cluster"]["apps"]
    assert result["calls"]["reads"] == 3
    assert (feeds["owner"], feeds["url"], feeds["record"]["vmid"]) == ("anna", "http://10.0.0.1:8080/", 8100)
    assert feeds["address"].startswith("10.231.0.")


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({"status": ["stopped"]}, ["code"]),
        ({"catalog_id": ["gitea"]}, ["code"]),
        ({"owner": ["anna"]}, ["feeds"]),
        ({"node": ["pve9"]}, []),
        ({"node": ["pve1"]}, ["feeds", "code", "own"]),
        ({"name": ["code", "own"]}, ["code", "own"]),
        ({"text": "FEED"}, ["feeds"]),
        ({"text": "backup"}, ["own"]),
        ({"text": "8101"}, ["code"]),
    ],
)
def test_filters(three: labs.Lab, facts: Facts, asked: dict[str, Any], names: list[str]) -> None:
    cluster = facts(gather_subset=["apps", "unmanaged"], **asked)["cluster"]
    assert [each["name"] for each in (*cluster["apps"], *cluster["unmanaged"])] == names


def test_a_copy_is_told_from_its_app(three: labs.Lab, facts: Facts, pve: Pve) -> None:
    original = pve.config(8100)
    plant_app(three, 8500, "feeds-copy", ours=False, tags=original["tags"], description=original["description"])
    cluster = facts(gather_subset=["apps", "copies"])["cluster"]
    assert cluster["copies"] == [{"vmid": 8500, "node": "pve1", "name": "feeds-copy", "of": 8100, "app": "feeds"}]
    assert [app["vmid"] for app in cluster["apps"]] == [8100, 8101]


def test_one_guest_that_fails_keeps_its_failure_to_itself(three: labs.Lab, facts: Facts) -> None:
    three.fault("500", path=".*/lxc/8100/.*", reason="broken file", times=99)
    feeds, code = facts(gather_subset=["apps", "records"])["cluster"]["apps"]
    assert "broken file" in feeds["problem"]
    assert (feeds["record"], code["record"]["name"], code["problem"]) == (None, "code", "")


def test_backups_are_counted_from_storages(three: labs.Lab, facts: Facts, pve: Pve) -> None:
    pve.wait(pve.post("/nodes/pve1/vzdump", vmid=8100, storage="local", mode="stop"))
    result = facts(gather_subset=["backups"])
    backups = result["cluster"]["backups"]
    assert (backups["count"], backups["guests"][0]["name"], backups["without"]) == (1, "feeds", ["code"])
    assert result["calls"]["reads"] == 2


def test_reserved_ports_are_in_use(three: labs.Lab, facts: Facts, pve: Pve) -> None:
    page = "proximity ports 1: 8200=shop.htk6z5 8201=old@105.htk6z5"
    pve.post("/cluster/mapping/dir", id="proximity-ports", map="node=ledger,path=/ledger", description=page)
    unannounced = facts(gather_subset=["ports"])
    assert (unannounced["calls"]["reads"], unannounced["cluster"]["ports"]["public"]["used"]) == (1, 3), "nothing tells of reservations"
    pve.post("/pools", poolid="proximity-ports")
    result = facts(gather_subset=["ports"])
    assert result["calls"]["reads"] == 2
    ports = result["cluster"]["ports"]
    assert [(pair["public"], pair["name"], pair["vmid"], pair["by"]) for pair in ports["pairs"][3:]] == [
        (8200, "shop", None, "reserved"),
        (8201, "old", 105, "adopted"),
    ]
    assert ports["internal"] == {"first": 9100, "last": 9999, "used": 5, "free": 895}


def test_an_adopted_container_has_the_pair_that_its_tags_announce(three: labs.Lab, facts: Facts) -> None:
    plant_app(three, 105, "shop", ours=False, tags="proximity;slot-8200;mine")
    cluster = facts(gather_subset=["apps", "ports"])["cluster"]
    (shop,) = [app for app in cluster["apps"] if app["vmid"] == 105]
    assert (shop["ports"], shop["entry"]) == ({"public": 8200, "internal": 9200}, "mine")
    assert cluster["ports"]["pairs"][3:] == [{"public": 8200, "internal": 9200, "name": "shop", "vmid": 105, "by": "adopted"}]
    assert cluster["ports"]["public"]["used"] == 4


def test_a_ledger_that_is_none_leaves_the_rest(three: labs.Lab, facts: Facts, pve: Pve) -> None:
    pve.post("/cluster/mapping/dir", id="proximity-ports", map="node=ledger,path=/ledger", description="somebody's own")
    pve.post("/pools", poolid="proximity-ports")
    cluster = facts(gather_subset=["apps", "ports"])["cluster"]
    assert (len(cluster["apps"]), cluster["ports"]["public"]["used"]) == (2, 3)
    assert "The ledger cannot be read" in cluster["denied"][0]["said"]


def test_settings_are_held_against_the_bridges_of_each_node(three: labs.Lab, facts: Facts) -> None:
    grow_fleet(three, guests=0, nodes=3)
    three.cluster.nodes["pve3"].online = False
    result = facts(gather_subset=["settings"], defaults={"network": {"bridge": "vmbr0"}})
    assert result["calls"]["reads"] == 3, "the list, and one for each node that is online"
    settings = result["cluster"]["settings"]
    assert (settings["ok"], settings["problems"], set(settings["bridges"])) == (True, [], {"pve1", "pve2"})
    wrong = facts(gather_subset=["settings"], defaults={"network": {"bridge": "vmbr9"}})["cluster"]["settings"]
    assert not wrong["ok"]
    assert "Node pve2 has no bridge 'vmbr9' (it has vmbr0): no new app is put there." in wrong["problems"]
    three.cluster.nodes["pve2"].bridges.clear()
    partly = facts(gather_subset=["settings"])["cluster"]["settings"]
    assert (partly["ok"], len(partly["problems"])) == (True, 1)


def test_senseless_settings_are_refused_before_any_call(three: labs.Lab, facts: Facts) -> None:
    three.journal_book.clear()
    result = facts(gather_subset=["settings"], defaults={"network": {"subnet": "10.0.0.0/24", "gateway": "10.9.0.1"}})
    assert "defaults.network.gateway 10.9.0.1 is no host of defaults.network.subnet 10.0.0.0/24: correct one of them." in result["msg"]
    assert three.journal() == []


def test_details_of_nodes(three: labs.Lab, facts: Facts) -> None:
    (node,) = facts(gather_subset=["node_details"])["cluster"]["nodes"]
    assert node["version"].startswith("9.2")
    assert node["kernel"].endswith("-pve")


def test_a_node_that_is_offline_is_a_problem_and_is_not_asked(three: labs.Lab, facts: Facts) -> None:
    grow_fleet(three, guests=0, nodes=2)
    plant_app(three, 8103, "far", node="pve2")
    three.cluster.nodes["pve2"].online = False
    cluster = facts(gather_subset=["health", "apps", "records"])["cluster"]
    assert cluster["health"]["problems"] == ["Node pve2 is offline."]
    assert {app["vmid"]: app["owner"] for app in cluster["apps"]} == {8100: "anna", 8101: "ben", 8103: None}


def test_a_limited_token_is_told_what_it_lacks_and_sees_what_it_may(three: labs.Lab, facts: Facts, pve: Pve) -> None:
    pve.post("/access/roles", roleid="Watcher", privs="VM.Audit,Datastore.Audit")
    pve.post("/access/users", userid="eve@pve")
    secret = pve.post("/access/users/eve@pve/token/look", privsep=0)["value"]
    pve.put("/access/acl", path="/vms", users="eve@pve", roles="Watcher")
    pve.put("/access/acl", path="/storage/local-lxc", users="eve@pve", roles="Watcher")
    result = facts(gather_subset=["all"], api_token_id="eve@pve!look", api_token_secret=secret)
    cluster = result["cluster"]
    assert [app["owner"] for app in cluster["apps"]] == ["anna", "ben"]
    assert [each["name"] for each in cluster["storages"]] == ["local-lxc"]
    assert cluster["nodes"][0]["memory_max_mb"] is None
    assert cluster["quorum"] is None
    assert {each["what"] for each in cluster["denied"]} == {"quorum"}
    rights = cluster["health"]["rights"]
    lacks = {(each["feature"], each["path"]): each["privileges"] for each in rights["missing"]}
    assert lacks["see", "/nodes"] == ["Sys.Audit"]
    assert lacks["power", "/vms"] == ["VM.PowerMgmt"]
    assert lacks["backup", "/vms"] == ["VM.Backup"]
    assert lacks["deploy", "/storage/local-lxc"] == ["Datastore.AllocateSpace"]
    assert lacks["ledger", "/mapping/dir"] == ["Mapping.Modify"]
    assert lacks["ledger", "/pool/proximity-ports"] == ["Pool.Allocate", "Pool.Audit"]
    assert rights["features"]["power"] == "no"
    assert not cluster["health"]["ok"]
    assert "The token may not power: it lacks VM.PowerMgmt on /vms." in cluster["health"]["problems"]


def test_what_is_missing_is_what_proxmox_refuses(three: labs.Lab, facts: Facts, pve: Pve) -> None:
    """With exactly the privileges that were named missing, the feature works."""
    pve.post("/access/users", userid="eve@pve")
    secret = pve.post("/access/users/eve@pve/token/look", privsep=0)["value"]
    eve = {"api_token_id": "eve@pve!look", "api_token_secret": secret, "gather_subset": ["health"]}
    for number, lack in enumerate(facts(**eve)["cluster"]["health"]["rights"]["missing"]):
        pve.post("/access/roles", roleid=f"Part{number}", privs=",".join(lack["privileges"]))
        pve.put("/access/acl", path=lack["path"], users="eve@pve", roles=f"Part{number}")
    again = facts(**eve)["cluster"]["health"]
    assert again["rights"] == {"features": dict.fromkeys(again["rights"]["features"], "yes"), "missing": []}
    assert again["ok"]


def test_a_cluster_that_does_not_answer_fails_the_module(facts: Facts) -> None:
    result = facts(api_port=1, api_retry_s=0)
    assert result["failed"]
    assert "cannot reach https://127.0.0.1:1: Connection refused." in result["msg"]


def test_a_wrong_token_fails_the_module(facts: Facts) -> None:
    result = facts(api_token_secret="00000000-0000-0000-0000-000000000000")
    assert "refuses token proximity@pve!demo" in result["msg"]
