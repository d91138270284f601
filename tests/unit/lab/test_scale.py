"""5,000 guests on 16 nodes: quick to start from a file, quick to list, small.

Measured is the CPU time of a process of its own, in multiples of what the same process takes to copy the seed ten times: neither what else
the machine does counts, nor how fast it is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import lab
import pytest
from lab.client import Client
from lab.fleet import fleet

NODES, GUESTS = 16, 5000
START, LIST, MEMORY_MB = 10.0, 0.4, 500
MEASURE = """
import copy, json, resource, sys, tempfile, time
from pathlib import Path
import lab
from lab.dispatch import Request, answer

def cost(user):
    began = time.thread_time()
    found = answer(server.cluster, "pve1", user, Request("GET", "/cluster/resources", {}))
    text = json.dumps(found.body, ensure_ascii=False, separators=(",", ":"))
    return time.thread_time() - began, text.count('"type":"lxc"')

def copy_often():
    began, given = time.process_time(), json.loads(Path(seed).read_text())
    for _ in range(10):
        copy.deepcopy(given)
    return time.process_time() - began

seed, load, saved = sys.argv[1:]
copied = copy_often()
with tempfile.TemporaryDirectory() as folder:
    server = lab.Lab(lab.Settings(Path(folder), (seed,), load=Path(load) if load else None))
    started = time.process_time() - copied
    costs = {user: [cost(user) for _ in range(8)] for user in ("root@pam!test", "proximity@pve!demo")}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    server.save(Path(saved))
print(json.dumps({"copied_s": (copied + copy_often()) / 2, "start_s": started, "costs": costs, "memory_mb": peak}))
"""


def measured(seed: Path, load: str, saved: Path) -> dict[str, Any]:
    """Start a lab in a process of its own, list its guests several times as each of two users, and save it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(lab.__file__).parents[1])}
    command = [sys.executable, "-c", MEASURE, str(seed), load, str(saved)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_thousands_of_guests(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    seed, saved = tmp_path / "fleet.json", tmp_path / "saved"
    seed.write_text(json.dumps(fleet(GUESTS, NODES)))
    for start, load in (("its seed", ""), ("a saved state", str(saved))):
        found = measured(seed, load, saved)
        costs = {user: min(took for took, _ in runs) for user, runs in found["costs"].items()}
        told = ", ".join(f"{took * 1000:.0f} ms for {user}" for user, took in costs.items())
        with capsys.disabled():
            print(f"\n{GUESTS} guests from {start}: {found['start_s']:.2f} s, {found['memory_mb']:.0f} MB; GET /cluster/resources {told}")
            print(f"{found['copied_s']:.2f} s to copy the seed ten times")
        assert {count for runs in found["costs"].values() for _, count in runs} == {GUESTS}
        assert found["start_s"] / found["copied_s"] < START
        assert found["memory_mb"] < MEMORY_MB
        assert max(costs.values()) / found["copied_s"] < LIST


def test_a_fleets_guests_are_as_its_seed_says(tmp_path: Path) -> None:
    seed = tmp_path / "fleet.json"
    seed.write_text(json.dumps(fleet(20, 3, apps=("wiki", "mail"), tags=("a", "b"), version="8.4")))
    with lab.start(seed=str(seed)) as server:
        client = Client(server.url, server.token, server.ca_path)
        assert client.data("GET /version")["release"] == "8.4"
        found = {each["vmid"]: each for each in client.data("GET /cluster/resources", type="vm")}
        assert len(found) == 20
        assert (found[1002]["name"], found[1002]["tags"], found[1002]["node"]) == ("wiki-2", "a;b;wiki", "pve3")
        assert [vmid for vmid, each in found.items() if each["status"] == "stopped"] == [1009, 1019]
        addresses = {
            client.data(f"GET /nodes/{each['node']}/lxc/{vmid}/interfaces")[1]["inet"] for vmid, each in found.items() if vmid < 1009
        }
        assert len(addresses) == 9
        assert list(server.urls) == ["pve1", "pve2", "pve3"]
        client.close()
