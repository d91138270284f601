"""The lab with real containers: what the API says and what there is never differ, whoever changed it."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lab as labs
import pytest
import requests
from lab.background import read_environment
from lab.client import Client
from lab.real import doctor

TESTS = Path(labs.__file__).parents[1]
TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
NEW = {"ostemplate": TEMPLATE, "rootfs": "local:1", "features": "nesting=1"}
HERE, THERE = "pve-c1", "pve-c2"
pytestmark = [pytest.mark.real, pytest.mark.timeout(1200)]


def command(state: Path, word: str, *words: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    line = [sys.executable, "-m", "lab", word, *words, "--state", str(state)]
    done = subprocess.run(line, env=environment, capture_output=True, text=True, timeout=900, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@dataclass
class Real:
    """A running lab with two real nodes."""

    state: Path
    client: Client
    variables: dict[str, str]

    def on(self, node: str, line: str, status: int = 0) -> str:
        """What a command on a node says."""
        ssh = ["ssh", "-F", self.variables["SSH_CONFIG"], "-o", "BatchMode=yes", node, line]
        done = subprocess.run(ssh, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == status, f"{line}: {done.returncode} {done.stdout}{done.stderr}"
        return done.stdout

    def reaches(self, node: str) -> bool:
        return subprocess.run(["ssh", "-F", self.variables["SSH_CONFIG"], "-o", "BatchMode=yes", node, "true"], check=False).returncode == 0

    def control(self, path: str, **given: Any) -> Any:
        reply = requests.post(self.variables["CONTROL"] + path, json=given, timeout=60)
        assert reply.ok, reply.text
        return reply.json()

    def config(self, vmid: int, node: str = HERE) -> dict[str, Any]:
        return dict(self.client.data(f"GET /nodes/{node}/lxc/{vmid}/config"))

    def status(self, vmid: int, node: str = HERE) -> str:
        return str(self.client.data(f"GET /nodes/{node}/lxc/{vmid}/status/current")["status"])

    def ends_later(self, upid: str) -> bool:
        """Whether a task has ended, once a minute more has passed."""
        self.control("/clock", advance=60)
        return str(self.client.data(f"GET /nodes/{HERE}/tasks/{upid}/status")["status"]) == "stopped"

    def agrees(self, vmid: int, node: str = HERE) -> None:
        """The file on the node is the one whose digest the API answers, and no other node has one."""
        text = self.on(node, f"cat /etc/pve/nodes/{node}/lxc/{vmid}.conf")
        assert hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest() == self.config(vmid, node)["digest"]
        assert self.on(node, f"ls /etc/pve/nodes/*/lxc/{vmid}.conf").split() == [f"/etc/pve/nodes/{node}/lxc/{vmid}.conf"]


def start(state: Path, *words: str) -> Real:
    command(state, "up", "--guests", "real", "--ports", "0,0", *words)
    variables = read_environment(state)
    return Real(state, Client(variables["URL"], variables["TOKEN"], Path(variables["CA"])), variables)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Real]:
    report = doctor()
    if not report.possible:
        pytest.skip(f"no real containers here: {'; '.join(report.reasons)}")
    state = tmp_path_factory.mktemp("real") / "lab"
    try:
        found = start(state, "--seed", "cluster")
        yield found
        found.client.close()
    finally:
        command(state, "down")


@pytest.fixture
def guest(real: Real) -> Iterator[int]:
    """Container 100 runs on the first node."""
    assert real.client.done(f"POST /nodes/{HERE}/lxc", vmid=100, start=1, description="for tests", tags="a", **NEW) == "OK"
    yield 100
    for each in real.client.data("GET /cluster/resources", type="vm"):
        real.client.done(f"DELETE /nodes/{each['node']}/lxc/{each['vmid']}", force=1)


def until(holds: Callable[[], bool]) -> None:
    end = time.monotonic() + 15
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_the_config_on_the_node_is_that_of_the_api(real: Real, guest: int) -> None:
    path, client = f"/nodes/{HERE}/lxc/{guest}", real.client
    real.agrees(guest)
    client.data(f"PUT {path}/config", memory=300, description="other\nlines\n", tags="b;c")
    real.agrees(guest)
    assert real.on(HERE, f"pct config {guest}").splitlines()[1:3] == ["description: other%0Alines%0A", "features: nesting=1"]
    assert client.done(f"POST {path}/status/stop") == "OK"
    assert client.done(f"PUT {path}/resize", disk="rootfs", size="+1G") == "OK"
    real.agrees(guest)
    assert client.done(f"POST {path}/clone", newid=101, hostname="copy") == "OK"
    real.agrees(101)
    assert client.done(f"POST {path}/migrate", target=THERE) == "OK"
    real.agrees(guest, THERE)
    assert client.done(f"DELETE /nodes/{THERE}/lxc/{guest}") == "OK"
    real.on(THERE, f"ls /etc/pve/nodes/*/lxc/{guest}.conf", status=2)


def test_a_backup_and_its_restore_are_seen_on_the_node(real: Real, guest: int) -> None:
    client = real.client
    upid = client.data(f"POST /nodes/{HERE}/vzdump", vmid=guest, storage="local", mode="suspend", bwlimit=1000, compress="zstd")
    until(lambda: real.config(guest).get("lock") == "backup")
    real.agrees(guest)
    assert "locked (backup)" in real.on(HERE, f"pct stop {guest} 2>&1 || true")
    until(lambda: real.ends_later(upid))
    assert client.wait(upid) == "OK"
    real.agrees(guest)
    (backup,) = client.data(f"GET /nodes/{HERE}/storage/local/content", content="backup")
    restored = {"ostemplate": backup["volid"], "restore": 1, "rootfs": "local:1"}
    assert client.done(f"POST /nodes/{HERE}/lxc", vmid=102, **restored) == "OK"
    real.agrees(102)


def test_a_container_that_dies_is_stopped(real: Real, guest: int) -> None:
    assert real.on(HERE, f"pct exec {guest} -- /bin/sh -c 'echo $((6 * 7))'").strip() == "42"
    real.on(HERE, f"lxc-stop -k -n {guest}")
    assert real.status(guest) == "stopped"
    assert real.client("GET /cluster/resources").status_code == 200
    real.control("/clock", advance=15)
    (seen,) = real.client.data("GET /cluster/resources", type="vm")
    assert (seen["status"], seen["uptime"]) == ("stopped", 0)
    assert real.client(f"POST /nodes/{HERE}/lxc/{guest}/status/stop").reason == f"CT {guest} not running"
    assert real.client.done(f"POST /nodes/{HERE}/lxc/{guest}/status/start") == "OK"


def test_one_that_is_started_on_the_node_is_seen_to_run_and_as_it_is_configured(real: Real, guest: int) -> None:
    client, path = real.client, f"/nodes/{HERE}/lxc/{guest}"
    assert client.done(f"POST {path}/status/stop") == "OK"
    client.data(f"PUT {path}/config", hostname="renamed")
    real.on(HERE, f"pct start {guest}")
    assert real.status(guest) == "running"
    until(lambda: real.on(HERE, f"pct exec {guest} -- cat /proc/sys/kernel/hostname").strip() == "renamed")
    assert client(f"POST {path}/status/start").reason == f"CT {guest} already running"
    real.on(HERE, f"pct stop {guest}")
    assert real.status(guest) == "stopped"


def test_a_cable_is_pulled_while_it_runs_and_out_from_its_start(real: Real, guest: int) -> None:
    """Without a cable the node's end is down and on no bridge, from before anything runs in the guest; with one it is back on it."""
    client, path = real.client, f"/nodes/{HERE}/lxc/{guest}"
    plugged = "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:02:01,ip=10.99.1.2/24,type=veth"
    reach = f"pct exec {guest} -- /bin/sh -c 'cat /sys/class/net/eth0/carrier'"

    def node_end() -> str:
        return real.on(HERE, f"ip -o link show veth{guest}i0")

    client.data(f"PUT {path}/config", net0=plugged)
    until(lambda: "master vmbr0" in node_end() and real.on(HERE, reach).strip() == "1")
    for start_anew in (False, True):
        client.data(f"PUT {path}/config", net0=f"{plugged},link_down=1")
        if start_anew:
            assert client.done(f"POST {path}/status/stop") == client.done(f"POST {path}/status/start") == "OK"
        until(lambda: real.on(HERE, f"pct exec {guest} -- ip link set eth0 up; {reach}").strip() == "0")
        assert "state DOWN" in node_end() and "master" not in node_end()
        client.data(f"PUT {path}/config", net0=plugged)
        until(lambda: "master vmbr0" in node_end() and real.on(HERE, reach).strip() == "1")
    (eth0,) = (link for link in client.data(f"GET {path}/interfaces") if link["name"] == "eth0")
    assert eth0["inet"] == "10.99.1.2/24"


