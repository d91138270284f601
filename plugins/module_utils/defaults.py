# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sizes and networks as users give them, and the defaults of a site, which hold for every app that does not say otherwise."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .desired import Defaults
from .errors import SpecError
from .model import Resources
from .networks import parse_nameservers, parse_network

MINIMUM = {"cores": 1, "memory_mb": 16, "swap_mb": 0, "disk_gb": 1}
LINK = ("bridge", "vlan", "mtu", "firewall")


def parse_resources(params: Mapping[str, Any], where: str = "resources") -> Resources:
    for key, value in params.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < MINIMUM[key]):
            raise SpecError(f"{where}.{key} is '{value}': give a whole number, {MINIMUM[key]} or more.")
    return Resources(**params)


def parse_defaults(params: Mapping[str, Any]) -> Defaults:
    """Read the `defaults` parameter: `resources` and `network`, both optional."""
    network = params.get("network") or {}
    try:
        link = parse_network({key: network.get(key) for key in LINK})
        nameservers = parse_nameservers(network.get("dns"))
    except SpecError as error:
        raise SpecError(f"defaults.{error}") from error
    subnet = _subnet(network.get("subnet"))
    return Defaults(
        resources=parse_resources(params.get("resources") or {}, "defaults.resources"),
        network=link,
        subnet=subnet,
        gateway=_gateway(network.get("gateway"), subnet),
        nameservers=nameservers,
        search_domain=network.get("search_domain"),
    )


def complete_network(params: Mapping[str, Any], defaults: Defaults) -> dict[str, Any]:
    """The `network` parameter; an address of the default subnet gets the prefix and the gateway that it leaves out."""
    address, prefix = str(params.get("address") or ""), defaults.subnet.partition("/")[2]
    if not prefix or not _is_within(address, defaults.subnet):
        return dict(params)
    gateway = defaults.gateway if params.get("gateway") is None else params["gateway"]
    return {**params, "address": address if "/" in address else f"{address}/{prefix}", "gateway": gateway}


def _is_within(address: str, subnet: str) -> bool:
    try:
        network = ipaddress.IPv4Network(subnet)
        interface = ipaddress.IPv4Interface(address if "/" in address else f"{address}/{network.prefixlen}")
    except ValueError:
        return False
    return interface.network == network


def _subnet(text: str | None) -> str:
    if not text:
        return ""
    try:
        return str(ipaddress.IPv4Network(text))
    except ValueError as error:
        raise SpecError(f"defaults.network.subnet is '{text}': give an IPv4 network, such as 10.0.0.0/24 (its own bits only).") from error


def _gateway(text: str | None, subnet: str) -> str:
    if not text:
        return ""
    if not subnet:
        raise SpecError(f"defaults.network.gateway is {text} and there is no defaults.network.subnet: say which network it leads out of.")
    network = ipaddress.IPv4Network(subnet)
    try:
        gateway = ipaddress.IPv4Address(text)
    except ValueError as error:
        raise SpecError(f"defaults.network.gateway is '{text}': give an IPv4 address, such as {network[1]}.") from error
    ends = (network.network_address, network.broadcast_address) if network.prefixlen < 31 else ()
    if gateway not in network or gateway in ends:
        raise SpecError(f"defaults.network.gateway {text} is no host of defaults.network.subnet {subnet}: correct one of them.")
    return str(gateway)
