"""Restores beyond the recorded scenarios: over containers in every state, what becomes of disks, failures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lab
import pytest
from lab.client import Client
from lab.guests.runtime import RuntimeFailure
from lab.model import Grant, Pool

NEW, GUEST = "POST /nodes/pve/lxc", "/nodes/pve/lxc/102"


@pytest.fixture
def volid(client: Client) -> str:
    """A backup of container 102, which is stopped and lies on ctdata."""
    assert client.data(f"PUT {GUEST}/config", mp0="ctdata:0.5,mp=/data,backup=1", startup="order=2") is None
    assert client.done("POST /nodes/pve/vzdump", vmid="102", storage="local") == "OK"
    (found,) = client.data("GET /nodes/pve/storage/local/content", content="backup")
    return str(found["volid"])


def restored(client: Client, volid: str, vmid: int = 103, **options: Any) -> str:
    return client.done(NEW, **{"vmid": vmid, "ostemplate": volid, "restore": 1, "storage": "ctdata", **options})


def config(client: Client, vmid: int = 103) -> dict[str, Any]:
    return dict(client.data(f"GET /nodes/pve/lxc/{vmid}/config"))


def test_all_disks_come_back_on_the_storage_that_is_asked_for(client: Client, volid: str) -> None:
    assert restored(client, volid, storage="local-btrfs") == "OK"
    found = config(client)
    assert found["rootfs"] == "local-btrfs:103/vm-103-disk-0.raw,size=2G"
    assert found["mp0"] == "local-btrfs:103/vm-103-disk-1.raw,mp=/data,backup=1,size=512M"


def test_given_disks_are_the_only_ones(client: Client, volid: str) -> None:
    assert restored(client, volid, rootfs="3") == "OK"
    found = config(client)
    assert found["rootfs"] == "ctdata:103/vm-103-disk-0.raw,size=3G"
    assert "mp0" not in found


def test_the_address_is_the_saved_one_unless_it_is_to_be_unique(client: Client, volid: str) -> None:
    assert restored(client, volid) == "OK"
    assert restored(client, volid, vmid=104, unique=1) == "OK"
    assert config(client)["net0"] == config(client, 102)["net0"]
    assert config(client, 104)["net0"] != config(client, 102)["net0"]


def test_a_unique_network_is_the_saved_one_even_where_another_is_given(client: Client, volid: str) -> None:
    assert restored(client, volid, unique=1, net0="name=eth0,bridge=vmbr0") == "OK"
    assert "ip=10.77.0.102/24" in config(client)["net0"]
    assert restored(client, volid, vmid=104, net0="name=eth0,bridge=vmbr0") == "OK"
    assert "ip=" not in config(client, 104)["net0"]


def test_an_old_container_goes_with_its_snapshots_and_disks_and_stays_in_its_pool(client: Client, server: lab.Lab) -> None:
    server.cluster.pools["team"] = Pool("team", vms={100})
    assert client.done("POST /nodes/pve/vzdump", vmid="100", storage="local") == "OK"
    (backup,) = client.data("GET /nodes/pve/storage/local/content", content="backup")
    assert client.done("POST /nodes/pve/lxc/100/snapshot", snapname="one") == "OK"
    assert client.data("PUT /nodes/pve/lxc/100/config", mp0="ctdata:1,mp=/data", hostname="changed") is None
    assert client.done("POST /nodes/pve/lxc/100/status/stop") == "OK"
    assert restored(client, backup["volid"], vmid=100, force=1, storage="local-btrfs") == "OK"
    found = config(client, 100)
    assert (found["hostname"], found["rootfs"]) == ("web1", "local-btrfs:100/vm-100-disk-1.raw,size=2G")
    assert not {"mp0", "unused0", "parent", "lock"} & found.keys()
    assert [each["name"] for each in client.data("GET /nodes/pve/lxc/100/snapshot")] == ["current"]
    for storage, expected in (("ctdata", []), ("local-btrfs", ["local-btrfs:100/vm-100-disk-1.raw"])):
        assert [each["volid"] for each in client.data(f"GET /nodes/pve/storage/{storage}/content", vmid=100)] == expected
    assert server.cluster.pools["team"].vms == {100}


def test_into_another_pool_it_moves(client: Client, server: lab.Lab, volid: str) -> None:
    server.cluster.pools["team"] = Pool("team", vms={102})
    assert restored(client, volid, vmid=102, force=1, pool="labpool") == "OK"
    assert server.cluster.pools["team"].vms == set()
    assert server.cluster.pools["labpool"].vms == {102}


def test_while_it_is_restored_the_old_config_is_locked(server: lab.Lab, client: Client, volid: str, hurried: Callable[[str], str]) -> None:
    server.cluster.lock_wait_s = 0.1
    slow = client.data(NEW, vmid=102, ostemplate=volid, restore=1, force=1, storage="ctdata", bwlimit=1000)
    assert config(client, 102)["lock"] == "create"
    again = client(NEW, vmid=102, ostemplate=volid, restore=1, force=1, storage="ctdata")
    assert again.reason == "unable to restore CT 102 - can't lock file '/run/lock/lxc/pve-config-102.lock' - got timeout"
    assert hurried(slow) == "OK"
    assert "lock" not in config(client, 102)


@pytest.mark.parametrize("lock", ["backup", "migrate"])
def test_a_locked_container_is_not_replaced(client: Client, volid: str, lock: str) -> None:
    assert client.data(f"PUT {GUEST}/config", lock=lock) is None
    found = client(NEW, vmid=102, ostemplate=volid, restore=1, force=1, storage="ctdata")
    assert found.reason == f"unable to restore CT 102 - CT is locked ({lock})"


def test_a_missing_archive_leaves_the_old_container_as_it_was(client: Client, volid: str) -> None:
    before = config(client, 102)
    missing = volid.replace("vzdump-lxc-102-2", "vzdump-lxc-102-1")
    assert restored(client, missing, vmid=102, force=1) == f"unable to restore CT 102 - volume '{missing}' does not exist"
    assert config(client, 102) == before


def test_when_the_old_one_is_gone_a_failure_leaves_nothing(
    server: lab.Lab, client: Client, volid: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise RuntimeFailure("No space left on device")

    monkeypatch.setattr(server.cluster.runtime, "restore", full)
    assert restored(client, volid, vmid=102, force=1) == "unable to restore CT 102 - No space left on device"
    assert client(f"GET {GUEST}/config").reason == "Configuration file 'nodes/pve/lxc/102.conf' does not exist"
    assert client.data("GET /nodes/pve/storage/ctdata/content") == []
    assert client.data("GET /nodes/pve/storage/local/content", content="backup")


def test_a_stopped_restore_leaves_nothing(client: Client, volid: str) -> None:
    upid = client.data(NEW, vmid=103, ostemplate=volid, restore=1, storage="ctdata", bwlimit=1)
    client.data(f"DELETE /nodes/pve/tasks/{upid}")
    assert client.wait(upid).startswith("unable to restore CT 103 - ")
    assert client.data("GET /cluster/nextid") == "103"


def test_without_the_bridge_s_right_the_saved_network_is_refused_within_the_task(
    server: lab.Lab, client: Client, limited: Client, volid: str
) -> None:
    cluster = server.cluster
    cluster.grants += [Grant("/storage", "user", "alice@pve", "PVEDatastoreUser"), Grant("/vms", "user", "alice@pve", "PVEVMAdmin")]
    cluster.index_grants()
    text = "unable to restore CT 103 - 403 Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"
    assert restored(limited, volid) == text
    assert client.data("GET /cluster/nextid") == "103"


def test_features_come_back_that_a_token_could_not_set(server: lab.Lab, client: Client) -> None:
    server.cluster.guests[102].config["features"] = "keyctl=1,nesting=1"
    assert client.done("POST /nodes/pve/vzdump", vmid="102", storage="local") == "OK"
    (backup,) = client.data("GET /nodes/pve/storage/local/content", content="backup")
    assert restored(client, backup["volid"]) == "OK"
    assert config(client)["features"] == "keyctl=1,nesting=1"


def test_a_template_comes_back_as_one(client: Client) -> None:
    assert client.done("POST /nodes/pve/lxc/101/status/stop") == "OK"
    assert client("POST /nodes/pve/lxc/101/template").status_code == 200
    while "template" not in config(client, 101):
        pass
    assert client.done("POST /nodes/pve/vzdump", vmid="101", storage="local") == "OK"
    (backup,) = client.data("GET /nodes/pve/storage/local/content", content="backup")
    assert restored(client, backup["volid"], storage="local-btrfs") == "OK"
    found = config(client)
    assert (found["template"], found["rootfs"]) == (1, "local-btrfs:103/base-103-disk-0.raw,size=2G")


def test_version_8_restores_what_was_saved_though_it_makes_privileged_containers() -> None:
    with lab.start(seed="conformance@8.4") as server:
        client = Client(server.url, server.token, server.ca_path)
        assert client.done("POST /nodes/pve/vzdump", vmid="102", storage="local") == "OK"
        (backup,) = client.data("GET /nodes/pve/storage/local/content", content="backup")
        assert restored(client, backup["volid"]) == "OK"
        assert config(client)["unprivileged"] == 1
        client.close()
