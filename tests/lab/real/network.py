"""Networks of running guests: which bridges there are, what a guest has, and changes while it runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lab.guests.runtime import RuntimeFailure
from lab.real.node import Node
from lab.real.properties import Nic
from lab.real.shell import run, succeeds


def prepare_bridges(node: Node, networks: Sequence[Nic]) -> None:
    """Refuse an unknown bridge in Proxmox's words; make the bridge of a VLAN, which is one of its own on the node.

    What has no cable needs neither.
    """
    listed = json.loads(node.run(["ip", "-j", "link", "show", "type", "bridge"]) or "[]")
    known = {link["ifname"] for link in listed if link}
    for nic in (nic for nic in networks if not nic.link_down):
        if nic.bridge not in known:
            raise RuntimeFailure(f"bridge '{nic.bridge}' does not exist")
        if nic.segment not in known:
            node.run(["ip", "link", "add", nic.segment, "type", "bridge", "stp_state", "0", "forward_delay", "0"])
            node.run(["ip", "link", "set", nic.segment, "up"])
            known.add(nic.segment)


def in_guest(pid: int, *command: str) -> list[str]:
    """A command line of the machine's own `ip` in a guest's network namespace."""
    return ["nsenter", "-t", str(pid), "-n", "--", *command]


def in_node_network(node: Node, *command: str) -> list[str]:
    """Only the network namespace: numbers of processes stay the machine's."""
    return ["nsenter", "-t", str(node.init.pid), "-n", "--", *command]


def replug(node: Node, vmid: int, pid: int, before: Sequence[Nic], after: Sequence[Nic]) -> None:
    """Bring a running guest's networks from one configuration to another. As in Proxmox, DHCP is the guest's own affair."""
    had = {nic.number: nic for nic in before}
    wanted = {nic.number: nic for nic in after}
    for number, nic in had.items():
        if number not in wanted or _wire(wanted[number]) != _wire(nic):
            succeeds(in_node_network(node, "ip", "link", "del", nic.veth(vmid)))
    for number, nic in wanted.items():
        old = had.get(number)
        if old is None or _wire(old) != _wire(nic):
            _plug(node, vmid, pid, nic)
            _set_address(pid, nic, None)
        elif (old.ip, old.gateway, old.ip6, old.gateway6) != (nic.ip, nic.gateway, nic.ip6, nic.gateway6):
            _set_address(pid, nic, old)
        place = ["down", "nomaster"] if nic.link_down else ["master", nic.segment, "up"]
        run(in_node_network(node, "ip", "link", "set", nic.veth(vmid), *place))


def _wire(nic: Nic) -> tuple[object, ...]:
    """What cannot change without unplugging."""
    return nic.name, nic.segment, nic.hwaddr.lower(), nic.mtu


def _plug(node: Node, vmid: int, pid: int, nic: Nic) -> None:
    address = ["address", nic.hwaddr.lower()] if nic.hwaddr else []
    mtu = ["mtu", str(nic.mtu)] if nic.mtu else []
    run(
        in_node_network(
            node, "ip", "link", "add", nic.veth(vmid), *mtu, "type", "veth", "peer", "name", nic.name, *address, *mtu, "netns", str(pid)
        )
    )
    run(in_guest(pid, "ip", "link", "set", nic.name, "up"))


def _set_address(pid: int, nic: Nic, old: Nic | None) -> None:
    """Static addresses and default routes; those of before go."""
    for family, address, gateway, gone in (("-4", nic.ip, nic.gateway, old and old.ip), ("-6", nic.ip6, nic.gateway6, old and old.ip6)):
        if gone and "/" in gone and gone != address:
            succeeds(in_guest(pid, "ip", family, "address", "del", gone, "dev", nic.name))
        if "/" in address:
            run(in_guest(pid, "ip", family, "address", "replace", address, "dev", nic.name))
            if gateway:
                run(in_guest(pid, "ip", family, "route", "replace", "default", "via", gateway, "dev", nic.name, "onlink"))


def interfaces(pid: int) -> list[dict[str, Any]]:
    """As Proxmox lists them: prefixes are texts, hardware addresses in lower case."""
    links = json.loads(run(in_guest(pid, "ip", "-j", "address", "show")))
    return [_interface(link) for link in links if link.get("ifname")]


def _interface(link: dict[str, Any]) -> dict[str, Any]:
    hardware = str(link.get("address", "00:00:00:00:00:00")).lower()
    shown: dict[str, Any] = {"name": link["ifname"], "hwaddr": hardware, "hardware-address": hardware}
    addresses = []
    for info in link.get("addr_info", []):
        shown.setdefault(info["family"], f"{info['local']}/{info['prefixlen']}")
        addresses.append({"ip-address": info["local"], "ip-address-type": info["family"], "prefix": str(info["prefixlen"])})
    return {**shown, "ip-addresses": addresses} if addresses else shown
