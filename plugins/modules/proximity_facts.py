#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What there is on a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_facts
short_description: What there is on a Proxmox VE cluster
version_added: 0.1.0
description:
  - Tells of a cluster's version, quorum and health, its nodes and storages, its apps and other containers, ports and backups.
  - It takes a handful of calls, however many guests there are. What costs a call for each guest or node is only read where
    O(gather_subset) asks for it.
  - What the token may not read is V(null), and RV(cluster.denied) says why. RV(cluster.health.rights) says which privileges are missing
    on which path for which feature.
  - It changes nothing.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.defaults
  - proximity.platform.proximity.attributes
attributes:
  diff_mode:
    support: none
    details:
      - There is nothing that could differ.
options:
  gather_subset:
    description:
      - The parts to read; V(all) is every one of them.
      - V(connection) is a test of the connection, V(version) and V(quorum) are what they say, V(health) judges all of them.
      - V(nodes), V(storages), V(apps), V(unmanaged) (other containers) and V(ports) come from one call together.
      - V(ports) takes another call for the reservations, where there are any.
      - V(records) reads the notes of each chosen app, in a call each. Only they tell an app's owner, its URL, and what it is busy with.
      - V(addresses) asks each chosen container that runs for its addresses, in a call each.
      - V(copies) finds clones and restored containers that carry the record of another one. It reads notes as V(records) does.
      - V(node_details) adds version, kernel and load to each node, in a call each.
      - V(settings) holds the O(defaults) for new apps against the bridges of each node, in a call each.
      - V(backups) reads the list of each storage for backups on each of its nodes, a shared one once.
    type: list
    elements: str
    choices:
      - all
      - connection
      - version
      - quorum
      - health
      - nodes
      - storages
      - apps
      - unmanaged
      - ports
      - settings
      - node_details
      - records
      - addresses
      - copies
      - backups
    default: [connection, version, quorum, health, nodes, storages, apps, unmanaged, ports]
  name:
    description:
      - Only containers of these names.
    type: list
    elements: str
  status:
    description:
      - Only containers of this status, such as V(running), V(stopped), V(error) or V(deploying).
      - Other statuses than V(running), V(stopped) and V(unknown) need V(records).
    type: list
    elements: str
  catalog_id:
    description:
      - Only apps of these entries of the catalog.
    type: list
    elements: str
  owner:
    description:
      - Only apps of these owners. Owners stand in records, so that this reads the notes of each app.
    type: list
    elements: str
  node:
    description:
      - Only these nodes and their containers.
    type: list
    elements: str
  text:
    description:
      - Only containers with this text in their name, number, node, tags, owner, URL, address or problem, in capitals or not.
    type: str
  port_range:
    description:
      - Where the apps' slots are.
    type: dict
    suboptions:
      public:
        description: First and last public port. V(8100-8999) where it is not given.
        type: str
      internal:
        description: First and last internal port. V(9100-9999) where it is not given.
        type: str
      first_vmid:
        description: Number of the first slot's container. The first public port where it is not given.
        type: int
      ledger:
        description: Name of the mapping that holds the reservations, and of the pool that tells of it. Defaults to V(proximity-ports).
        type: str
  threads:
    description:
      - How many calls for single containers, nodes and storages are under way at a time; from 1 to 32.
    type: int
    default: 8
"""

EXAMPLES = r"""
- name: Everything that takes no call for each guest
  proximity.platform.proximity_facts:
    api_host: pve1.example.net
  register: seen

- name: Whether the API answers, and who it takes us for
  proximity.platform.proximity_facts:
    gather_subset: [connection]

- name: What the token lacks
  proximity.platform.proximity_facts:
    gather_subset: [health]

- name: Anna's apps, with addresses
  proximity.platform.proximity_facts:
    gather_subset: [apps, records, addresses]
    owner: [anna]

- name: Whether new apps find the network that they are to have
  proximity.platform.proximity_facts:
    gather_subset: [settings]
    defaults:
      network:
        bridge: vmbr1
        subnet: 192.0.2.0/24
        gateway: 192.0.2.1

- name: Apps without a backup
  proximity.platform.proximity_facts:
    gather_subset: [apps, backups]
