"""Backups beyond the recorded scenarios: several guests, modes, notes, limits, waiting, stopping, failures."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lab
import pytest
from lab.archives import archive_path
from lab.client import Client
from lab.guests.runtime import RuntimeFailure
from lab.guests.simulated import Script
from lab.model import Grant, Pool

DUMP = "POST /nodes/pve/vzdump"
CONTENT = "GET /nodes/pve/storage/local/content"


def log(client: Client, upid: str) -> list[str]:
    return [line["t"] for line in client.data(f"GET /nodes/{upid.split(':')[1]}/tasks/{upid}/log", limit=0)]


def backups(client: Client, **wanted: Any) -> list[dict[str, Any]]:
    return list(client.data(CONTENT, content="backup", **wanted))


def dumped(client: Client, **options: Any) -> list[str]:
    """Back up, and give the log; the job must end well."""
    upid = client.data(DUMP, **options)
    assert client.wait(upid) == "OK", log(client, upid)
    return log(client, upid)


# Which guests.


def test_several_guests_make_one_task_without_an_id(client: Client) -> None:
    upid = client.data(DUMP, vmid="102,100,101", storage="local")
    assert upid.split(":")[5:7] == ["vzdump", ""]
    assert client.wait(upid) == "OK"
    began = [line for line in log(client, upid) if line.startswith("INFO: Starting Backup")]
    assert began == [f"INFO: Starting Backup of VM {vmid} (lxc)" for vmid in (100, 101, 102)]
    assert {each["vmid"] for each in backups(client)} == {100, 101, 102}


def test_one_missing_guest_does_not_keep_the_others_from_their_turn(client: Client) -> None:
    upid = client.data(DUMP, vmid="777,102", storage="local")
    assert client.wait(upid) == "job errors"
    lines = log(client, upid)
    assert "ERROR: Backup of VM 777 failed - unable to find VM '777'" in lines
    assert lines[-2:] == ["INFO: Backup job finished with errors", "TASK ERROR: job errors"]
    assert [each["vmid"] for each in backups(client)] == [102]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"all": 1}, {100, 101, 102}),
        ({"all": 1, "exclude": "100"}, {101, 102}),
        ({"exclude": "100,102"}, {101}),
        ({"pool": "team"}, {101, 102}),
        ({"pool": "team", "exclude": "101"}, {102}),
    ],
)
def test_all_a_pool_and_what_is_left_out(server: lab.Lab, client: Client, options: dict[str, Any], expected: set[int]) -> None:
    server.cluster.pools["team"] = Pool("team", vms={101, 102, 555})
    dumped(client, storage="local", **options)
    assert {each["vmid"] for each in backups(client)} == expected


@pytest.mark.parametrize(
    ("options", "errors"),
    [
        ({"vmid": "100", "all": 1}, {"all": "option conflicts with option 'vmid'"}),
        ({"vmid": "100", "exclude": "101"}, {"exclude": "option conflicts with option 'vmid'"}),
        ({"vmid": "100", "pool": "labpool"}, {"pool": "option conflicts with option 'vmid'"}),
        ({"vmid": ""}, {"vmid": "property is missing"}),
        ({"vmid": "100", "notes-template": "x"}, {"storage": "missing property required by 'notes-template'"}),
        ({"vmid": "100", "protected": 1}, {"storage": "missing property required by 'protected'"}),
        ({"vmid": "100", "storage": "local", "notes-template": "a\nb"}, {"notes-template": "contains a line feed\n"}),
        (
            {"vmid": "100", "storage": "local", "notes-template": "\\x {{vmid}} {{no}}"},
            {"notes-template": "found unknown: escape sequence '\\x' at char 0, variable 'no' at char 16\n"},
        ),
        (
            {"vmid": "100", "prune-backups": "keep-all=1,keep-last=2"},
            {"prune-backups": "invalid format - keep-all cannot be set together with other options.\n"},
        ),
        ({"vmid": "100", "stdout": 1}, {"stdout": "option is only allowed on the command line interface."}),
        ({"vmid": "100", "tmpdir": "/tmp"}, {"tmpdir": "Only root may set this option."}),
    ],
)
def test_wrong_parameters(client: Client, options: dict[str, Any], errors: dict[str, str]) -> None:
    found = client(DUMP, **options)
    assert (found.status_code, found.json()["errors"]) == (400, errors)


def test_an_unknown_pool(client: Client) -> None:
    assert client(DUMP, pool="nope").reason == "pool 'nope' does not exist"


def test_guests_of_another_node_are_passed_over_in_silence() -> None:
    with lab.start(seed="cluster") as server:
        client = Client(server.url, server.token, server.ca_path)
        template = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
        for vmid, node in ((100, "pve-c1"), (101, "pve-c2")):
            assert client.done(f"POST /nodes/{node}/lxc", vmid=vmid, ostemplate=template, features="nesting=1") == "OK"
        assert client.data("POST /nodes/pve-c1/vzdump", vmid="101", storage="local") == "OK"
        upid = client.data("POST /nodes/pve-c1/vzdump", vmid="100,101", storage="local")
        assert upid.split(":")[6] == "100"
        assert client.wait(upid) == "OK"
        assert [each["vmid"] for each in client.data("GET /nodes/pve-c1/storage/local/content", content="backup")] == [100]
        assert client.data("GET /nodes/pve-c2/storage/local/content", content="backup") == []
        client.close()


def test_without_the_right_to_a_guest_the_job_fails_and_with_all_it_is_left_out(server: lab.Lab, client: Client, limited: Client) -> None:
    cluster = server.cluster
    cluster.grants += [
        Grant("/storage/local", "user", "alice@pve", "PVEDatastoreUser"),
        Grant("/vms/102", "user", "alice@pve", "PVEVMUser"),
    ]
    cluster.index_grants()
    assert limited.done(DUMP, vmid="100,102", storage="local") == "403 Permission check failed (/vms/100, VM.Backup)"
    assert backups(client) == []
    assert limited.done(DUMP, all=1, storage="local") == "OK"
    assert [each["vmid"] for each in backups(client)] == [102]


# How.


def test_where_there_are_no_snapshots_the_guest_is_suspended(client: Client) -> None:
    assert client.done("POST /nodes/pve/lxc/102/status/start") == "OK"
    lines = dumped(client, vmid="102", storage="local", mode="snapshot")
    first = lines.index("INFO: mode failure - some volumes do not support snapshots")
    assert lines[first + 1 : first + 3] == ["INFO: trying 'suspend' mode instead", "INFO: backup mode: suspend"]
    assert lines.index("INFO: suspending guest") < lines.index("INFO: resuming guest")
    assert not any("create storage snapshot" in line for line in lines)


def test_a_disk_that_is_not_saved_need_not_be_snapshotted(client: Client) -> None:
    assert client.data("PUT /nodes/pve/lxc/100/config", mp0="ctdata:1,mp=/data", mp1="local-btrfs:1,mp=/more,backup=1") is None
    lines = dumped(client, vmid="100", storage="local")
    assert "INFO: excluding volume mount point mp0 ('/data') from backup (disabled)" in lines
    assert "INFO: including mount point mp1 ('/more') in backup" in lines
    first = lines.index("INFO: suspend vm to make snapshot")
    assert lines[first + 1 : first + 4] == [
        "INFO: create storage snapshot 'vzdump'",
        "INFO: resume vm",
        "INFO: guest is online again after <1 seconds",
    ]


def test_while_a_snapshot_is_saved_the_config_tells_of_it(client: Client, hurried: Callable[[str], str]) -> None:
    assert client.done("POST /nodes/pve/lxc/100/snapshot", snapname="mine") == "OK"
    upid = client.data(DUMP, vmid="100", storage="local", bwlimit=100)
    end = time.monotonic() + 10
    while client.data("GET /nodes/pve/lxc/100/config").get("parent") != "vzdump" and time.monotonic() < end:
        time.sleep(0.01)
    config = client.data("GET /nodes/pve/lxc/100/config")
    assert (config["lock"], config["parent"]) == ("backup", "vzdump")
    assert [each["name"] for each in client.data("GET /nodes/pve/lxc/100/snapshot")] == ["mine", "vzdump", "current"]
    assert hurried(upid) == "OK"
    config = client.data("GET /nodes/pve/lxc/100/config")
    assert "lock" not in config
    assert config["parent"] == "mine"
    assert [each["name"] for each in client.data("GET /nodes/pve/lxc/100/snapshot")] == ["mine", "current"]


def test_notes_take_variables_and_escapes(client: Client) -> None:
    dumped(client, vmid="102", storage="local", **{"notes-template": r"{{guestname}}\n{{vmid}} \\ {{cluster}}"})
    (found,) = backups(client)
    assert found["notes"] == "files"
    assert client.data(f"GET /nodes/pve/storage/local/content/{found['volid']}")["notes"] == "files\n102 \\ standalone node"


def test_the_command_stands_in_the_log(client: Client) -> None:
    lines = dumped(client, vmid="102", storage="local", compress="zstd", **{"notes-template": "a b"})
    assert lines[0] == "INFO: starting new backup job: vzdump 102 --storage local --compress zstd --notes-template 'a b' --node pve"


@pytest.mark.parametrize(("compress", "unpack"), [("0", "cat"), ("gzip", "gzip -dc"), ("zstd", "zstd -dc"), ("lzo", "lzop -dc")])
def test_the_archive_is_one_and_holds_the_configuration(server: lab.Lab, client: Client, compress: str, unpack: str) -> None:
    if not shutil.which(unpack.split()[0]):
        pytest.skip(f"{unpack.split()[0]} is not installed here")
    dumped(client, vmid="102", storage="local", compress=compress)
    (volume,) = (each for each in server.cluster.volumes.values() if each.content == "backup")
    command = f"{unpack} '{archive_path(server.cluster, volume)}' | tar -xO ./etc/vzdump/pct.conf"
    found = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout
    assert found.startswith("#files test container\n")
    assert "hostname: files\n" in found
    assert client.data("GET /nodes/pve/vzdump/extractconfig", volume=volume.volid) == found


def test_two_backups_of_the_same_second_have_two_names(client: Client) -> None:
    for _ in range(3):
        dumped(client, vmid="102", storage="local")
    assert len({each["volid"] for each in backups(client)}) == 3


# What is kept.


def test_the_storage_s_own_rules_prune_unless_remove_is_off(server: lab.Lab, client: Client) -> None:
    server.cluster.storages["local"].options["prune-backups"] = "keep-last=2"
    for _ in range(3):
        lines = dumped(client, vmid="102", storage="local")
    assert "INFO: pruned 1 backup(s) not covered by keep-retention policy" in lines
    assert len(backups(client)) == 2
    upid = client.data(DUMP, vmid="102", storage="local", remove=0)
    assert client.wait(upid) == "job errors"
    assert any("There is a max backup limit of 2 enforced by the target storage" in line for line in log(client, upid))


def test_other_guests_backups_are_no_business_of_a_job(client: Client) -> None:
    dumped(client, vmid="100", storage="local")
    for _ in range(2):
        lines = dumped(client, vmid="102", storage="local", **{"prune-backups": "keep-last=1"})
    assert any(line.startswith("INFO: removing backup 'local:backup/vzdump-lxc-102-") for line in lines)
    assert {each["vmid"] for each in backups(client)} == {100, 102}


# Waiting and failing.


@pytest.fixture
def slow(client: Client, server: lab.Lab) -> Iterator[str]:
    """A job that is under way until the clock is turned."""
    upid = client.data(DUMP, vmid="102", storage="local", bwlimit=100)
    end = time.monotonic() + 10
    while "lock" not in client.data("GET /nodes/pve/lxc/102/config") and time.monotonic() < end:
        time.sleep(0.01)
    yield upid
    server.advance(10_000)


def test_a_second_job_waits_for_the_first(client: Client, slow: str, hurried: Callable[[str], str]) -> None:
    second = client.data(DUMP, vmid="101", storage="local")
    end = time.monotonic() + 10
    while not log(client, second) and time.monotonic() < end:
        time.sleep(0.01)
    assert log(client, second) == ["INFO: trying to get global lock - waiting..."]
    assert hurried(slow) == "OK"
    assert client.wait(second) == "OK"
    assert log(client, second)[1] == "INFO: got global lock"


def test_a_job_with_nowhere_to_go_does_not_wait(client: Client, slow: str) -> None:
    assert client.done(DUMP, vmid="101", storage="nope").startswith("could not activate storage 'nope'")
    assert client.done(DUMP, vmid="101", storage="local", lockwait=0) == "unexpected status"


def test_a_stopped_job_leaves_nothing(client: Client, server: lab.Lab, slow: str) -> None:
    client.data(f"DELETE /nodes/pve/tasks/{slow}")
    assert client.wait(slow) == "job errors"
    assert "ERROR: Backup of VM 102 failed - interrupted by signal" in log(client, slow)
    assert "lock" not in client.data("GET /nodes/pve/lxc/102/config")
    assert backups(client) == []
    assert [path for path in (server.cluster.folder / "local").rglob("*") if path.is_file()] == []


def test_a_stop_takes_the_job_under_way_away(client: Client, slow: str) -> None:
    assert client.data(DUMP, stop=1) == "OK"
    assert client.wait(slow) == "job errors"


def test_a_locked_guest_is_not_saved(client: Client, slow: str, hurried: Callable[[str], str]) -> None:
    assert client.data("PUT /nodes/pve/lxc/101/config", lock="migrate") is None
    upid = client.data(DUMP, vmid="101", storage="local")
    assert hurried(upid) == "job errors"
    assert "ERROR: Backup of VM 101 failed - CT is locked (migrate)" in log(client, upid)


@pytest.mark.parametrize("mode", ["stop", "suspend", "snapshot"])
def test_a_failure_brings_the_guest_back(server: lab.Lab, client: Client, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    def full(*_: object) -> None:
        raise RuntimeFailure("No space left on device")

    monkeypatch.setattr(server.cluster.runtime, "backup", full)
    upid = client.data(DUMP, vmid="100", storage="local", mode=mode)
    assert client.wait(upid) == "job errors"
    assert "ERROR: Backup of VM 100 failed - No space left on device" in log(client, upid)
    assert client.data("GET /nodes/pve/lxc/100/status/current")["status"] == "running"
    config = client.data("GET /nodes/pve/lxc/100/config")
    assert "lock" not in config
    assert "parent" not in config
    assert backups(client) == []


def test_a_guest_that_does_not_stop_fails_and_runs_on(server: lab.Lab, client: Client, hurried: Callable[[str], str]) -> None:
    server.cluster.runtime.scripts[100] = Script(deaf=True)  # type: ignore[attr-defined]
    upid = client.data(DUMP, vmid="100", storage="local", mode="stop")
    assert hurried(upid) == "job errors"
    assert "ERROR: Backup of VM 100 failed - container did not stop" in log(client, upid)
    assert client.data("GET /nodes/pve/lxc/100/status/current")["status"] == "running"


def test_without_quorum_nothing_is_saved(server: lab.Lab, client: Client) -> None:
    server.cluster.quorate = False
    upid = client.data(DUMP, vmid="102", storage="local")
    assert client.wait(upid) == "job errors"
    assert any("Permission denied" in line for line in log(client, upid))


def test_storages_that_are_off_or_elsewhere(server: lab.Lab, client: Client) -> None:
    server.cluster.storages["local"].enabled = False
    assert client.done(DUMP, vmid="102", storage="local") == "could not activate storage 'local': storage 'local' is disabled"
    server.cluster.storages["local"].enabled, server.cluster.storages["local"].nodes = True, ["other"]
    text = "could not activate storage 'local': storage 'local' is not available on node 'pve'"
    assert client.done(DUMP, vmid="102", storage="local") == text


def test_defaults(client: Client) -> None:
    found = client.data("GET /nodes/pve/vzdump/defaults", storage="local")
    assert (found["mode"], found["compress"], found["remove"], found["prune-backups"]) == ("snapshot", "0", 1, "keep-all=1")


def test_saved_backups_are_there_again(server: lab.Lab, client: Client, tmp_path: Path) -> None:
    dumped(client, vmid="102", storage="local")
    before = backups(client)
    server.save(tmp_path / "state.json")
    server.load(tmp_path / "state.json")
    assert backups(client) == before
    over = {"vmid": 555, "ostemplate": before[0]["volid"], "restore": 1, "storage": "ctdata"}
    assert client.done("POST /nodes/pve/lxc", **over) == "OK"
