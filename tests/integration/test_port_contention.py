"""Sixteen controllers reserve and release 450 pairs for an hour of the lab's clock, while digests conflict and answers get lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import lab as labs
import pytest
from ansible_collections.proximity.platform.plugins.module_utils.wire.ledger import parse_page
from integration.pve import Pve

CONFLICT = "detected modified configuration - file changed by other user? Try again."
PROCESSES, PAIRS, HOUR_S = 16, 450, 3600
SECONDS = float(os.environ.get("CONTENTION_S", "20"))
MAPPING = "/cluster/mapping/dir.*"


def _faults(server: labs.Lab) -> None:
    server.fault("status", method="PUT", path=MAPPING, status=500, reason=CONFLICT, times=0, probability=0.05)
    for number, kind in enumerate(("reset", "reset-after", "timeout-after", "596-after", "500", "malformed")):
        server.fault(kind, method="PUT", path=MAPPING, times=0, probability=0.01, seed=number, seconds=3)
    server.fault("reset", method="GET", path="/cluster/.*", times=0, probability=0.01)


def _begin(connection: dict[str, Any], names: list[str]) -> subprocess.Popen[str]:
    script = Path(__file__).with_name("claim_worker.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    assert child.stdin
    json.dump({"connection": {**connection, "api_timeout_s": 2, "api_retry_s": 20}, "names": names, "seconds": SECONDS}, child.stdin)
    child.stdin.flush()
    child.stdin.close()
    child.stdin = None
    return child


def _claims(pve: Pve) -> list[tuple[int, str]]:
    pages = [row.get("description", "") for row in pve.get("/cluster/mapping/dir") if row["id"].startswith("proximity-ports")]
    return [(claim.slot, claim.name) for page in pages for claim in parse_page(page)]


@pytest.mark.timeout(600)
def test_no_pair_twice_and_none_leaked(lab: labs.Lab, pve: Pve, connection: dict[str, Any]) -> None:
    _faults(lab)
    names = [f"app-{number:03}" for number in range(PAIRS)]
    children = [_begin(connection, names[share::PROCESSES]) for share in range(PROCESSES)]
    looks, began, turned = 0, time.monotonic(), 0.0
    try:
        while any(child.poll() is None for child in children):
            time.sleep(0.2)
            due = min(HOUR_S, HOUR_S * (time.monotonic() - began) / SECONDS)
            lab.advance(due - turned)
            turned = due
            seen = [(mapping.id, mapping.description) for mapping in list(lab.cluster.mappings.values())]
            claims = [claim for _id, text in seen for claim in parse_page(text)]
            assert max(Counter(claim.slot for claim in claims).values(), default=1) == 1, "a pair twice"
            assert max(Counter(claim.name for claim in claims).values(), default=1) == 1, "a name twice"
            looks += 1
        told = [[json.loads(line) for line in child.communicate()[0].splitlines()] for child in children]
    finally:
        for child in children:
            child.kill()
            child.wait()
    assert [child.returncode for child in children] == [0] * PROCESSES
    ends = [lines[-1] for lines in told]
    struck = sum(fault.struck for fault in lab.faults.all())
    lab.faults.clear()
    held = sorted((slot, name) for end in ends for name, slot in end["held"].items())
    assert held == sorted(_claims(pve)), "what the controllers hold is what is written: nothing leaked"
    assert len({slot for slot, _name in held}) == PAIRS
    assert turned == HOUR_S
    numbers = {key: sum(end[key] for end in ends) for key in ("reserved", "released", "failed")}
    failures = {line["failed"].partition(": ")[2] for lines in told for line in lines[:-1]}
    assert all("does not answer as Proxmox VE does" in failure for failure in failures), failures
    print(f"{PROCESSES} processes, {numbers}, {looks} looks, {struck} faults, {time.monotonic() - began:.0f} s")