"""

RETURN = r"""
cluster:
  description: What was asked for. A part that was not is missing.
  returned: success
  type: dict
  contains:
    connection:
      description: "The API: ok, url, who, verified (its certificate), latency_ms of the first call, and lab (or genuine)."
      type: dict
      returned: with C(connection)
    version:
      description: "Release, full version, and whether this is the embedded lab."
      type: dict
      returned: with C(version)
    quorum:
      description: "cluster_name, quorate, standalone, the node that answers, and the nodes' addresses. Null without Sys.Audit on C(/)."
      type: dict
      returned: with C(quorum)
    health:
      description: What stands in the way of the main work.
      type: dict
      returned: with C(health)
      contains:
        ok: {description: Whether nothing does., type: bool, returned: always}
        problems: {description: In sentences., type: list, elements: str, returned: always}
        lab: {description: Whether this is the embedded lab and no genuine Proxmox VE., type: bool, returned: always}
        nodes_offline: {description: Names of nodes that are offline., type: list, elements: str, returned: always}
        storages_unavailable: {description: "Storages that a node misses: name, node.", type: list, elements: dict, returned: always}
        rights:
          description:
            - What the token may do. C(features) says V(yes), V(partly) or V(no) of each feature.
            - C(missing) lists feature, path, privileges, and held_on, the paths beneath where they are held.
          type: dict
          returned: always
    nodes:
      description: "Each with online, cpu_percent, cores, memory_mb, memory_max_mb, disk_mb, disk_max_mb, uptime_s, containers,
        containers_running. The figures are null without Sys.Audit."
      type: list
      elements: dict
      returned: with C(nodes) or C(node_details)
    storages:
      description: "Each storage as each node sees it: name, node, type, content, shared, available, used_mb, size_mb."
      type: list
      elements: dict
      returned: with C(storages)
    apps:
      description: The apps.
      type: list
      elements: dict
      returned: with C(apps)
      contains:
        name: {description: Its name., type: str, returned: always}
        vmid: {description: Number of its container., type: int, returned: always}
        node: {description: Node of its container., type: str, returned: always}
        status: {description: Its record together with what its container does., type: str, returned: always}
        power: {description: What its container does., type: str, returned: always}
        entry:
          description: Its entry of the catalog. Null where only its record tells it from a tag of the user, and that was not read.
          type: str
          returned: always
        revision: {description: The revision that runs., type: str, returned: always}
        tags: {description: All tags of its container., type: list, elements: str, returned: always}
        ports: {description: "Its ports: public and internal.", type: dict, returned: always}
        usage:
          description: "cpu_percent, cores, memory_mb, memory_max_mb, disk_mb, disk_max_mb."
          type: dict
          returned: always
        uptime_s: {description: Seconds since it was started., type: int, returned: always}
        lock: {description: What Proxmox is doing with it., type: str, returned: always}
        pool: {description: Its pool., type: str, returned: always}
        template: {description: Whether it is a template., type: bool, returned: always}
        owner: {description: Whose it is. Null without records., type: str, returned: always}
        url: {description: Where its web pages are. Null without records., type: str, returned: always}
        record: {description: The record in its notes. Null without records., type: dict, returned: always}
        address: {description: Its address. Null without addresses., type: str, returned: always}
        addresses: {description: All its addresses. Null without addresses., type: list, elements: str, returned: always}
        problem: {description: What failed with it or could not be read of it., type: str, returned: always}
    unmanaged:
      description: Other containers, with name, vmid, node, status, tags, usage, uptime_s, lock, pool, template.
      type: list
      elements: dict
      returned: with C(unmanaged)
    copies:
      description: "Containers that carry another one's record: vmid, node, name, of (the other one's number), app."
      type: list
      elements: dict
      returned: with C(copies)
    ports:
      description: "public and internal, each with first, last, used and free, and all pairs in use: public, internal, name, vmid,
        and by, which is V(number) (of the container), V(adopted) or V(reserved)."
      type: dict
      returned: with C(ports)
    settings:
      description: "Whether defaults fit: ok, problems in sentences, the bridge that is meant, and the bridges of each node."
      type: dict
      returned: with C(settings)
    backups:
      description: "count, size_mb, storages and guests (count, size_mb, oldest, newest of each), and without, the apps that have none."
      type: dict
      returned: with C(backups)
    denied:
      description: "What the token may not read: what, and what Proxmox said."
      type: list
      elements: dict
      returned: always
calls:
  description: How many calls of the API it took, as reads, writes and polls.
  returned: success
  type: dict
"""

from ansible_collections.proximity.platform.plugins.module_utils.arguments import defaults_argument
from ansible_collections.proximity.platform.plugins.module_utils.facts import PARTS, USUAL, gather, question_of
from ansible_collections.proximity.platform.plugins.module_utils.module import tell

INT = {"type": "int"}
STR = {"type": "str"}
TEXTS = {"type": "list", "elements": "str"}


def argument_spec():
    return {
        "gather_subset": TEXTS | {"choices": ["all", *PARTS], "default": list(USUAL)},
        "name": TEXTS,
        "status": TEXTS,
        "catalog_id": TEXTS,
        "owner": TEXTS,
        "node": TEXTS,
        "text": STR,
        "port_range": {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
        "threads": INT | {"default": 8},
        "defaults": defaults_argument(),
    }


def main():
    tell(argument_spec(), "cluster", question_of, gather)


if __name__ == "__main__":
    main()
