"""Two hundred apps on four nodes, backed up by playbook backup: calls, CPU and time of all of it.

Prints calls and seconds, and fails on calls alone: `python -m pytest -s tests/benchmarks`.
"""

from __future__ import annotations

import os
import re
import resource
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from integration.fleet import plant_app, plant_nodes
from integration.standins import StandIns

ROOT = Path(__file__).parents[2]
APPS, NODES = 200, 4
IDLE_CALLS = 8
"""What a look at four nodes may cost, however many apps there are."""
CALLS, HOOKED_CALLS = 6.2, 13.2
"""What one backup may cost beside the polls of its task."""


@pytest.fixture
def fleet() -> Iterator[labs.Lab]:
    with labs.start(seed="demo", guests="simulated") as server:
        plant_nodes(server, NODES)
        for number in range(APPS):
            plant_app(server, 8100 + number, f"app-{number}", node=f"pve{number % NODES + 1}")
        yield server


def _shared(fleet: labs.Lab) -> dict[str, Any]:
    (token, secret), url = fleet.token.split("="), urlsplit(fleet.url)
    given = {"host": "127.0.0.1", "port": url.port, "token_id": token, "token_secret": secret, "ca_path": str(fleet.ca_path)}
    return {f"proximity_api_{key}": value for key, value in given.items()}


def _played(fleet: labs.Lab, folder: Path, shared: dict[str, Any], what: str, **environment: str) -> Counter[str]:
    """Run the playbook over all apps; answers calls by kind, and prints what it took."""
    (folder / "hosts.yml").write_text(
        yaml.safe_dump({"proximity_apps": {"hosts": {f"app-{number}": {} for number in range(APPS)}, "vars": shared}})
    )
    clean = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    clean |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", **environment}
    words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(folder / "hosts.yml"), "playbooks/backup.yml"]
    seen, before, started = len(fleet.journal()), resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(words, cwd=ROOT, env=clean, capture_output=True, text=True, check=False, timeout=1500)
    after, wall_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic() - started
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    calls = Counter("polls" if re.search(r"/tasks/.*/status$", call.path) else "calls" for call in fleet.journal()[seen:])
    per = f"{calls['calls'] / APPS:.1f} calls and {calls['polls'] / APPS:.1f} polls an app"
    print(f"\nplaybook backup, {APPS} apps on {NODES} nodes, {what}: {calls['calls']} calls ({per}), {cpu_s:.1f} s of CPU, {wall_s:.1f} s")
    return calls


def _backups(fleet: labs.Lab) -> Counter[int]:
    with fleet.cluster.lock:
        return Counter(volume.vmid for volume in fleet.cluster.volumes.values() if volume.content == "backup")


@pytest.mark.timeout(900)
def test_all_due_and_then_none(fleet: labs.Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = _shared(fleet) | {"app_stack": False}
    with capsys.disabled():
        calls = _played(fleet, tmp_path, shared, "all due")
        assert _backups(fleet) == Counter(range(8100, 8100 + APPS))
        idle = _played(fleet, tmp_path, shared, "nothing due")
    assert _backups(fleet) == Counter(range(8100, 8100 + APPS))
    assert calls["calls"] / APPS <= CALLS
    assert idle["calls"] <= IDLE_CALLS


@pytest.mark.timeout(1500)
def test_all_due_with_hooks(fleet: labs.Lab, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Containers are entered through the shell scripts that stand in for ssh, pct and docker."""
    inside = StandIns(tmp_path, {8100 + number: (f"app-{number}", f"pve{number % NODES + 1}") for number in range(APPS)})
    shared = _shared(fleet) | inside.variables
    with capsys.disabled():
        calls = _played(fleet, tmp_path, shared, "all due with hooks", **inside.environment)
    assert _backups(fleet) == Counter(range(8100, 8100 + APPS))
    assert sorted(inside.dumped()) == sorted(f"app-{number}" for number in range(APPS))
    assert not inside.left(), "dumps are in the backup, and no longer in the container"
    assert calls["calls"] / APPS <= HOOKED_CALLS
