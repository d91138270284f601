"""The lab under a client that is not ours: community.proxmox, as the `ansible` package brings it."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from lab.background import read_environment
from lab.client import Client
from lab.real import doctor

BIN, TESTS = Path(sys.executable).parent, Path(labs.__file__).parents[1]
INSTALLED = any((Path(place) / "ansible_collections/community/proxmox").is_dir() for place in sys.path)
pytestmark = pytest.mark.skipif(not INSTALLED, reason="the collection community.proxmox is not installed; the package `ansible` brings it")

TEMPLATE = "local:vztmpl/debian-13-minimal_13.0-1_amd64.tar.zst"
CONTAINER = {
    "ostemplate": TEMPLATE,
    "disk": "local-btrfs:2",
    "memory": 256,
    "netif": {"net0": "name=eth0,bridge=vmbr0,ip=dhcp"},
    "features": ["nesting=1"],
    "tags": ["guest", "other"],
}


def run(folder: Path, program: str, *words: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """A program of Ansible, with a home of its own."""
    (folder / "ansible.cfg").touch()
    settings = {"HOME": str(folder), "ANSIBLE_HOME": str(folder / ".ansible"), "ANSIBLE_NOCOLOR": "1"}
    settings |= {"ANSIBLE_CONFIG": str(folder / "ansible.cfg")}
    settings |= {"ANSIBLE_PYTHON_INTERPRETER": sys.executable, "ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_INVENTORY_UNPARSED_WARNING": "0"}
    command = [str(BIN / program), *words]
    done = subprocess.run(
        command, cwd=folder, env=os.environ | settings | (environment or {}), capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


@pytest.fixture
def server() -> Iterator[labs.Lab]:
    with labs.start(seed="conformance") as running:
        yield running


@pytest.fixture
def client(server: labs.Lab) -> Iterator[Client]:
    found = Client(server.url, server.token, server.ca_path)
    yield found
    found.close()


def play(folder: Path, server: labs.Lab, tasks: list[dict[str, Any]]) -> list[bool]:
    """Run tasks of modules; the answer is which of them changed something."""
    token_id, _, secret = server.token.partition("=")
    user, _, name = token_id.partition("!")
    place = urlsplit(server.url)
    connection = {"api_host": place.hostname, "api_port": place.port, "api_user": user, "api_token_id": name, "api_token_secret": secret}
    group = {"group/community.proxmox.proxmox": connection | {"validate_certs": True}}
    book = [{"hosts": "localhost", "gather_facts": False, "module_defaults": group, "tasks": tasks}]
    (folder / "play.yml").write_text(yaml.safe_dump(book))
    environment = {"ANSIBLE_STDOUT_CALLBACK": "ansible.posix.json", "REQUESTS_CA_BUNDLE": str(server.ca_path)}
    done = run(folder, "ansible-playbook", "play.yml", environment=environment)
    found = json.loads(done.stdout[done.stdout.index("{") :])["plays"][0]["tasks"]
    return [each["hosts"]["localhost"]["changed"] for each in found]


def test_its_modules_take_a_container_through_its_life(server: labs.Lab, client: Client, tmp_path: Path) -> None:
    one: dict[str, Any] = {"vmid": 910, "node": "pve", "hostname": "stranger"}
    snapshot = {"vmid": 910, "snapname": "before", "unbind": False}
    tasks = [
        {"community.proxmox.proxmox": {**one, **CONTAINER, "state": "present"}},
        {"community.proxmox.proxmox": {**one, "state": "started"}},
        {"community.proxmox.proxmox": {**one, "state": "started"}},
        {"community.proxmox.proxmox": {**one, "memory": 512, "state": "present", "update": True}},
        {"community.proxmox.proxmox_snap": {**snapshot, "state": "present"}},
        {"community.proxmox.proxmox": {**one, "state": "stopped"}},
        {"community.proxmox.proxmox_snap": {**snapshot, "state": "rollback"}},
        {"community.proxmox.proxmox_snap": {**snapshot, "state": "absent"}},
        {"community.proxmox.proxmox_vm_info": {"type": "lxc"}},
    ]
    assert play(tmp_path, server, tasks) == [True, True, False, True, True, True, True, True, False]
    found = client.data("GET /nodes/pve/lxc/910/config")
    assert (found["hostname"], found["memory"], found["tags"], found["features"]) == ("stranger", 512, "guest;other", "nesting=1")
    assert client.data("GET /nodes/pve/lxc/910/status/current")["status"] == "stopped"
    assert len(client.data("GET /nodes/pve/lxc/910/snapshot")) == 1
    gone = [{"community.proxmox.proxmox": {**one, "state": "absent"}}] * 2
    assert play(tmp_path, server, gone) == [True, False]
    assert client("GET /nodes/pve/lxc/910/config").reason == "Configuration file 'nodes/pve/lxc/910.conf' does not exist"
    statuses = {entry.status for entry in server.journal() if "/lxc/910" in entry.path and entry.method != "GET"}
    assert statuses == {200}


def inventory(folder: Path, environment: dict[str, str], **more: Any) -> Path:
    """A file for the inventory plugin."""
    token_id, _, secret = environment["TOKEN"].partition("=")
    user, _, name = token_id.partition("!")
    given = {"plugin": "community.proxmox.proxmox", "url": environment["URL"], "user": user, "token_id": name, "token_secret": secret}
    file = folder / "lab.proxmox.yml"
    file.write_text(yaml.safe_dump({**given, "want_facts": True, **more}))
    return file


def plain(value: Any) -> Any:
    """As it was before Ansible marked what must not be a template."""
    if isinstance(value, dict):
        return plain(value["__ansible_unsafe"]) if "__ansible_unsafe" in value else {key: plain(each) for key, each in value.items()}
    return value


def test_its_inventory_lists_the_guests(server: labs.Lab, tmp_path: Path) -> None:
    keyed = [{"key": "proxmox_tags_parsed", "prefix": "tag"}]
    file = inventory(tmp_path, server.environment(), keyed_groups=keyed)
    done = run(tmp_path, "ansible-inventory", "-i", str(file), "--list", environment={"REQUESTS_CA_BUNDLE": str(server.ca_path)})
    found = json.loads(done.stdout)
    assert set(found["proxmox_all_lxc"]["hosts"]) == {"web1", "db1", "files"}
    assert set(found["proxmox_all_running"]["hosts"]) == {"web1", "db1"}
    assert found["proxmox_all_stopped"]["hosts"] == ["files"]
    assert found["proxmox_nodes"]["hosts"] == ["pve"]
    assert set(found["tag_lab"]["hosts"]) == {"web1", "db1", "files"}
    web = plain(found["_meta"]["hostvars"]["web1"])
    assert (web["proxmox_vmid"], web["proxmox_node"], web["proxmox_vmtype"]) == (100, "pve", "lxc")
    assert web["proxmox_net0"]["ip"] == "10.77.0.100/24"


# Real guests.


@pytest.fixture
def real(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables of a lab with real guests."""
    report = doctor()
    if not report.possible:
        pytest.skip(f"no real containers here: {'; '.join(report.reasons)}")
    if not importlib.util.find_spec("paramiko"):
        pytest.skip("proxmox_pct_remote needs the Python package paramiko, which is not installed")
    state = tmp_path / "lab"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])}
    command = [sys.executable, "-m", "lab"]
    words = ["up", "--guests", "real", "--seed", "demo", "--ports", "0", "--state", str(state)]
    up = subprocess.run([*command, *words], env=environment, capture_output=True, text=True, timeout=900, check=False)
    try:
        assert up.returncode == 0, up.stdout + up.stderr
        yield read_environment(state)
    finally:
        subprocess.run([*command, "down", "--state", str(state)], env=environment, capture_output=True, timeout=120, check=False)


