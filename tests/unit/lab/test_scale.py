"""A cluster of 5,000 guests: quick to load and to list."""

from __future__ import annotations

import json
import time
from pathlib import Path

import lab
import pytest
from lab.context import Call
from lab.registry import find_route
from lab.seeding import plant_guest

NODES, GUESTS = 16, 5000
LOAD_S, LIST_S = 3.0, 0.1
"""CPU seconds: other work on the machine does not count."""


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A saved lab of that size."""
    folder = tmp_path_factory.mktemp("scale")
    with lab.start(seed="demo") as server:
        cluster = server.cluster
        first = cluster.nodes["pve1"]
        for number in range(2, NODES + 1):
            cluster.nodes[f"pve{number}"] = type(first)(**{**vars(first), "name": f"pve{number}", "nodeid": number})
        for vmid in range(1000, 1000 + GUESTS):
            config = {"hostname": f"app{vmid}", "tags": "proximity;miniflux", "net0": "name=eth0,bridge=vmbr0,ip=dhcp", "unprivileged": 1}
            plant_guest(cluster, vmid, f"pve{1 + vmid % NODES}", "local-lxc", 4, config)
        server.cluster.runtime.replace_running(  # type: ignore[attr-defined]
            {vmid: (guest.config, cluster.clock.now() - 500) for vmid, guest in cluster.guests.items() if vmid % 10}
        )
        server.save(folder / "state.json")
    return folder / "state.json"


def test_it_loads_in_time_and_lists_in_time(saved: Path) -> None:
    with lab.start(seed="demo") as server:
        began = time.thread_time()
        server.load(saved)
        assert time.thread_time() - began < LOAD_S
        found = find_route("GET", "/cluster/resources")
        assert found
        for user in ("root@pam!test", "proximity@pve!demo"):
            took = []
            for _ in range(5):
                began = time.thread_time()
                data = found[0].handler(Call(server.cluster, "pve1", user, "GET", "/cluster/resources", {}))
                json.dumps(data, ensure_ascii=False, separators=(",", ":"))
                took.append(time.thread_time() - began)
            assert sum(each["type"] == "lxc" for each in data) == GUESTS
            assert min(took) < LIST_S, took
