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
  - proximity.platform.proximity.defaults
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
        A container of that name that is no app is left alone, with a warning.
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
      - An app that is on another node moves there when O(restart=allowed), and so does its disk when it is not shared. Its number, its
        ports and its address stay. Otherwise a warning tells.
    type: str
  off_node:
    description:
      - Node that the app must not be on. A new app goes elsewhere; one that is there moves when O(restart=allowed), to the online node with
        the most free memory that has what it needs.
    type: str
  storage:
    description:
      - Storage for the disk of a new app. Without it, the one with the most room on the node.
      - Of an app that moves, the storage for its disk on the other node. Without it, the one of the same name.
    type: str
  clone_from:
    description:
      - Name of an app that a new one is to begin as a copy of, with its data. Once the new app is there, this changes nothing.
      - The copy has a number, ports, a hostname, a MAC address and a record of its own. What is not said here is as it is with the source.
      - An app that runs is copied from a snapshot, which is removed again. The source has to be settled, and is never changed.
      - Several clones of one source wait for each other, and for whoever works on the source.
    type: str
  clone_mode:
    description:
      - V(full) copies the disk, V(linked) shares it with the source, on storages that can, while the source is stopped.
    type: str
    choices: [full, linked]
    default: full
  clone_secrets:
    description:
      - V(keep) leaves the secrets of the source in the copy. V(renew) makes those anew that its entry allows to change; needs
        O(catalog_id).
      - Secrets that data depend on are always kept.
    type: str
    choices: [keep, renew]
    default: keep
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
  restart:
    description:
      - Whether an app that runs may be restarted for what it cannot take over while it runs, such as O(network.dns) and
        O(network.search_domain), or for a move to another node. All that waits is done by one restart.
      - With V(refused), such a change is not made, and a warning names it.
    type: str
    choices: [refused, allowed]
    default: refused
  safety:
    description:
      - What an update goes back to when the app does not become healthy. It is made before anything is touched. A first deployment needs
        none.
      - V(snapshot) is taken of the running container, in a moment; the storages of all its disks must be able to.
      - V(backup) goes to the storage for backups with the most room on the node. It takes longer, and going back to it, too.
      - V(auto) is a snapshot where that is possible, else a backup. Where neither is possible, the update is refused.
      - V(none) updates without a way back.
    type: str
    choices: [auto, snapshot, backup, none]
    default: auto
  safety_keep:
    description:
      - How many of these snapshots and backups are kept, the newest ones. Older ones go before the next one is made.
    type: int
    default: 2
  safety_max_age_d:
    description:
      - After how many days they go, whenever the app is looked at with its entry; V(0) for never.
      - That one cannot be removed is a warning, and the next run tries again.
    type: int
    default: 30
  on_failure:
    description:
      - What becomes of a first deployment that fails.
      - V(cleanup) destroys it, unless another run has taken it over; V(keep) leaves it for you to look at.
      - An app that ever ran is never destroyed.
    type: str
    choices: [cleanup, keep]
    default: cleanup
  on_update_failure:
    description:
      - What becomes of an update that is reported as not healthy.
      - V(rollback) takes disk and configuration back to the safety point and starts the app again; the previous revision is then to be
        proven healthy, and reported with O(report.restored). What was written to the disk since the safety point is gone.
      - V(keep) leaves it as it is, with the status V(error).
    type: str
    choices: [rollback, keep]
    default: rollback
  update_attempts:
    description:
      - How often an update is tried that failed and came back, since each time takes the app down. Then it is refused, until the entry,
        an option or the environment is another one, or this is higher.
      - V(0) for any number.
    type: int
    default: 3
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
      copy_s:
        description: Cloning and moving, whose disks are copied, and waiting for others who do. Defaults to V(3600).
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
  hold:
    description:
      - That the work in the container goes on. It renews the lease once less than half of it is left, and nothing else is looked at.
      - It fails where the lease has ended and another run has taken over; the work is to stop then.
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
      epoch:
        description: C(app.record.lease.epoch) of the deployment.
        type: int
        required: true
  report:
    description:
      - What came of the work in the container. It completes the record, cleans a first deployment away (O(on_failure)), or takes an
        update back (O(on_update_failure)); nothing else is looked at.
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
      restored:
        description: That it is the previous revision which answers, or does not, after an update that failed.
        type: bool
        default: false
      untouched:
        description:
          - That nothing was changed in the container before the update failed. There is nothing to go back from then, and the app still
            runs.
        type: bool
        default: false
      epoch:
        description:
          - C(app.record.lease.epoch) of the deployment, if it had a lease. A report is refused when that one has ended and another run
            has taken over.
        type: int
        default: 0
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

- name: A copy of it, to try something out
  proximity.platform.proximity_app:
    name: feeds-test
    clone_from: feeds

- name: On another node
  proximity.platform.proximity_app:
    name: feeds
    node: pve2
    restart: allowed

- name: Other name servers, at once
  proximity.platform.proximity_app:
    name: feeds
    network:
      dns: [10.0.0.2]
    restart: allowed

- name: Updated only where the storage takes snapshots, and left as it is when that fails
  proximity.platform.proximity_app:
    name: feeds
    catalog_id: miniflux
    safety: snapshot
    on_update_failure: keep

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
    rollout:
      description:
        - What an update changes - C(revision), C(entry_version) and C(environment) (names), each with C(from) and C(to), and its
          C(safety) point.
        - C(settled) tells whether the app was at rest before, or in the middle of an update that something cut off.
      type: dict
      returned: when an update is under way, or would be
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

from ansible_collections.proximity.platform.plugins.module_utils.app_arguments import app_arguments
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.app import APP
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app


def argument_spec():
    """An app's arguments stand in `app_arguments.py`, since an app in the list of proximity_apps has the same."""
    return app_arguments()


def main():
    run(argument_spec(), desired_app, APP)


if __name__ == "__main__":
    main()
