"""Clones and templates beyond the recorded scenarios: locks meanwhile, other storages, what fails half-way, who may."""

from __future__ import annotations

import time
from collections.abc import Callable

import lab
import pytest
from lab.client import Client
from lab.guests.runtime import RuntimeFailure
from lab.model import Grant, Storage

TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local-btrfs:1", "features": "nesting=1", "vmid": 103}
GUEST, COPY = "/nodes/pve/lxc/103", "/nodes/pve/lxc/104"
CLONE = f"POST {GUEST}/clone"


@pytest.fixture
def made(client: Client) -> Client:
    """Container 103 is there, stopped, with a second disk."""
    assert client.done("POST /nodes/pve/lxc", **NEW, mp0="ctdata:2,mp=/data,backup=1", net0="name=eth0,bridge=vmbr0,ip=dhcp") == "OK"
    return client


def config(client: Client, guest: str = COPY) -> dict[str, object]:
    return dict(client.data(f"GET {guest}/config"))


def become_template(client: Client) -> None:
    """The call answers at once, and the work is a task of its own."""
    client.data(f"POST {GUEST}/template")
    end = time.monotonic() + 10
    while "template" not in config(client, GUEST) and time.monotonic() < end:
        time.sleep(0.01)


def test_every_disk_is_copied_and_keeps_its_options(made: Client) -> None:
    assert made.done(CLONE, newid=104) == "OK"
    before, found = config(made, GUEST), config(made)
    assert found["mp0"] == "ctdata:104/vm-104-disk-0.raw,mp=/data,backup=1,size=2G"
    assert str(found["net0"]).split("hwaddr=")[1] != str(before["net0"]).split("hwaddr=")[1]
    assert made.done(f"DELETE {COPY}") == "OK"
    assert made.data("GET /nodes/pve/storage/ctdata/content", vmid=104) == []
    assert len(made.data("GET /nodes/pve/storage/ctdata/content", vmid=103)) == 1


def test_the_source_and_the_copy_are_locked_until_the_clone_is_done(made: Client, hurried: Callable[[str], str]) -> None:
    task = made.data(CLONE, newid=104, bwlimit=100)
    assert config(made, GUEST)["lock"] == "disk"
    assert config(made)["lock"] == "create"
    assert made(f"PUT {GUEST}/config", onboot=1).reason == "CT is locked (disk)"
    assert made(CLONE, newid=105).reason == "CT is locked (disk)"
    assert made(f"DELETE {COPY}").reason == "CT is locked (create)"
    assert made("POST /nodes/pve/lxc", **{**NEW, "vmid": 104}).reason == "CT 104 already exists on node 'pve'"
    assert hurried(task) == "OK"
    assert "lock" not in {**config(made), **config(made, GUEST)}


def test_a_clone_that_is_stopped_leaves_nothing(made: Client) -> None:
    task = made.data(CLONE, newid=104, bwlimit=1)
    made.data(f"DELETE /nodes/pve/tasks/{task}")
    assert made.wait(task) == "clone failed: interrupted by signal"
    assert made(f"GET {COPY}/config").reason == "Configuration file 'nodes/pve/lxc/104.conf' does not exist"
    assert "lock" not in config(made, GUEST)
    for storage in ("ctdata", "local-btrfs"):
        assert made.data(f"GET /nodes/pve/storage/{storage}/content", vmid=104) == []


