"""Write a seed of any size: many nodes, thousands of guests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

APPS = ("web", "wiki", "mail", "photos", "git", "chat")
SIZES_MB = (256, 512, 512, 1024)
MEMORY_GIB = (128, 256, 384)
"""Of nodes, in turn."""
FIRST_VMID = 1000
STOPPED_OF = 10
"""One of so many guests is stopped."""


def fleet(guests: int, nodes: int, apps: Sequence[str] = APPS, tags: Sequence[str] = (), version: str = "9.2") -> dict[str, Any]:
    """A seed with one cluster. Guests are spread over nodes and apps in turn; each is tagged with its app and `tags`."""
    cluster = {
        "name": "fleet",
        "version": version,
        "like": "demo",
        "nodes": {f"pve{number}": _node(number) for number in range(1, nodes + 1)},
        "storages": {
            "local": {"type": "dir", "path": "/var/lib/vz", "content": ["vztmpl", "backup", "iso", "snippets"]},
            "local-lxc": {"type": "dir", "path": "/srv/lxc", "content": ["rootdir", "images"], "size": 8 * 1024**4},
            "shared": {
                "type": "nfs",
                "path": "/mnt/pve/shared",
                "content": ["rootdir", "images", "backup"],
                "shared": True,
                "size": 64 * 1024**4,
            },
        },
        "guests": list(_guests(guests, nodes, apps, tags)),
    }
    return {"clusters": [cluster]}


def _node(number: int) -> dict[str, Any]:
    """Each has a network of its own, large enough for all of its guests."""
    net = f"10.{63 + number}"
    bridge = {"iface": "vmbr0", "type": "bridge", "method": "static", "autostart": 1, "active": 1}
    bridge |= {"cidr": f"{net}.0.1/16", "address": f"{net}.0.1", "netmask": "16", "dhcp": [f"{net}.1.0", f"{net}.254.254"]}
    return {"cpus": 32, "memory_gib": MEMORY_GIB[number % len(MEMORY_GIB)], "disk_gib": 200, "bridges": [bridge]}


def _guests(count: int, nodes: int, apps: Sequence[str], tags: Sequence[str]) -> Iterator[dict[str, Any]]:
    for number in range(count):
        app = apps[number % len(apps)]
        yield {
            "vmid": FIRST_VMID + number,
            "node": f"pve{1 + number % nodes}",
            "storage": "local-lxc",
            "size_gib": 4,
            "running": number % STOPPED_OF != STOPPED_OF - 1,
            "config": {
                "hostname": f"{app}-{number // len(apps) + 1}",
                "tags": ";".join((app, *tags)),
                "memory": SIZES_MB[number % len(SIZES_MB)],
                "cores": 1 + number % 2,
                "net0": "name=eth0,bridge=vmbr0,ip=dhcp",
                "features": "nesting=1",
                "unprivileged": 1,
                "onboot": 1,
            },
        }
