# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network part of a wish: addresses are checked before anything is asked of Proxmox."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .errors import SpecError
from .model import Network

BRIDGE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,14}")


def parse_network(params: Mapping[str, Any]) -> Network:
    """Read the `network` parameter. A gateway needs a CIDR address whose subnet holds it."""
    address = _address(params.get("address"))
    network = Network(
        bridge=_bridge(params.get("bridge")),
        address=address,
        gateway=_gateway(params.get("gateway"), address),
        vlan=_within("vlan", params.get("vlan"), 1, 4094),
        mtu=_within("mtu", params.get("mtu"), 576, 65535),
        firewall=params.get("firewall"),
        link_down=params.get("link_down"),
    )
    # An address of one's own comes with its gateway or with none; the one of another subnet would not work.
    return network if address is None or network.gateway is not None else replace(network, gateway="")


def _bridge(bridge: str | None) -> str | None:
    if bridge is not None and not BRIDGE.fullmatch(bridge):
        raise SpecError(f"network.bridge is '{bridge}': give the name of a bridge, such as vmbr0.")
    return bridge


def _address(text: str | None) -> str | None:
    if text is None or text == "dhcp":
        return text
    try:
        interface = ipaddress.IPv4Interface(text)
    except ValueError as error:
        raise SpecError(f"network.address is '{text}': give 'dhcp' or an IPv4 address with its prefix, such as 10.0.0.5/24.") from error
    network = interface.network
    if "/" not in text or (network.prefixlen < 31 and interface.ip in (network.network_address, network.broadcast_address)):
        raise SpecError(f"network.address is '{text}', which is no host's address with its prefix; give one such as 10.0.0.5/24.")
    return interface.with_prefixlen


def _gateway(text: str | None, address: str | None) -> str | None:
    if not text:
        return text
    try:
        gateway = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise SpecError(f"network.gateway is '{text}': give an IPv4 address, such as 10.0.0.1.") from error
    if address in (None, "dhcp"):
        raise SpecError(
            f"network.gateway is {text} and network.address is {address or 'not given'}: "
            "a gateway needs an address with its prefix; DHCP brings its own."
        )
    interface = ipaddress.IPv4Interface(address or "")
    if gateway not in interface.network or gateway == interface.ip:
        raise SpecError(
            f"network.gateway {text} is no other host of the subnet {interface.network} of network.address {address}: correct one of them."
        )
    return str(gateway)


def _within(key: str, number: int | None, first: int, last: int) -> int | None:
    if number and not first <= number <= last:
        raise SpecError(f"network.{key} is {number}: give a number from {first} to {last}, or 0 for none.")
    return number


def parse_nameservers(addresses: Sequence[str] | None) -> tuple[str, ...] | None:
    for address in addresses or ():
        try:
            ipaddress.ip_address(address)
        except ValueError as error:
            raise SpecError(f"network.dns holds '{address}': give addresses of name servers, such as 10.0.0.1.") from error
    return None if addresses is None else tuple(addresses)
