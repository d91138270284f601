"""Insides for simulated containers: shell scripts stand in for ssh, pct and docker, so that a play can make dumps in them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
FAKES = ROOT / "tests" / "unit" / "connection" / "fakes"
DOCKER = """#!/bin/sh
# In a container with one service, whose dump is three words; it is called in the app's folder.
app=$(basename "$PWD")
[ "$1" = ps ] && echo 0123456789ab
if [ "$1" = exec ]; then
    echo "$app" >> {log}
    [ ! -e "{root}/$app/broken" ] || {{ echo 'the database is on fire' >&2; exit 3; }}
    echo a dump indeed
fi
exit 0
"""


class StandIns:
    """The folder of each app, whose entry is the lab's database. `apps` are names and nodes by number.

    `variables` lead an inventory there, `environment` a process.
    """

    def __init__(self, folder: Path, apps: dict[int, tuple[str, str]]) -> None:
        self._root, self._log, cluster, tools = (folder / name for name in ("root", "docker.log", "cluster", "tools"))
        nodes = sorted({node for _name, node in apps.values()})
        for each in (tools, cluster / "addresses", cluster / "running", *(cluster / "nodes" / node / "lxc" for node in nodes)):
            each.mkdir(parents=True)
        (tools / "docker").write_text(DOCKER.format(log=self._log, root=self._root))
        (tools / "docker").chmod(0o755)
        for node in nodes:
            (cluster / "addresses" / node).write_text(node)
        for vmid, (name, node) in apps.items():
            (cluster / "nodes" / node / "lxc" / f"{vmid}.conf").touch()
            (cluster / "running" / str(vmid)).touch()
            (self._root / name).mkdir(parents=True)
        self.variables: dict[str, Any] = {
            "app_catalog_id": "lab-db",
            "app_catalog_paths": [str(ROOT / "tests" / "lab_catalog")],
            "backup_root": str(self._root),
            "ansible_user": "root",
        }
        self.environment = {
            "PATH": f"{tools}:{FAKES}:{os.environ['PATH']}",
            "CLUSTER": str(cluster),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(folder / "cp"),
        }

    def break_(self, name: str) -> None:
        """From now on, the database of this app cannot be dumped."""
        (self._root / name / "broken").touch()

    def dumped(self) -> list[str]:
        """Apps in the order of their dumps."""
        return self._log.read_text().splitlines() if self._log.exists() else []

    def left(self) -> list[str]:
        """Apps in whose containers dumps lie."""
        return sorted(path.parent.name for path in self._root.glob("*/dumps"))
