#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backups of apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_backup
short_description: Backups of apps, and apps from backups
version_added: 0.1.0
description:
  - Sees that an app has a backup that is not too old, and that none is kept beyond a policy. Brings a backup back, in the place of its app,
    where the app is gone, or as a new app. Lists what there is.
  - Backups are those of Proxmox VE itself (vzdump). What ties one to its app stands in its notes, so that the storage alone tells
    everything.
  - A backup is made on the node that holds the container, on a storage that this node sees.
  - It works on containers. Dumping databases before, and proving an app healthy after it was restored, is done in the container by role
    P(proximity.platform.backup#role).
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true), every run makes a backup, or restores the one that is named once more.
options:
  name:
    description:
      - Name of the app. Needed for O(state=present) and O(state=restored), and with O(keep).
    type: str
  state:
    description:
      - V(present) means that there is a backup which is no older than O(max_age).
      - V(absent) means that O(backup) is gone, or with O(keep) all that are beyond it.
      - V(restored) means that the app's data come from O(backup).
      - V(proven) means that the notes of O(backup) tell O(verdict), and that this is no older than O(max_age).
      - V(listed) only looks.
    type: str
    choices: [present, absent, restored, proven, listed]
    default: present
  backup:
    description:
      - A backup, as its volume. With O(state=restored) also V(latest), the newest that was made as a backup of the app.
      - The container's own record in the backup proves whose it is; one of another app is refused.
    type: str
  verdict:
    description: With O(state=proven), how a trial of the backup went.
    type: str
    choices: [ok, failed]
  max_age:
    description:
      - How old the newest backup may be, such as V(90m), V(24h), V(7d) or V(2w).
      - What others have made of the container counts too, such as a job of the cluster, if what is in it is this app.
    type: str
    default: 1d
  force:
    description:
      - With O(state=present), make a backup now. One that is being made already counts.
      - With O(state=restored), restore it again although the app's data come from it already.
    type: bool
    default: false
  wait:
    description:
      - With O(state=present), whether to wait for the end of the backup. Without it, RV(backup.task) is the task, and a later run finds
        what became of it.
    type: bool
    default: true
  mode:
    description:
      - V(snapshot) backs up a running container without a pause, where its storage has snapshots; else Proxmox takes V(suspend).
      - V(suspend) pauses it for the last changes. V(stop) shuts it down, saves it, and starts it again.
    type: str
    choices: [snapshot, suspend, stop]
    default: snapshot
  compress:
    description: How the backup is compressed.
    type: str
    choices: [zstd, gzip, lzo, none]
    default: zstd
  storage:
    description:
      - The storage for a new backup. Without it, the one that has the app's newest backup, else the one with the most room.
      - Only what lies there is looked at.
    type: str
  node:
    description:
      - With O(state=restored), the node for an app that is not there. Without it, of those that see the backup the one with the most free
        memory.
      - With O(state=absent) and O(state=listed), the node whose storages are looked at. Without it, all of them.
    type: str
  owner:
    description: With O(state=listed), only backups of apps of this owner.
    type: str
  notes:
    description: Text for the backup's notes, below what Proximity writes there. Up to 400 characters.
    type: str
  protected:
    description:
      - Whether the backup is protected. Nothing removes or prunes a protected one. A token without Datastore.Allocate may protect five of
        each container on a storage.
    type: bool
  keep:
    description:
      - How many backups of the app to keep, by the rules of Proxmox; the others are removed. Each storage counts on its own.
      - Protected ones, those that an update goes back to, and those that others have made are never removed.
    type: dict
    suboptions:
      last:
        description: So many of the newest.
        type: int
      hourly:
        description: The newest of so many hours.
        type: int
      daily:
        description: The newest of so many days.
        type: int
      weekly:
        description: The newest of so many weeks.
        type: int
      monthly:
        description: The newest of so many months.
        type: int
      yearly:
        description: The newest of so many years.
        type: int
  confirm:
    description: Needed to restore a backup over an app that is there, since that destroys what it holds.
    type: bool
    default: false
  safety_backup:
    description:
      - Whether the app is backed up before a backup is restored over it. From this one it comes back if the other cannot be unpacked.
    type: bool
    default: true
  restore_as:
    description:
      - Name of a new app to make of the backup, with a slot, a record, a host name and a MAC address of its own.
      - Deploy the new app afterwards (role P(proximity.platform.app#role)), which puts what is in the container into its new name.
    type: str
  start:
    description:
      - Whether a restored app is started. Its record says V(restoring) until somebody reports that it is healthy
        (O(proximity.platform.proximity_app#module:report)), as the role does. Without a start it says V(stopped).
    type: bool
    default: true
  disk_storage:
    description:
      - Storage for the disk of a restored app. Without it, the one of O(storage_map), the app's own, or the one with the most room.
    type: str
  storage_map:
    description: Storage in the backup to storage here, for a backup that comes from another node or cluster.
    type: dict
  bridge_map:
    description: Bridge in the backup to bridge here, for a backup that comes from another node or cluster.
    type: dict
  network:
    description: Network of a new app, or of one that is gone; what is left out is as in the backup.
    type: dict
    suboptions:
      bridge:
        description: Bridge of the node.
        type: str
      address:
        description: V(dhcp), or an IPv4 address with its prefix. A backup with a fixed address makes a new app only with this.
        type: str
      gateway:
        description: Gateway, for an address of one's own.
        type: str
      vlan:
        description: VLAN tag; V(0) for none.
        type: int
      mtu:
        description: MTU; V(0) for that of the bridge.
        type: int
      firewall:
        description: Whether the firewall of Proxmox filters the interface.
        type: bool
      link_down:
        description:
          - Whether the cable is out (C(link_down) in Proxmox). Proxmox puts such an interface on no bridge, so that the container reaches
            nobody, whatever the bridge; one that the node has is named all the same. Nobody waits for an address then.
          - For a new app (O(restore_as)) this holds for all interfaces that are in the backup.
        type: bool
  port_range:
    description:
      - The slots of apps, as in M(proximity.platform.proximity_app).
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
        description: Name of the mapping that holds the reservations, and of the pool that tells of it. Defaults to V(proximity-ports).
        type: str
  take_over_lease:
    description: Work on an app that another run holds. For when you know that this run is gone.
    type: bool
    default: false
  timeouts:
    description: How long things may take, in seconds.
    type: dict
    suboptions:
      backup_s:
        description: A backup or a restore. Defaults to V(7200).
        type: int
      start_s:
        description: Starting a container. Defaults to V(120).
        type: int
      shutdown_s:
        description: Shutting it down, before it is stopped by force. Defaults to V(60).
        type: int
      address_s:
        description: Waiting for its address. Defaults to V(90).
        type: int
      lease_s:
        description: How long others leave an app alone that is being restored. Defaults to V(1800).
        type: int
seealso:
  - module: proximity.platform.proximity_app
"""

EXAMPLES = r"""
- name: A backup of feeds that is no older than a day
  proximity.platform.proximity_backup:
    name: feeds

- name: One of every day for a week and of every week for a month, and no others
  proximity.platform.proximity_backup:
    name: feeds
    max_age: 24h
    keep: {daily: 7, weekly: 4}

- name: A backup now, before work on the app, that nothing removes
  proximity.platform.proximity_backup:
    name: feeds
    force: true
    protected: true
    notes: Before the move to the new database

- name: Begin a backup and go on
  proximity.platform.proximity_backup:
    name: feeds
    wait: false

- name: Remove one backup
  proximity.platform.proximity_backup:
    state: absent
    backup: local:backup/vzdump-lxc-8123-2026_03_01-04_00_00.tar.zst

- name: What is there of feeds, and when was it last proven
  proximity.platform.proximity_backup:
    name: feeds
    state: listed

- name: Back to the latest backup
  proximity.platform.proximity_backup:
    name: feeds
    state: restored
    backup: latest
    confirm: true

- name: A second app to look at what was there on 1 March
  proximity.platform.proximity_backup:
    name: feeds
    state: restored
    backup: local:backup/vzdump-lxc-8123-2026_03_01-04_00_00.tar.zst
    restore_as: feeds-march
"""

RETURN = r"""
backup:
  description: The backup that this is about; null where there is none.
  returned: success
  type: dict
  contains:
    volume: {description: Its volume; null for one that is yet to be made., type: str, returned: always}
    status: {description: "V(completed), V(creating) or V(restoring).", type: str, returned: always}
    task: {description: The task that makes it., type: str, returned: while it is being made}
    vmid: {description: Number of the container that it is of., type: int, returned: always}
    node: {description: A node that sees it., type: str, returned: always}
    app: {description: Name of its app; null for one that is not ours., type: str, returned: always}
    app_id: {description: The id in the app's record., type: str, returned: when it is there}
    storage: {description: Where it lies., type: str, returned: when it is there}
    made: {description: When., type: str, returned: when it is there}
    size_mb: {description: Its size in MiB., type: int, returned: when it is there}
    protected: {description: Whether it is protected., type: bool, returned: when it is there}
    entry: {description: Entry of the catalog., type: str, returned: when it is there}
    entry_version: {description: Version of the entry., type: str, returned: when it is there}
    revision: {description: Revision of the app., type: str, returned: when it is there}
    owner: {description: Owner of the app., type: str, returned: when it is there}
    kind: {description: "V(backup), or V(safety) for one that was made before another was restored.", type: str, returned: when it is there}
    order: {description: Place of the app in the order of start., type: int, returned: when it is there}
    restores: {description: "For a safety backup, which one was restored then.", type: str, returned: when it is there}
    excluded: {description: Mount points that are not in it., type: list, elements: str, returned: when it is there}
    proven: {description: When a trial of it was made last., type: str, returned: when it is there}
    verdict: {description: "How that went, V(ok) or V(failed).", type: str, returned: when it is there}
backups:
  description: All that were asked for, newest first, each like RV(backup).
  returned: with O(state=listed)
  type: list
  elements: dict
statistics:
  description:
    - Their total, completed, failed, in_progress and proven; size_mb, average_size_mb, newest and oldest; and the same by_app and by_owner.
    - Failed and unfinished ones are those that Proxmox's list of tasks still knows.
  returned: with O(state=listed)
  type: dict
apps:
  description:
    - The containers of apps, as name, vmid, node, and covered, which says whether a backup job of the cluster is about them. It is null
      where the token may not know (Sys.Audit on /).
  returned: with O(state=listed)
  type: list
  elements: dict
tasks:
  description:
    - What is under way, and what failed lately, as upid, node, vmid, started, reason and status (creating, restoring, deleting or failed).
  returned: success
  type: list
  elements: dict
excluded:
  description: Mount points of the container that are in no backup of it, as mount, volume, path and reason.
  returned: with O(state=present)
  type: list
  elements: dict
app:
  description: The restored app, as M(proximity.platform.proximity_app) tells it. Its C(converge) says that somebody has to look into it.
  returned: with O(state=restored)
  type: dict
plan:
  description: What was done, or would be, as verb, kind, id, before and after.
  returned: always
  type: list
  elements: dict
log:
  description: What happened, line by line, with time, level, step and message.
  returned: always
  type: list
  elements: dict
calls:
  description: How many calls of the API it took, as reads, writes and polls.
  returned: always
  type: dict
"""

from ansible_collections.proximity.platform.plugins.module_utils.backup_spec import desired_backup
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.backup import BACKUP

STR = {"type": "str"}
INT = {"type": "int"}
BOOL = {"type": "bool"}
DICT = {"type": "dict"}


def argument_spec():
    return {
        "name": STR,
        "state": STR | {"choices": ["present", "absent", "restored", "proven", "listed"], "default": "present"},
        "backup": STR,
        "verdict": STR | {"choices": ["ok", "failed"]},
        "max_age": STR | {"default": "1d"},
        "force": BOOL | {"default": False},
        "wait": BOOL | {"default": True},
        "mode": STR | {"choices": ["snapshot", "suspend", "stop"], "default": "snapshot"},
        "compress": STR | {"choices": ["zstd", "gzip", "lzo", "none"], "default": "zstd"},
        "storage": STR,
        "node": STR,
        "owner": STR,
        "notes": STR,
        "protected": BOOL,
        "keep": DICT | {"options": dict.fromkeys(("last", "hourly", "daily", "weekly", "monthly", "yearly"), INT)},
        "confirm": BOOL | {"default": False},
        "safety_backup": BOOL | {"default": True},
        "restore_as": STR,
        "start": BOOL | {"default": True},
        "disk_storage": STR,
        "storage_map": DICT,
        "bridge_map": DICT,
        "network": DICT
        | {"options": {"bridge": STR, "address": STR, "gateway": STR, "vlan": INT, "mtu": INT, "firewall": BOOL, "link_down": BOOL}},
        "port_range": DICT | {"options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
        "take_over_lease": BOOL | {"default": False},
        "timeouts": DICT | {"options": dict.fromkeys(("backup_s", "start_s", "shutdown_s", "address_s", "lease_s"), INT)},
    }


def main():
    run(argument_spec(), desired_backup, BACKUP)


if __name__ == "__main__":
    main()
