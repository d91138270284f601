"""Eight controllers deploy a hundred apps at once, each sixty of them, and most names from several sides."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import lab as labs
import pytest
from integration.definition import DEFINITION
from integration.pve import Pve

CONTROLLERS, APPS, SHARE = 8, 100, 60


def _begin(params: dict[str, Any]) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("fleet_worker.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdin
    json.dump(params, child.stdin)
    child.stdin.close()
    child.stdin = None
    return child


@pytest.mark.timeout(180)
def test_a_hundred_apps_by_eight_controllers(lab: labs.Lab, pve: Pve, connection: dict[str, Any]) -> None:
    """A hundred apps: no name, number or port twice, no container besides, and every controller content in the end."""
    names = [f"app-{number:03}" for number in range(APPS)]
    chance = random.Random(4)
    shares = [sorted({*names[start::CONTROLLERS], *chance.sample(names, SHARE)}) for start in range(CONTROLLERS)]
    began = time.monotonic()
    children = [
        _begin({**connection, "definitions": {"hello": DEFINITION}, "apps": [{"name": name, "catalog_id": "hello"} for name in share]})
        for share in shares
    ]
    try:
        told = [json.loads(child.communicate(timeout=150)[0].splitlines()[-1]) for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    seconds = time.monotonic() - began
    records = [pve.record(vmid) for vmid in pve.vmids()]
    assert [each["left"] for each in told] == [[]] * CONTROLLERS, "\n".join(message for each in told for message in each["refused"])
    assert sorted(record["name"] for record in records) == names
    assert len({record["app"] for record in records}) == APPS
    assert len({record["ports"][kind] for record in records for kind in ("public", "internal")}) == 2 * APPS
    assert {record["status"] for record in records} == {"running"}
    assert all(record["vmid"] == record["ports"]["public"] for record in records)
    calls = {kind: sum(each["calls"][kind] for each in told) for kind in ("reads", "writes", "polls")}
    wishes = sum(map(len, shares))
    print(f"{CONTROLLERS} controllers, {wishes} wishes for {APPS} apps: {seconds:.0f} s, {calls}, tries {[each['tries'] for each in told]}")
