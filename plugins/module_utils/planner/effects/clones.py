# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Effects of cloning."""

from __future__ import annotations

from dataclasses import replace

from ...model import Cluster, Fact, Guest, GuestConfig, Live, Network
from ...plans import Step
from ..facts import CLUSTER, config_fact, live_fact
from .guests import Effect, Facts


def _cloned(node: str, step: Step, known: Facts) -> Facts:
    """A copy is stopped; it has its source's tags, and a record of its own."""
    after, cluster = dict(step.after or {}), known[CLUSTER]
    source: Guest = cluster.guests[after["source"]]
    config: GuestConfig = known[config_fact(source)]
    copy = replace(
        config,
        vmid=step.id,
        digest="",
        hostname=after["hostname"],
        notes=after["notes"],
        network=_readdressed(config.network),
        more_networks={name: _readdressed(network) for name, network in config.more_networks.items()},
        disk_storage=after["storage"] or config.disk_storage,
        lock="",
        pending=(),
    )
    guest = Guest(step.id, node, name=copy.hostname, status="stopped", tags=copy.tags)
    listed: Cluster = replace(cluster, guests={**cluster.guests, step.id: guest})
    snapshots = Fact("snapshots", (node, step.id))  # which are never copied
    return {CLUSTER: listed, config_fact(guest): copy, live_fact(node, step.id): Live(running=False), snapshots: ()}


def _readdressed(network: Network) -> Network:
    """The MAC address of a copy is a new one, which nobody knows before."""
    return replace(network, rest={key: value for key, value in network.rest.items() if key != "hwaddr"})


def _removed(node: str, step: Step, known: Facts) -> Facts:
    fact = Fact("snapshots", (node, step.id))
    return {fact: tuple(name for name in known.get(fact, ()) if name != (step.before or {})["snapshot"])}


CLONE_EFFECTS: dict[tuple[str, str], Effect] = {
    ("clone", "guest"): _cloned,
    ("remove", "clone-snapshot"): _removed,
}
