"""Thousands of simulated guests on many nodes, made in the lab's own state: through its API that would take minutes."""

from __future__ import annotations

import copy

import lab as labs
from lab.seeding import plant_guest

ENTRIES = ("miniflux", "gitea", "vaultwarden", "nextcloud")
OWNERS = ("anna", "ben", "")


def grow_fleet(lab: labs.Lab, guests: int = 5000, nodes: int = 16) -> None:
    """Every tenth guest is none of ours; every fifth is stopped. Numbers from 8100 on, round the nodes."""
    plant_nodes(lab, nodes)
    with lab.cluster.lock:
        for number in range(guests):
            plant_app(lab, 8100 + number, f"app-{number}", node=f"pve{number % nodes + 1}", ours=number % 10 != 9, running=number % 5 != 4)


def plant_nodes(lab: labs.Lab, nodes: int) -> None:
    """More nodes like the first one, with more memory."""
    with lab.cluster.lock:
        for number in range(2, nodes + 1):
            node = copy.deepcopy(lab.cluster.nodes["pve1"])
            node.name, node.nodeid, node.memory = f"pve{number}", number, 512 * 2**30
            lab.cluster.nodes[node.name] = node


def plant_app(lab: labs.Lab, vmid: int, name: str, node: str = "pve1", ours: bool = True, running: bool = True, **more: str) -> None:
    entry, owner = ENTRIES[vmid % len(ENTRIES)], OWNERS[vmid % len(OWNERS)]
    record = (
        f'{{"app":"{vmid}","changed":"2026-01-01T00:00:00Z","entry":"{entry}","entry_version":"1.0","name":"{name}","nonce":"n","owner":"{owner}",'
        f'"ports":{{"internal":{vmid + 1000},"public":{vmid}}},"revision":"{vmid:010x}","schema":1,"status":"running","vmid":{vmid}}}'
    )
    notes = f"<!-- proximity -->\n**{name}** ({entry} 1.0) is running: http://10.0.0.1:8080/\n<!-- proximity {record} -->"
    config = {"hostname": name, "net0": "name=eth0,bridge=vmbr0,ip=dhcp", "memory": 512}
    if ours:
        config |= {"tags": f"proximity;{entry};rev-{vmid:010x}", "description": notes}
    plant_guest(lab.cluster, vmid, node, "local-lxc", 2, {**config, **more}, running=running)