def test_a_clone_that_fails_leaves_nothing(server: lab.Lab, made: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeFailure("no space left on device")

    monkeypatch.setattr(server.cluster.runtime, "clone", fail)
    assert made.done(CLONE, newid=104, pool="labpool") == "clone failed: no space left on device"
    assert made.data("GET /cluster/nextid", vmid=104) == "104"
    assert made.data("GET /pools/labpool")["members"] == []


def test_pending_options_are_not_copied(made: Client) -> None:
    assert made.done(f"POST {GUEST}/status/start") == "OK"
    made.data(f"PUT {GUEST}/config", tty=4)
    assert made.done(f"POST {GUEST}/status/stop") == "OK"
    assert config(made, GUEST)["tty"] == 4
    assert made.done(CLONE, newid=104) == "OK"
    assert "tty" not in config(made)


def test_a_clone_of_a_snapshot_is_free_of_what_makes_it_a_snapshot(made: Client) -> None:
    made.data(f"PUT {GUEST}/config", delete="mp0")
    assert made.done(f"POST {GUEST}/snapshot", snapname="one") == "OK"
    assert made.done(f"POST {GUEST}/snapshot", snapname="two", description="second") == "OK"
    assert made.done(CLONE, newid=104, snapname="two", description="mine") == "OK"
    found = config(made)
    assert found["description"] == "mine\n"
    assert not {"parent", "snaptime", "snapstate", "unused0", "lock"} & set(found)
    assert [each["name"] for each in made.data(f"GET {COPY}/snapshot")] == ["current"]


def test_on_zfs_only_templates_are_linked_and_stay_until_their_clones_go(server: lab.Lab, client: Client) -> None:
    server.cluster.storages["zfs"] = Storage("zfs", "zfspool", ["rootdir"], "/zfs")
    assert client.done("POST /nodes/pve/lxc", **{**NEW, "rootfs": "zfs:1"}) == "OK"
    assert client(CLONE, newid=104, full=0).reason == "Linked clone feature for 'zfs:subvol-103-disk-0' is not available"
    become_template(client)
    assert client.done(CLONE, newid=104) == "OK"
    assert config(client)["rootfs"] == "zfs:basevol-103-disk-0/subvol-104-disk-0,size=1G"
    assert client.done(f"DELETE {GUEST}") == "base volume 'basevol-103-disk-0' is still in use by linked clones"
    client.data(f"PUT {COPY}/config", mp0="zfs:1,mp=/data")
    assert config(client)["mp0"] == "zfs:subvol-104-disk-1,mp=/data,size=1G"
    assert client.done(f"DELETE {COPY}") == "OK"
    assert client.done(f"DELETE {GUEST}") == "OK"
    assert client.data("GET /nodes/pve/storage/zfs/content") == []


def test_a_template_in_a_directory_is_copied_in_full_only(client: Client) -> None:
    assert client.done("POST /nodes/pve/lxc", **{**NEW, "rootfs": "ctdata:1"}) == "OK"
    become_template(client)
    assert client(CLONE, newid=104).reason == "Linked clone feature for 'ctdata:103/base-103-disk-0.raw' is not available"
    assert client.done(CLONE, newid=104, full=1) == "OK"
    assert config(client)["rootfs"] == "ctdata:104/vm-104-disk-0.raw,size=1G"


def test_a_running_container_becomes_no_template(client: Client) -> None:
    reason = client("POST /nodes/pve/lxc/100/template").reason
    assert reason == "you can't convert a CT to template if the CT is running"


def test_bind_mounts_are_not_cloned(server: lab.Lab, made: Client) -> None:
    server.cluster.guests[103].config["mp1"] = "/srv/data,mp=/srv"
    assert made(CLONE, newid=104).reason == "unable to clone mountpoint 'mp1' (type bind)"


def test_a_clone_needs_rights_to_the_storage_the_bridge_and_the_new_id(server: lab.Lab, made: Client, limited: Client) -> None:
    cluster = server.cluster
    cluster.roles["Cloner"] = {"VM.Clone"}
    cluster.roles["Maker"] = {"VM.Allocate"}

    def grant(path: str, role: str) -> None:
        cluster.grants.append(Grant(path, "user", "alice@pve", role))
        cluster.index_grants()

    grant("/vms/103", "Cloner")
    assert limited(CLONE, newid=104).reason == "Permission check failed"
    assert limited(CLONE, newid=104, pool="labpool").reason == "Permission check failed"
    grant("/pool/labpool", "Maker")
    assert limited(CLONE, newid=104).reason == "Permission check failed"
    reason = limited(CLONE, newid=104, pool="labpool").reason
    assert reason == "Permission check failed (/storage/ctdata, Datastore.AllocateSpace)"
    grant("/storage", "PVEDatastoreUser")
    reason = limited(CLONE, newid=104, pool="labpool").reason
    assert reason == "Permission check failed (/sdn/zones/localnetwork/vmbr0, SDN.Use)"
    grant("/sdn/zones", "PVESDNUser")
    assert limited.done(CLONE, newid=104, pool="labpool") == "OK"
    assert "lock" not in config(made, GUEST)
