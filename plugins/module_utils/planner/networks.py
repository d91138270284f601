# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The network of what comes back from a backup.

A new app is nobody's double: it has addresses of its own, or its cables are out, and it is on no bridge at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ..archives import Archive
from ..backups import DesiredBackup
from ..errors import PlanError
from ..model import Fact, GuestConfig, Network, Observed
from . import facts

BY_HAND = "manual"
UNFIXED = ("", "dhcp", "auto", BY_HAND)


def network_of(wish: DesiredBackup, archive: Archive, saved: GuestConfig, node: str, observed: Observed) -> Network:
    """That of the backup, over the map of bridges, with what is asked for. Without a cable any bridge of the node will do."""
    old, asked = saved.network, wish.restoring.network
    managed = {key: value for key, value in vars(asked).items() if value is not None and key != "rest"}
    network = replace(_over_bridges(wish, old), **managed)
    if _is_copy(wish):
        if old.address not in UNFIXED and asked.address is None:
            raise PlanError(f"Backup {archive.volume} has the fixed address {old.address}: give the new app network.address, such as dhcp.")
        network = replace(network, rest=_own(archive, "net0", network))
    return network if asked.bridge else _somewhere(network, node, observed)


def more_networks_of(wish: DesiredBackup, archive: Archive, saved: GuestConfig, node: str, observed: Observed) -> dict[str, Network]:
    """The further interfaces of a new app, as far as they are not simply as in the backup."""
    if not _is_copy(wish):
        return {}
    every = {name: _further(wish, archive, name, network) for name, network in sorted(saved.more_networks.items())}
    return {name: _somewhere(network, node, observed) for name, network in every.items()}


def _is_copy(wish: DesiredBackup) -> bool:
    return wish.restoring.name not in ("", wish.name)


def _further(wish: DesiredBackup, archive: Archive, name: str, old: Network) -> Network:
    down = bool(wish.restoring.network.link_down or old.link_down)
    network = replace(_over_bridges(wish, old), link_down=down)
    if down:  # there is nobody to be asked for an address
        network = replace(network, address=BY_HAND, gateway="")
    elif old.address not in UNFIXED:
        raise _double(archive, name, old.address or "")
    return replace(network, rest=_own(archive, name, network))


def _over_bridges(wish: DesiredBackup, network: Network) -> Network:
    return replace(network, bridge=wish.restoring.bridge_map.get(network.bridge or "", network.bridge))


def _somewhere(network: Network, node: str, observed: Observed) -> Network:
    """At a bridge that the node has, if it does not matter which."""
    if not network.link_down:
        return network
    here = facts.known(observed, Fact("bridges", (node,)))[0]
    return replace(network, bridge=network.bridge if network.bridge in here else min(here, default=network.bridge))


def _own(archive: Archive, name: str, network: Network) -> Mapping[str, str]:
    """What nobody manages, less what two guests must not have both: the MAC address, and fixed addresses of version 6."""
    rest = {key: value for key, value in network.rest.items() if key != "hwaddr"}
    if network.link_down and "ip6" in rest:
        rest = {key: value for key, value in rest.items() if key != "gw6"} | {"ip6": BY_HAND}
    elif rest.get("ip6", "") not in UNFIXED:
        raise _double(archive, name, rest["ip6"])
    return rest


def _double(archive: Archive, name: str, address: str) -> PlanError:
    return PlanError(
        f"Backup {archive.volume} has the fixed address {address} at its interface {name}, and both guests would have it. "
        "Set network.link_down: true, which takes the cables out of the new app, and give it another one in Proxmox."
    )
