# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Containers, one function per endpoint. Deeds answer a task's UPID, or nothing where Proxmox is done at once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from ..api import Client
from ..model import GuestConfig, Live
from ..wire.sizes import format_size_mb
from .configs import format_changes, format_config, parse_pending
from .refusals import state_may_have_moved


def _path(node: str, vmid: int) -> str:
    return f"/nodes/{node}/lxc/{vmid}"


def observe_config(client: Client, node: str, vmid: int, poll: bool = False) -> GuestConfig:
    """Read the configuration, and in the same call what of it waits for a restart."""
    return parse_pending(vmid, client.get(f"{_path(node, vmid)}/pending", poll=poll))


def observe_live(client: Client, node: str, vmid: int, poll: bool = False) -> Live:
    """Whether a guest runs, and its addresses: Proxmox answers null for a stopped one."""
    interfaces = client.get(f"{_path(node, vmid)}/interfaces", poll=poll)
    if interfaces is None:
        return Live(running=False)
    return Live(running=True, addresses={str(each["name"]): _addresses(each) for each in interfaces})


def observe_started(client: Client, node: str, vmid: int, now: datetime) -> datetime | None:
    """When a guest was started; None for a stopped one."""
    status = client.get(f"{_path(node, vmid)}/status/current")
    if status.get("status") != "running":
        return None
    return now - timedelta(seconds=max(0, int(status.get("uptime") or 0)))  # it may be -1 at first


def making_has_ended(client: Client, node: str, vmid: int) -> bool:
    """Whether the task that was to make a guest is seen to be over. A worker that dies leaves the guest's lock behind for ever."""
    rows = client.get(f"/nodes/{node}/tasks", poll=True, vmid=vmid, source="all")
    making = [row for row in rows if row.get("type") in ("vzcreate", "vzrestore")]
    return bool(making) and all(row.get("endtime") for row in making)


def create_guest(client: Client, node: str, vmid: int, wish: Mapping[str, Any]) -> str:
    form = {
        "vmid": vmid,
        "ostemplate": wish["template"],
        "rootfs": f"{wish['storage']}:{wish['disk_gb']}",
        "unprivileged": 1,  # the default is 0 in 8.4
        "features": "nesting=1",  # what docker needs, and all that a token may set
        "start": int(wish["running"]),
        **format_config(wish),
    }
    if wish.get("pool"):
        form["pool"] = wish["pool"]
    if wish.get("ssh_public_keys"):
        form["ssh-public-keys"] = "\n".join(wish["ssh_public_keys"])
    with state_may_have_moved():
        return str(client.post(f"/nodes/{node}/lxc", **form))


def update_config(client: Client, node: str, vmid: int, changes: Mapping[str, Any], digest: str) -> None:
    with state_may_have_moved():
        client.put(f"{_path(node, vmid)}/config", **format_changes(changes), digest=digest)


def resize_disk(client: Client, node: str, vmid: int, size_mb: int) -> str:
    with state_may_have_moved():
        return str(client.put(f"{_path(node, vmid)}/resize", disk="rootfs", size=format_size_mb(size_mb)))


def start_guest(client: Client, node: str, vmid: int) -> str:
    with state_may_have_moved():
        return str(client.post(f"{_path(node, vmid)}/status/start"))


def stop_guest(client: Client, node: str, vmid: int, shutdown_s: int) -> str:
    """Ask a guest to shut down, and stop it when it has not done so in its time."""
    with state_may_have_moved():
        return str(client.post(f"{_path(node, vmid)}/status/shutdown", timeout=shutdown_s, forceStop=1))


def restart_guest(client: Client, node: str, vmid: int, shutdown_s: int) -> str:
    """Shut a guest down and start it; Proxmox ends it by force after the time."""
    with state_may_have_moved():
        return str(client.post(f"{_path(node, vmid)}/status/reboot", timeout=shutdown_s))


def delete_guest(client: Client, node: str, vmid: int) -> str:
    with state_may_have_moved():
        return str(client.delete(_path(node, vmid), purge=1))


def _addresses(interface: Mapping[str, Any]) -> tuple[str, ...]:
    """IPv4 first; addresses that only hold on the link or in the guest are left out."""
    given = [str(interface[key]).partition("/")[0] for key in ("inet", "inet6") if interface.get(key)]
    return tuple(address for address in given if not address.startswith(("127.", "169.254.", "fe80:", "::1")))
