"""Snapshots beyond the recorded scenarios: mounts, pending options, locks while they are made, other storages."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import lab
import pytest
from lab.client import Client
from lab.guests.runtime import RuntimeFailure
from lab.model import Storage

TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local-btrfs:1", "features": "nesting=1", "vmid": 103}
GUEST = "/nodes/pve/lxc/103"


@pytest.fixture
def made(client: Client) -> Client:
    """Container 103 is there, stopped."""
    assert client.done("POST /nodes/pve/lxc", **NEW) == "OK"
    return client


def config(client: Client) -> dict[str, object]:
    return dict(client.data(f"GET {GUEST}/config"))


@contextmanager
def slow(server: lab.Lab, method: str) -> Iterator[threading.Event]:
    """Hold the runtime's method up until the event is set."""
    runtime, go, entered = server.cluster.runtime, threading.Event(), threading.Event()
    original = getattr(runtime, method)

    def wait(*arguments: object) -> object:
        entered.set()
        assert go.wait(10)
        return original(*arguments)

    setattr(runtime, method, wait)
    yield entered
    go.set()


def test_a_disk_made_since_a_snapshot_is_left_unused_by_the_rollback(made: Client) -> None:
    assert made.done(f"POST {GUEST}/snapshot", snapname="before") == "OK"
    made.data(f"PUT {GUEST}/config", mp0="local-btrfs:1,mp=/data", onboot=1)
    assert made.done(f"POST {GUEST}/snapshot/before/rollback") == "OK"
    found = config(made)
    assert found["unused0"] == "local-btrfs:103/vm-103-disk-1.raw"
    assert not {"mp0", "onboot"} & set(found)


def test_a_disk_in_a_snapshot_only_becomes_unused_when_the_snapshot_goes(made: Client) -> None:
    made.data(f"PUT {GUEST}/config", mp0="local-btrfs:1,mp=/data")
    assert made.done(f"POST {GUEST}/snapshot", snapname="with") == "OK"
    made.data(f"PUT {GUEST}/config", delete="mp0")
    assert "unused0" not in config(made)
    assert made.done(f"DELETE {GUEST}/snapshot/with") == "OK"
    assert config(made)["unused0"] == "local-btrfs:103/vm-103-disk-1.raw"


def test_a_rollback_gives_a_disk_its_size_back(made: Client) -> None:
    assert made.done(f"POST {GUEST}/snapshot", snapname="small") == "OK"
    assert made.done(f"PUT {GUEST}/resize", disk="rootfs", size="+1G") == "OK"
    assert made.done(f"POST {GUEST}/snapshot/small/rollback") == "OK"
    assert str(config(made)["rootfs"]).endswith("size=1G")
    assert [each["size"] for each in made.data("GET /nodes/pve/storage/local-btrfs/content", vmid=103)] == [1024**3]


def test_the_config_is_locked_while_a_snapshot_is_made(server: lab.Lab, made: Client) -> None:
    with slow(server, "snapshot") as entered:
        task = made.data(f"POST {GUEST}/snapshot", snapname="long")
        assert entered.wait(5)
        assert config(made)["lock"] == "snapshot"
        shown = {each["name"]: each for each in made.data(f"GET {GUEST}/snapshot")}
        assert shown["long"]["snapstate"] == "prepare"
        assert made(f"PUT {GUEST}/config", onboot=1).reason == "CT is locked (snapshot)"
        assert made.done(f"POST {GUEST}/snapshot", snapname="second") == "CT is locked (snapshot)"
        assert made.done(f"POST {GUEST}/snapshot/long/rollback").startswith("unable to rollback to incomplete snapshot")
    assert made.wait(task) == "OK"
    assert "lock" not in config(made)


def test_nothing_is_left_of_a_snapshot_that_fails(server: lab.Lab, made: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeFailure("no space left on device")

    monkeypatch.setattr(server.cluster.runtime, "snapshot", fail)
    before = config(made)
    assert made.done(f"POST {GUEST}/snapshot", snapname="full") == "no space left on device"
    assert config(made) == before
    assert [each["name"] for each in made.data(f"GET {GUEST}/snapshot")] == ["current"]


def test_a_snapshot_of_the_same_name_can_be_made_again_after_its_deletion(made: Client) -> None:
    for name in ("one", "two"):
        assert made.done(f"POST {GUEST}/snapshot", snapname=name) == "OK"
    assert made.done(f"DELETE {GUEST}/snapshot/one") == "OK"
    assert made.done(f"POST {GUEST}/snapshot", snapname="one") == "OK"
    parents = {each["name"]: each.get("parent") for each in made.data(f"GET {GUEST}/snapshot")}
    assert parents == {"two": None, "one": "two", "current": "one"}


def test_the_description_of_a_snapshot_can_be_emptied(made: Client) -> None:
    assert made.done(f"POST {GUEST}/snapshot", snapname="one", description="text") == "OK"
    made.data(f"PUT {GUEST}/snapshot/one/config", description="")
    assert "description" not in made.data(f"GET {GUEST}/snapshot/one/config")
    assert made.data(f"GET {GUEST}/snapshot")[0]["description"] == ""


def test_zfs_goes_back_to_the_newest_snapshot_only(server: lab.Lab, client: Client) -> None:
    server.cluster.storages["zfs"] = Storage("zfs", "zfspool", ["rootdir"], "/zfs")
    assert client.done("POST /nodes/pve/lxc", **{**NEW, "rootfs": "zfs:1"}) == "OK"
    for name in ("one", "two"):
        assert client.done(f"POST {GUEST}/snapshot", snapname=name) == "OK"
        server.advance(2)
    text = client.done(f"POST {GUEST}/snapshot/one/rollback")
    assert text == "can't rollback, 'one' is not most recent snapshot on 'subvol-103-disk-0'"
    assert client.done(f"POST {GUEST}/snapshot/two/rollback") == "OK"


@pytest.mark.parametrize(
    ("storage", "snapname", "can"),
    [
        ("local-btrfs", "", {"snapshot": 1, "clone": 1, "copy": 1}),
        ("local-btrfs", "one", {"snapshot": 1, "clone": 1, "copy": 1}),
        ("ctdata", "", {"snapshot": 0, "clone": 0, "copy": 1}),
    ],
)
def test_what_a_containers_storage_can_do(client: Client, storage: str, snapname: str, can: dict[str, int]) -> None:
    assert client.done("POST /nodes/pve/lxc", **{**NEW, "rootfs": f"{storage}:1"}) == "OK"
    if snapname:
        assert client.done(f"POST {GUEST}/snapshot", snapname=snapname) == "OK"
    of = {"snapname": snapname} if snapname else {}
    assert {name: client.data(f"GET {GUEST}/feature", feature=name, **of)["hasFeature"] for name in can} == can


def test_what_an_unknown_snapshot_can_do_is_refused(made: Client) -> None:
    assert made(f"GET {GUEST}/feature", feature="clone", snapname="nope").reason == "snapshot 'nope' does not exist"


def test_a_snapshot_needs_the_right_to_it(server: lab.Lab, made: Client, limited: Client) -> None:
    made.data("PUT /pools/labpool", vms=103)
    assert limited(f"GET {GUEST}/snapshot").status_code == 200
    assert limited(f"POST {GUEST}/snapshot", snapname="mine").reason == "Permission check failed (/vms/103, VM.Snapshot)"
