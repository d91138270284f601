"""Light guests: worlds of their own with a disk that goes along, and what can happen to a command on its way to them."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import lab as labs
import lab.light
import pytest
from lab.light.door import Door
from lab.light.keeping import Keeping
from lab.light.runtime import LightRuntime, make_light
from lab.light.strikes import STRIKES, Strike
from lab.seeding import plant_guest

if hindrance := lab.light.hindrance():
    pytest.skip(hindrance, allow_module_level=True)

VMID = 8100


@dataclass
class World:
    server: labs.Lab
    runtime: LightRuntime
    door: Door
    keeping: Keeping

    def run(self, command: str, vmid: int = VMID, die_at: int = 0, given: bytes = b"") -> tuple[int, str]:
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as into:
            into.write(given)
            into.seek(0)
            done = self.runtime.enter(vmid, command, [into.fileno(), out.fileno(), out.fileno()], die_at)
            out.seek(0)
            return done["status"], out.read().decode()

    def ssh(self, command: str, given: str = "") -> subprocess.CompletedProcess[str]:
        words = [str(self.keeping.tools / "ssh"), "-o", "User=root", "pve1", f"pct exec {VMID} -- /bin/sh -c '{command}'"]
        environment = {"LIGHT_DOOR": self.door.address}
        return subprocess.run(words, env=environment, input=given, capture_output=True, text=True, timeout=20)


@pytest.fixture(scope="module")
def keeping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keeping]:
    keeping = Keeping(tmp_path_factory.mktemp("keeper"))
    yield keeping
    keeping.close()


@pytest.fixture
def world(keeping: Keeping, tmp_path: Path) -> Iterator[World]:
    with labs.start(seed="fleet") as server:
        runtime = make_light(server.cluster, tmp_path, keeping)
        with server.cluster.lock:
            plant_guest(server.cluster, VMID, "pve1", "local-btrfs", 1, {"hostname": "one"}, running=True)
        door = Door(server, runtime, f"@light-{os.getpid()}")
        yield World(server, runtime, door, keeping)
        door.close()
        keeping.end_all()


def test_a_guest_is_a_world_of_its_own(world: World) -> None:
    assert world.run("hostname; echo $$; head -1 /etc/os-release; ls -d /home /srv 2>/dev/null || true") == (
        0,
        "one\n2\nID=debian\n",
    )
    assert world.run("echo x > /usr/y")[0] != 0, "the programs of the machine cannot be changed"


def test_a_disk_goes_along(world: World, tmp_path: Path) -> None:
    runtime, told = world.runtime, lambda _line: None
    world.run("echo first > /root/note")
    runtime.snapshot("pve1", VMID, "point")
    runtime.clone("pve1", VMID, 8101, "point", told)
    runtime.backup("pve1", VMID, tmp_path / "x.tar.zst", "", told)
    world.run("echo second > /root/note")
    assert (runtime.root(8101) / "root/note").read_text() == "first\n"
    runtime.rollback("pve1", VMID, "point")
    assert (runtime.root(VMID) / "root/note").read_text() == "first\n"
    runtime.restore("pve1", 8102, {}, tmp_path / "x.tar.zst", told)
    assert (runtime.root(8102) / "root/note").read_text() == "first\n"
    runtime.destroy("pve1", 8102)
    assert not (runtime.root(8102) / "root/note").exists(), "a new guest has a new disk"


def test_what_runs_in_a_guest_ends_with_it(world: World) -> None:
    world.run("(sleep 0.5; echo late > /root/late) >/dev/null 2>&1 &")
    world.runtime.stop("pve1", VMID)
    subprocess.run(["sleep", "0.7"], check=True)
    assert not (world.runtime.root(VMID) / "root/late").exists()


def test_a_command_dies_before_the_change_that_is_named(world: World) -> None:
    program = b"for name in 'abc':\n    open('/opt/' + name, 'w').close()\n"
    status, _said = world.run("python3; echo after > /opt/after", die_at=2, given=program)
    assert status != 0
    assert sorted(each.name for each in (world.runtime.root(VMID) / "opt").iterdir()) == ["a"]


@pytest.mark.parametrize(
    ("kind", "status", "said", "happened"),
    [
        ("refused", 255, "Connection refused", False),
        ("turned-away", 255, "kex_exchange_identification", False),
        ("ssh-down", 255, "Connection refused", False),
        ("lost-before", 255, "closed by remote host", False),
        ("lost-after", 255, "Broken pipe", True),
        ("fails", 1, "No space left", False),
        ("slow", 0, "", True),
        ("stopped", 255, "not running", False),
        ("node-down", 255, "No route to host", False),
        ("moved", 2, "does not exist", False),
    ],
)
def test_what_happens_to_the_command_that_is_struck(world: World, kind: str, status: int, said: str, happened: bool) -> None:
    assert world.ssh("true").returncode == 0
    world.door.set(Strike(kind, nth=2))
    assert world.ssh("true").returncode == 0
    done = world.ssh("echo done > /root/done")
    assert (done.returncode, (world.runtime.root(VMID) / "root/done").exists()) == (status, happened)
    assert said in done.stderr


def test_a_command_that_is_lost_in_the_midst_has_had_half_of_what_it_was_given(world: World) -> None:
    world.door.set(Strike("lost-midst", nth=1))
    assert world.ssh("cat > /opt/note.new; mv /opt/note.new /opt/note", given="12345678").returncode == 255
    assert [(each.name, each.read_text()) for each in (world.runtime.root(VMID) / "opt").iterdir()] == [("note.new", "1234")]


def test_every_strike_is_known_by_its_name() -> None:
    with pytest.raises(ValueError, match=f"there are {', '.join(STRIKES)}"):
        Strike("eaten", 1)