@pytest.mark.real
@pytest.mark.timeout(1200)
def test_its_connection_runs_a_command_in_a_real_container(real: dict[str, str], tmp_path: Path) -> None:
    client = Client(real["URL"], real["ROOT_TOKEN"], Path(real["CA"]))
    new = {"ostemplate": "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst", "rootfs": "local-lxc:2", "features": "nesting=1"}
    assert client.done("POST /nodes/pve1/lxc", vmid=910, hostname="stranger", start=1, **new) == "OK"
    compose = {
        "ansible_host": f"'{real['NODE_ADDRESS']}'",
        "ansible_connection": "'community.proxmox.proxmox_pct_remote'",
        "ansible_user": "'root'",
        "ansible_private_key_file": f"'{real['SSH_KEY']}'",
    }
    file = inventory(tmp_path, real, compose=compose, exclude_nodes=True)
    home = tmp_path / ".ssh"
    home.mkdir(mode=0o700)
    (home / "known_hosts").write_text(Path(real["SSH_KNOWN_HOSTS"]).read_text())
    words = ("-i", str(file), "all", "-m", "ansible.builtin.raw", "-a", "cat /etc/hostname")
    done = run(tmp_path, "ansible", *words, environment={"REQUESTS_CA_BUNDLE": real["CA"]})
    assert done.stdout.replace("\r", "").splitlines()[:2] == ["stranger | CHANGED | rc=0 >>", "stranger"]
    client.close()
