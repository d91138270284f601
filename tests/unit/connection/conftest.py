# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A cluster made of shell scripts: ssh, pct, find and sudo are executables on PATH, and our own code is the real one."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.playbook.play_context import PlayContext
from ansible.utils.plugin_docs import merge_fragment
from ansible_collections.proximity.platform.plugins.connection import pct, ssh
from ansible_collections.proximity.platform.plugins.doc_fragments.ssh import ModuleDocFragment

FAKES = Path(__file__).parent / "fakes"
NAME, STRAIGHT = "proximity.platform.pct", "proximity.platform.ssh"
CONTAINER = {"proximity_vmid": 8100, "proximity_node": "pve1"}


class Cluster:
    """Two nodes; container 8100 runs on the first."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in ("addresses", "running", "nodes/pve1/lxc", "nodes/pve2/lxc"):
            (root / folder).mkdir(parents=True)
        for node, address in (("pve1", "192.0.2.11"), ("pve2", "192.0.2.12")):
            for name in (node, address):
                (root / "addresses" / name).write_text(node)
        self.place(8100, "pve1")

    def place(self, vmid: int, node: str, running: bool = True) -> None:
        for file in self.root.glob(f"nodes/*/lxc/{vmid}.conf"):
            file.unlink()
        (self.root / "nodes" / node / "lxc" / f"{vmid}.conf").touch()
        state = self.root / "running" / str(vmid)
        if running:
            state.touch()
        else:
            state.unlink(missing_ok=True)

    def switch(self, name: str, text: str = "on\n") -> None:
        """Turn on a trait of the fakes: no-root, no-rule, noisy; turned-away, refused (a line for each time)."""
        (self.root / name).write_text(text)

    @property
    def ssh_calls(self) -> list[str]:
        log = self.root / "ssh.log"
        return log.read_text().splitlines() if log.exists() else []


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("PATH", f"{FAKES}:{os.environ['PATH']}")
    monkeypatch.setenv("CLUSTER", str(tmp_path / "cluster"))
    monkeypatch.setenv("ANSIBLE_SSH_CONTROL_PATH_DIR", str(tmp_path / "cp"))
    return Cluster(tmp_path / "cluster")


@pytest.fixture
def connect() -> Callable[..., pct.Connection]:
    """Make a connection as Ansible's loader and task executor do: documentation -> definitions -> options."""
    definitions = yaml.safe_load(pct.DOCUMENTATION)["options"]
    merge_fragment(definitions, json.loads(ModuleDocFragment.DOCUMENTATION)["options"])
    constants.config.initialize_plugin_configuration_definitions("connection", NAME, definitions)

    def make(keywords: dict[str, Any] | None = None, **variables: Any) -> pct.Connection:
        return _with_options(pct.Connection(PlayContext()), NAME, keywords or {}, {**CONTAINER, **variables})

    return make


@pytest.fixture
def connect_straight() -> Callable[..., ssh.Connection]:
    """A connection to the container's own SSH server."""
    definitions = json.loads(ModuleDocFragment.WHOLE)["options"]
    constants.config.initialize_plugin_configuration_definitions("connection", STRAIGHT, definitions)

    def make(**variables: Any) -> ssh.Connection:
        return _with_options(ssh.Connection(PlayContext()), STRAIGHT, {}, {"ansible_host": "pve1", **variables})

    return make


def _with_options(connection: Any, name: str, keywords: dict[str, Any], variables: dict[str, Any]) -> Any:
    connection._load_name = connection.ansible_name = name
    connection.set_options(task_keys=keywords, var_options=variables)
    return connection
