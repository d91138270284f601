"""The real runtime keeps the lab's protocol, and knows what it can say without root."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from lab.guests.runtime import Runtime, RuntimeFailure
from lab.real import RealRuntime, doctor, prerequisites
from lab.real.cgroups import guest_group, populated_group
from lab.real.layout import StateDir
from lab.real.network import _interface


def test_it_has_every_method_of_the_protocol_with_the_same_arguments() -> None:
    for name, method in inspect.getmembers(Runtime, inspect.isfunction):
        if not name.startswith("_"):
            assert list(inspect.signature(getattr(RealRuntime, name)).parameters) == list(inspect.signature(method).parameters), name
    assert RealRuntime.kind == "real"


def test_without_a_node_there_is_a_plain_word(tmp_path: Path) -> None:
    runtime = RealRuntime(tmp_path)
    assert runtime.states() == {}
    with pytest.raises(RuntimeFailure, match="node 'pve1' is not running"):
        runtime.create("pve1", 120, {}, tmp_path / "x.tar.zst", print)
    with pytest.raises(RuntimeFailure, match="CT 120 not running"):
        runtime.stop("pve1", 120)


def test_configurations_are_published_on_one_node_at_a_time(tmp_path: Path) -> None:
    runtime, state = RealRuntime(tmp_path), StateDir(tmp_path)
    runtime.publish(120, "pve1", "memory: 1\n")
    runtime.publish(120, "pve2", "memory: 2\n")
    assert not state.conf("pve1", 120).exists()
    assert state.conf("pve2", 120).read_text() == "memory: 2\n"
    runtime.unpublish(120)
    assert not state.conf("pve2", 120).exists()


@pytest.mark.parametrize("name", ["", "..", "a/b"])
def test_snapshot_names_stay_in_their_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(RuntimeFailure, match="no name for a snapshot"):
        RealRuntime(tmp_path).delete_snapshot("pve1", 120, name)


def test_a_group_lives_while_it_has_processes(tmp_path: Path) -> None:
    for name, populated in (("lxc.payload.120", 0), ("lxc.payload.120-1", 1), ("lxc.monitor.120", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "cgroup.events").write_text(f"populated {populated}\nfrozen 0\n")
    assert populated_group(tmp_path, "payload") == tmp_path / "lxc.payload.120-1"
    assert populated_group(tmp_path, "monitor") is None
    assert guest_group(Path("/a"), 120) != guest_group(Path("/b"), 120)


def test_interfaces_are_shown_as_proxmox_shows_them() -> None:
    link = {
        "ifname": "eth0",
        "address": "BC:24:11:00:00:01",
        "addr_info": [{"family": "inet", "local": "10.0.0.2", "prefixlen": 24}, {"family": "inet6", "local": "fe80::1", "prefixlen": 64}],
    }
    assert _interface(link) == {
        "name": "eth0",
        "hwaddr": "bc:24:11:00:00:01",
        "hardware-address": "bc:24:11:00:00:01",
        "inet": "10.0.0.2/24",
        "inet6": "fe80::1/64",
        "ip-addresses": [
            {"ip-address": "10.0.0.2", "ip-address-type": "inet", "prefix": "24"},
            {"ip-address": "fe80::1", "ip-address-type": "inet6", "prefix": "64"},
        ],
    }


def test_the_doctor_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prerequisites, "PACKAGES", {"sh-package": "sh", "some-package": "nosuchcommand", "file-package": "/no/such/file"})
    report = doctor()
    assert report.missing_packages == ("some-package", "file-package")
    assert not report.possible
    assert "packages are missing: some-package file-package" in report.text()
