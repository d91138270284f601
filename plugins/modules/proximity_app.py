#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""An app of the catalog in a container of its own."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_app
short_description: An app of the catalog in an LXC container of its own
version_added: 0.1.0
description:
  - Creates, adjusts, starts, stops and deletes the LXC container of an app.
  - Role P(proximity.platform.app#role) uses it, and does the work in the container.
  - The app's record stands in the container's notes and in its tags. There is no other database.
  - "The container's number is its slot: it decides the app's public and internal port."
  - What is left out, or V(null), is not managed. What is empty is made empty.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  name:
    description:
      - The app's name, which is also its container's hostname. 1 to 63 lower-case letters, digits and hyphens.
    type: str
    required: true
  state:
    description:
      - V(started) means that the app exists and runs.
      - V(present) means that it exists. A stopped one is started only to roll out something new.
      - V(stopped) means that it exists and does not run.
      - V(restarted) means that it runs and was started after O(restarted_after).
      - V(absent) means that there is no such app. It is shut down and destroyed with its disk. Backups stay.
    type: str
    choices: [present, started, stopped, restarted, absent]
    default: started
  restarted_after:
    description:
      - The moment after which the app must have been started, in ISO 8601 with a zone, such as V(2026-03-01T04:00:00Z).
      - Needed for O(state=restarted). Running again with the same moment does not restart it again.
    type: str
  catalog_id:
    description:
      - Folder name of the app's entry in the catalog. Needed to create an app, or O(definition) instead.
    type: str
  catalog_paths:
    description:
      - Folders with entries, looked at before the collection's own catalog. The first that has the entry wins.
    type: list
    elements: path
  definition:
    description:
      - An entry given inline, as a mapping of what C(entry.yml) holds.
      - Beyond that it holds the text of the Compose file as C(compose), and the text of files as C(files[].content).
    type: dict
  options:
    description:
      - Values for the entry's options.
    type: dict
    default: {}
  environment:
    description:
      - Further variables for the Compose file, beyond the entry's options. Only their names are kept in the record.
    type: dict
    default: {}
  owner:
    description:
      - Whose app it is, as a word for people and for filters. It grants nothing.
    type: str
  node:
    description:
      - Node for a new app. Without it, the online node with the most free memory that has the storage, the template and the bridge.
      - An app that exists is not moved; a warning tells when it is elsewhere.
    type: str
  storage:
    description:
      - Storage for the disk of a new app. Without it, the one with the most room on the node.
    type: str
  template:
    description:
      - Template for a new app, as a volume, a file name, or the beginning of one. The newest that fits is used.
    type: str
    default: debian-13
  pool:
    description:
      - Resource pool for a new app.
    type: str
  ssh_public_keys:
    description:
      - Public keys that may log in to a new app's container as root.
    type: list
    elements: str
  resources:
    description:
      - Size of the container. A new one gets what the entry recommends for whatever is left out here.
    type: dict
    suboptions:
      cores:
        description: Number of CPU cores.
        type: int
      memory_mb:
        description: Memory, in MiB.
        type: int
      swap_mb:
        description: Swap, in MiB.
        type: int
      disk_gb:
        description: Size of the disk, in GiB. It can grow and never shrinks.
        type: int
  network:
    description:
      - The container's network interface and resolver. Its MAC address is never changed.
    type: dict
    suboptions:
      bridge:
        description: Bridge of the node; V(vmbr0) for a new app.
        type: str
      address:
        description: V(dhcp), or an IPv4 address with its prefix, such as V(10.0.0.5/24). V(dhcp) for a new app.
        type: str
      gateway:
        description: IPv4 address of the gateway, in the subnet of O(network.address).
        type: str
      vlan:
        description: VLAN tag; V(0) for none.
        type: int
      mtu:
        description: MTU; V(0) for that of the bridge.
        type: int
      firewall:
        description: Whether the firewall of Proxmox filters this interface.
        type: bool
      dns:
        description: Addresses of name servers; an empty list for those of the node.
        type: list
        elements: str
      search_domain:
        description: Domain that names are looked up in; empty for that of the node.
        type: str
  onboot:
    description:
      - Whether the app starts with its node. A new app does unless this is V(false).
    type: bool
  startup:
    description:
      - Order and delays of starting and stopping with the node, such as V(order=2,up=30).
    type: str
  protection:
    description:
      - Whether Proxmox refuses to destroy the container.
    type: bool
  tags:
    description:
      - Tags of your own, beside those that Proximity sets. Exactly these; an empty list removes yours.
    type: list
    elements: str
  port_range:
    description:
      - The slots of apps. The n-th slot has the n-th number, the n-th public and the n-th internal port.
    type: dict
    suboptions:
      public:
        description: First and last public port. Defaults to V(8100-8999).
        type: str
      internal:
        description: First and last internal port, of the same length. Defaults to V(9100-9999).
        type: str
      first_vmid:
        description: Container number of the first slot; the first public port unless given.
        type: int
      ledger:
        description: Name of the mapping with reserved slots, and of the pool that tells of it. Defaults to V(proximity-ports).
        type: str
  on_failure:
    description:
      - What becomes of a first deployment that fails.
      - V(cleanup) destroys it, unless another run has taken it over; V(keep) leaves it for you to look at.
      - An app that ever ran is never destroyed.
    type: str
    choices: [cleanup, keep]
    default: cleanup
  timeouts:
    description:
      - How long things may take, in seconds.
    type: dict
    suboptions:
      create_s:
        description: Creating, growing and deleting. Defaults to V(600).
        type: int
      start_s:
        description: Starting. Defaults to V(120).
        type: int
      shutdown_s:
        description: Shutting down, before it is stopped by force. Defaults to V(60).
        type: int
      address_s:
        description: Until a started app has an address. Defaults to V(90).
        type: int
      lease_s:
        description: How long a run that is no longer heard of keeps others off the app. Defaults to V(1800).
        type: int
  ignore_protection:
    description:
      - With O(state=absent), delete the app although it is protected.
    type: bool
    default: false
  destroy_adopted:
    description:
      - With O(state=absent), destroy an app that was adopted. Without it, such an app is forgotten, and its container stays as it was.
    type: bool
    default: false
  take_over_lease:
    description:
      - Work on the app although another run holds it. For when you know that this run is gone.
    type: bool
    default: false
  verify:
    description:
      - Ask for the work in the container (RV(app.converge)) although the revision matches.
    type: bool
    default: false
  report:
    description:
      - What came of the work in the container. It completes the record, and nothing else is looked at.
    type: dict
    suboptions:
      vmid:
        description: RV(app.vmid) of the deployment.
        type: int
        required: true
      node:
        description: RV(app.node) of the deployment.
        type: str
        required: true
      healthy:
        description: Whether the app answers.
        type: bool
        required: true
      revision:
        description: RV(app.revision) of the deployment; what was wanted, unless given.
        type: str
      step:
        description: Where it failed, in a word.
        type: str
      error:
        description: What was said there.
        type: str
      address:
        description: RV(app.address) of the deployment, for the line that people read in the notes.
        type: str
"""

EXAMPLES = r"""
- name: A feed reader that runs
  proximity.platform.proximity_app:
    name: feeds
    catalog_id: miniflux

- name: Its size and its address
  proximity.platform.proximity_app:
    name: feeds
    catalog_id: miniflux
    resources:
      memory_mb: 1024
      disk_gb: 10
    network:
      address: 10.0.0.5/24
      gateway: 10.0.0.1

- name: What it would do, on a named node and storage
  proximity.platform.proximity_app:
    name: feeds
    catalog_id: miniflux
    node: pve1
    storage: local-lvm
  check_mode: true
  diff: true

- name: Stopped for the night
  proximity.platform.proximity_app:
    name: feeds
    state: stopped

- name: Started since the node got its new kernel
  proximity.platform.proximity_app:
    name: feeds
    state: restarted
    restarted_after: "2026-03-01T04:00:00Z"

- name: No longer there, although it is protected
  proximity.platform.proximity_app:
    name: feeds
    state: absent
    ignore_protection: true
"""

RETURN = r"""
app:
  description: The app as it is now, or in check mode as it would be.
  returned: success
  type: dict
  contains:
    name: {description: Its name., type: str, returned: always}
    vmid: {description: Number of its container; null for an absent app., type: int, returned: always}
    node: {description: Node of its container., type: str, returned: always}
    status:
      description:
        - Its record together with what its container does.
        - V(absent), V(deploying), V(updating), V(running), V(stopped), V(error), among others.
      type: str
      returned: always
    entry: {description: Entry of the catalog., type: str, returned: when it exists}
    entry_version: {description: Version of the entry that runs., type: str, returned: when it exists}
    revision: {description: Revision that is wanted; C(record.revision) is the one that runs., type: str, returned: when it exists}
    converge: {description: Whether there is work to do in the container., type: bool, returned: always}
    first: {description: Whether it has never run before., type: bool, returned: always}
    address: {description: Its address., type: str, returned: always}
    ports: {description: "Its slot's ports: public and internal.", type: dict, returned: when it exists}
    url: {description: Where its web pages are., type: str, returned: always}
    live: {description: "What its container does: status and uptime_s.", type: dict, returned: when it exists}
    owner: {description: Whose it is., type: str, returned: when it exists}
    record: {description: The record in its container's notes., type: dict, returned: always}
plan:
  description: What was done, or would be.
  returned: always
  type: list
  elements: dict
  contains:
    verb: {description: V(create) for example., type: str, returned: always}
    kind: {description: V(guest) for example., type: str, returned: always}
    id: {description: Number of the container., type: int, returned: always}
    before: {description: Values before., type: dict, returned: always}
    after: {description: Values after., type: dict, returned: always}
log:
  description: What happened, line by line, with time, level, step and message.
  returned: always
  type: list
  elements: dict
calls:
  description: How many calls of the API it took, as reads, writes and polls.
  returned: always
  type: dict
steps:
  description: Which steps were done, which one failed, and which were not started.
  returned: when a step failed
  type: dict
task:
  description: "The task of Proxmox that failed: upid, exitstatus, and its log's last lines."
  returned: when a task failed
  type: dict
"""

from ansible_collections.proximity.platform.plugins.module_utils.module import run
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app

INT = {"type": "int"}
STR = {"type": "str"}
BOOL = {"type": "bool"}
TEXTS = {"type": "list", "elements": "str"}
VALUES = {"type": "dict", "default": {}}
OFF = {"type": "bool", "default": False}
NETWORK = {"bridge": STR, "address": STR, "gateway": STR, "vlan": INT, "mtu": INT, "firewall": BOOL, "dns": TEXTS, "search_domain": STR}
TIMEOUTS = ("create_s", "start_s", "shutdown_s", "address_s", "lease_s")


def argument_spec():
    return {
        "name": STR | {"required": True},
        "state": STR | {"choices": ["present", "started", "stopped", "restarted", "absent"], "default": "started"},
        "restarted_after": STR,
        "catalog_id": STR,
        "catalog_paths": {"type": "list", "elements": "path"},
        "definition": {"type": "dict"},
        "options": VALUES | {"no_log": True},
        "environment": VALUES | {"no_log": True},
        "owner": STR,
        "node": STR,
        "storage": STR,
        "template": STR | {"default": "debian-13"},
        "pool": STR,
        "ssh_public_keys": TEXTS | {"no_log": False},
        "resources": {"type": "dict", "options": dict.fromkeys(("cores", "memory_mb", "swap_mb", "disk_gb"), INT)},
        "network": {"type": "dict", "options": NETWORK},
        "onboot": BOOL,
        "startup": STR,
        "protection": BOOL,
        "tags": TEXTS,
        "port_range": {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
        "on_failure": STR | {"choices": ["cleanup", "keep"], "default": "cleanup"},
        "timeouts": {"type": "dict", "options": dict.fromkeys(TIMEOUTS, INT)},
        "ignore_protection": OFF,
        "destroy_adopted": OFF,
        "take_over_lease": OFF,
        "verify": OFF,
        "report": {"type": "dict", "options": _report()},
    }


def _report():
    needed = {"required": True}
    return {
        "vmid": INT | needed,
        "node": STR | needed,
        "healthy": BOOL | needed,
        "revision": STR,
        "step": STR,
        "error": STR,
        "address": STR,
    }


def main():
    run(argument_spec(), desired_app)


if __name__ == "__main__":
    main()