def test_ssh_is_down_for_a_while(real: Real, guest: int) -> None:
    real.control("/faults", kind="ssh-down", node=HERE, seconds=600)
    real.on(HERE, "true", status=255)
    assert real.status(guest) == "running"
    assert real.on(THERE, "hostname").strip() == THERE
    real.control("/clock", advance=601)
    until(lambda: real.reaches(HERE))  # its sshd is started anew
    assert real.on(HERE, f"pct status {guest}").strip() == "status: running"


def test_a_saved_state_takes_the_containers_along(real: Real, guest: int, tmp_path: Path) -> None:
    client, saved = real.client, tmp_path / "state"
    real.on(HERE, f"pct exec {guest} -- /bin/sh -c 'echo mine > /root/note'")
    assert client.done(f"POST /nodes/{HERE}/lxc", vmid=101, **NEW) == "OK"
    command(real.state, "save", str(saved))
    assert client.done(f"DELETE /nodes/{HERE}/lxc/101") == "OK"
    assert client.done(f"POST /nodes/{HERE}/lxc", vmid=102, start=1, **NEW) == "OK"
    assert client.done(f"POST /nodes/{HERE}/lxc/{guest}/migrate", target=THERE, restart=1) == "OK"
    assert client.done(f"POST /nodes/{THERE}/lxc/{guest}/status/stop") == "OK"
    said = command(real.state, "load", str(saved)).stdout.splitlines()
    assert said[:2] == [
        "container 102 is not in the saved state, and goes",
        "guest 101 of the saved state has no container any more, and goes",
    ]
    assert [each["vmid"] for each in client.data("GET /cluster/resources", type="vm")] == [guest]
    assert real.status(guest) == "running"
    real.agrees(guest)
    real.on(HERE, "ls /etc/pve/nodes/*/lxc/101.conf /etc/pve/nodes/*/lxc/102.conf", status=2)
    assert real.on(HERE, f"pct exec {guest} -- cat /root/note").strip() == "mine"


def test_a_new_lab_goes_on_with_the_containers_of_the_old(real: Real, guest: int, tmp_path: Path) -> None:
    saved = tmp_path / "state"
    real.on(HERE, f"pct exec {guest} -- /bin/sh -c 'echo mine > /root/note'")
    command(real.state, "save", str(saved))
    assert json.loads(saved.read_text())["seeds"] == ["cluster"]
    command(real.state, "down")
    real.client.close()
    again = start(real.state, "--load", str(saved))
    real.client, real.variables = again.client, again.variables
    assert real.status(guest) == "running"
    real.agrees(guest)
    assert real.on(HERE, f"pct exec {guest} -- cat /root/note").strip() == "mine"
