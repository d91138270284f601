"""The files that Proxmox writes into a guest: network, names, keys. Pure text; `rootfs` puts them there."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from lab.guests.runtime import Config
from lab.real.properties import Nic, hostname, nics

BEGIN = "# --- BEGIN PVE ---"
END = "# --- END PVE ---"


@dataclass(frozen=True)
class GuestFile:
    """A file to be put into a guest's root file system; `path` has no leading slash."""

    path: str
    text: str
    mode: int = 0o644


@dataclass(frozen=True)
class Found:
    """What the root file system says of itself: how it brings networks up, and files of which only our section changes."""

    ifupdown: bool
    networkd: bool
    hosts: str = ""
    resolv: str = ""


def with_section(text: str, section: str) -> str:
    """A file with our marked section replaced or put first; the user's lines stay."""
    ours = f"{BEGIN}\n{section.rstrip()}\n{END}\n"
    before, begin, rest = text.partition(BEGIN + "\n")
    if not begin:
        return ours + text
    return before + ours + rest.partition(END + "\n")[2]


def interfaces(networks: Sequence[Nic]) -> str:
    """/etc/network/interfaces, for ifupdown (Debian) and BusyBox's (Alpine)."""
    text = "auto lo\niface lo inet loopback\n"
    for nic in networks:
        text += f"\nauto {nic.name}\n" + _stanza(nic.name, "inet", nic.ip, nic.gateway)
        if nic.ip6:
            text += _stanza(nic.name, "inet6", nic.ip6, nic.gateway6)
    return text + "\nsource /etc/network/interfaces.d/*\n"


def _stanza(name: str, family: str, address: str, gateway: str) -> str:
    if address in ("dhcp", "auto"):
        return f"iface {name} {family} {address}\n"
    if not address or address == "manual":
        return f"iface {name} {family} manual\n"
    text = f"iface {name} {family} static\n\taddress {address}\n"
    if gateway and _on_link(address, gateway):
        text += f"\tgateway {gateway}\n"
    elif gateway:
        text += f"\tpost-up ip route add {gateway} dev {name}\n\tpost-up ip route add default via {gateway} dev {name}\n"
    return text


def _on_link(cidr: str, gateway: str) -> bool:
    return ipaddress.ip_address(gateway) in ipaddress.ip_interface(cidr).network


def networkd(nic: Nic) -> str:
    """A .network file for systemd-networkd (Ubuntu and others)."""
    dhcp = {(True, True): "yes", (True, False): "ipv4", (False, True): "ipv6"}.get((nic.ip == "dhcp", nic.ip6 == "dhcp"), "no")
    lines = [
        "[Match]",
        f"Name = {nic.name}",
        "",
        "[Network]",
        f"Description = Interface {nic.name} autoconfigured by PVE",
        f"DHCP = {dhcp}",
        f"IPv6AcceptRA = {'yes' if nic.ip6 == 'auto' else 'no'}",
    ]
    for address, gateway in ((nic.ip, nic.gateway), (nic.ip6, nic.gateway6)):
        if "/" in address:
            lines.append(f"Address = {address}")
            if gateway:
                lines += (
                    [f"Gateway = {gateway}"]
                    if _on_link(address, gateway)
                    else ["", "[Route]", f"Gateway = {gateway}", "GatewayOnLink = yes"]
                )
    return "\n".join(lines) + "\n"


def names(vmid: int, config: Config, found: Found, dns: str) -> list[GuestFile]:
    """Host name, hosts and resolver; without a setting of its own a guest gets the node's resolver."""
    name = hostname(vmid, config)
    short = name.partition(".")[0]
    domains = str(config.get("searchdomain") or "lab").replace(",", " ").split() or ["lab"]
    full = name if "." in name else f"{name}.{domains[0]}"
    static = next((nic.ip.partition("/")[0] for nic in nics(config) if "/" in nic.ip), "127.0.1.1")
    hosts = with_section(found.hosts or "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n", f"{static} {full} {short}")
    servers = str(config.get("nameserver") or dns).replace(",", " ").split()
    resolver = "\n".join([f"search {' '.join(domains)}", *(f"nameserver {server}" for server in servers)])
    return [
        GuestFile("etc/hostname", f"{name}\n"),
        GuestFile("etc/hosts", hosts),
        GuestFile("etc/resolv.conf", with_section(found.resolv, resolver)),
    ]


def at_start(vmid: int, config: Config, found: Found, dns: str) -> list[GuestFile]:
    """What is written before every start."""
    files = names(vmid, config, found, dns)
    if found.ifupdown:
        files.append(GuestFile("etc/network/interfaces", interfaces(nics(config))))
    elif found.networkd:
        files += [GuestFile(f"etc/systemd/network/{nic.name}.network", networkd(nic)) for nic in nics(config)]
    return files


def shadow_with_password(shadow: str, password_hash: str) -> str:
    """/etc/shadow with root's password set."""
    lines = [":".join(["root", password_hash, *line.split(":")[2:]]) if line.startswith("root:") else line for line in shadow.splitlines()]
    return "\n".join(lines) + "\n"


def authorized_keys(keys: str) -> GuestFile:
    """Proxmox takes the keys as one text, a key a line."""
    return GuestFile("root/.ssh/authorized_keys", "\n".join(line for line in keys.splitlines() if line.strip()) + "\n", 0o600)
