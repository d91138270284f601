"""Playbooks about backups, run over apps that are planted in a lab of four nodes, and what became of them."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import yaml
from integration.fleet import plant_app, plant_nodes
from integration.pve import Pve
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
NODES = 4
Play = Callable[..., subprocess.CompletedProcess[str]]


def grow(lab: labs.Lab, count: int) -> list[str]:
    plant_nodes(lab, NODES)
    names = [f"app-{number}" for number in range(count)]
    for number, name in enumerate(names):
        plant_app(lab, 8100 + number, name, node=f"pve{number % NODES + 1}")
    return names


def api_of(lab: labs.Lab) -> dict[str, Any]:
    token_id, _sign, secret = lab.token.partition("=")
    url = urlsplit(lab.url)
    about = {"host": "127.0.0.1", "port": url.port, "token_id": token_id, "token_secret": secret, "ca_path": str(lab.ca_path)}
    return {f"proximity_api_{key}": value for key, value in about.items()}


def play_in(lab: labs.Lab, folder: Path) -> Play:
    """Run a playbook over these apps (names, or hosts with their variables) and the cluster `home`, which is the lab."""

    def run(names: list[str] | dict[str, Any], *options: str, playbook: str = "backup", **more: Any) -> subprocess.CompletedProcess[str]:
        variables = api_of(lab) | {"app_stack": False} | more
        hosts = folder / "hosts.yml"
        apps = names if isinstance(names, dict) else {name: {} for name in names}
        groups = {"proximity_apps": apps, "proximity_clusters": {"home": {}}}
        hosts.write_text(yaml.safe_dump({group: {"hosts": members, "vars": variables} for group, members in groups.items()}))
        return run_playbook("-i", str(hosts), f"playbooks/{playbook}.yml", *options)

    return run


def backups(lab: labs.Lab) -> list[Any]:
    with lab.cluster.lock:
        return [volume for volume in lab.cluster.volumes.values() if volume.content == "backup"]


def changed(output: str) -> dict[str, int]:
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)}


def record_of(pve: Pve, vmid: int) -> dict[str, Any]:
    node = next(row["node"] for row in pve.get("/cluster/resources", type="vm") if row["vmid"] == vmid)
    found = re.search(r"<!-- proximity (\{.*\}) -->", pve.get(f"/nodes/{node}/lxc/{vmid}/config")["description"])
    assert found
    return dict(json.loads(found[1]))
