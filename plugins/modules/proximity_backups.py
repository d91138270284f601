#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The backups of many apps, each by its policy."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_backups
short_description: Backups of many apps, each by its policy
version_added: 0.1.0
description:
  - Looks at each cluster once, sees whose backup is due, and makes it - one app of each node at a time, the nodes side by side, and several
    clusters side by side. An app is looked at again when its turn comes.
  - One app that is refused or fails does not stop the others; the task fails at its end and says which.
  - An app that has to be made ready in its container before, such as by a dump of its database, is told in RV(hooked), and its backup is
    not made here. Playbook C(backup) makes it with M(proximity.platform.proximity_hooked_backup).
  - When a backup is made, what O(apps[].keep) does not hold is removed.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
attributes:
  idempotent:
    support: partial
    details:
      - With O(apps[].force), every run makes a backup.
options:
  apps:
    description: The apps, each with its policy.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the app.
        type: str
        required: true
      host:
        description: What it is called in the result. Its name unless given.
        type: str
      max_age:
        description: A backup is due when the newest is older, such as V(90m), V(24h) or V(7d).
        type: str
        default: 1d
      mode:
        description: As in M(proximity.platform.proximity_backup).
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
          - The storage for the backup, which is then the only one that is looked at. Without it, the one that has the app's newest backup,
            else the one with the most room.
        type: str
      keep:
        description: How many backups to keep, as in M(proximity.platform.proximity_backup).
        type: dict
        suboptions:
          last: {description: So many of the newest., type: int}
          hourly: {description: The newest of so many hours., type: int}
          daily: {description: The newest of so many days., type: int}
          weekly: {description: The newest of so many weeks., type: int}
          monthly: {description: The newest of so many months., type: int}
          yearly: {description: The newest of so many years., type: int}
      protected:
        description: Whether the backup is protected.
        type: bool
      hooks:
        description: Whether the app has to be made ready in its container before. Then this module only tells whether a backup is due.
        type: bool
        default: false
      window:
        description:
          - The time of day in which a backup may begin, such as V(01:00-05:30), by the clock of the controller. It is asked for once more
            when the app's turn comes.
        type: str
      days:
        description: The days on which it may, such as V([sat, sun]). A window over midnight belongs to the day that it begins on.
        type: list
        elements: str
      jobs:
        description: V(respect) leaves an app alone that a backup job of the cluster covers. Only a token with Sys.Audit on / can know.
        type: str
        choices: [respect, ignore]
        default: respect
      force:
        description: Make one now. One that is being made already counts, and so does any that was not there when the task began.
        type: bool
        default: false
      notes:
        description: Text for the backup's notes.
        type: str
      take_over_lease:
        description: Work on an app that another run holds. For when you know that this run is gone.
        type: bool
        default: false
      port_range:
        description: The slots of apps, as in M(proximity.platform.proximity_app).
        type: dict
        suboptions:
          public: {description: First and last public port., type: str}
          internal: {description: First and last internal port., type: str}
          first_vmid: {description: Container number of the first slot., type: int}
          ledger: {description: Name of the mapping that holds the reservations., type: str}
      timeouts:
        description: How long things may take, as in M(proximity.platform.proximity_backup).
        type: dict
        suboptions:
          backup_s: {description: A backup., type: int}
          start_s: {description: As there; nothing is started here., type: int}
          shutdown_s: {description: As there; nothing is started here., type: int}
          address_s: {description: As there; nothing is started here., type: int}
          lease_s: {description: As there., type: int}
      trouble:
        description: Why nobody knows whether O(apps[].hooks) holds; a backup that is due fails with it. The task notes it here.
        type: str
  common:
    description: Options of all O(apps); an app's own come before these.
    type: dict
    default: {}
  hosts:
    description:
      - Hosts of the inventory that declare apps, with the variables of role P(proximity.platform.backup#role), such as C(backup_policy).
      - Each is backed up on the cluster that its variables C(proximity_api_*) name; there may be several.
      - The task reads them, not the module, so that no host needs a task of its own. Variables of a play it does not see; those of the
        inventory, and extra variables, it does.
    type: list
    elements: str
    default: []
  threads:
    description: How many nodes of a cluster are worked on at a time, 1 to 32.
    type: int
    default: 8
  clusters:
    description: Clusters with their connection and their apps. The task notes here what it found in O(hosts).
    type: list
    elements: dict
    default: []
seealso:
  - module: proximity.platform.proximity_backup
  - module: proximity.platform.proximity_hooked_backup
"""

EXAMPLES = r"""
- name: Backups of two apps that are no older than their policies say
  proximity.platform.proximity_backups:
    common:
      window: "01:00-05:30"
    apps:
      - {name: feeds, max_age: 6h}
      - {name: wiki, keep: {daily: 7, weekly: 4}}

- name: See whose backup is due, of all apps of the inventory
  proximity.platform.proximity_backups:
    hosts: "{{ groups['proximity_apps'] }}"
  run_once: true
  check_mode: true
"""

RETURN = r"""
apps:
  description: Every app.
  returned: always
  type: list
  elements: dict
  contains:
    host: {description: The host of the inventory that declares it., type: str, returned: always}
    name: {description: Its name., type: str, returned: always}
    vmid: {description: Number of its container., type: int, returned: always}
    node: {description: The node that holds it., type: str, returned: always}
    due: {description: Whether a backup was due., type: bool, returned: always}
    why: {description: "Why, or why not.", type: str, returned: always}
    hooked:
      description: Whether one is due that is not made here, since the app has to be made ready before.
      type: bool
      returned: always
    backup: {description: "Its newest backup, like RV(proximity.platform.proximity_backup#module:backup).", type: dict, returned: always}
    changed: {description: Whether anything was changed., type: bool, returned: always}
    plan: {description: What was done., type: list, elements: dict, returned: always}
    diff: {description: Before and after., type: dict, returned: always}
    log: {description: What happened., type: list, elements: dict, returned: always}
    failed: {description: Whether it was refused or failed., type: bool, returned: always}
    msg: {description: What was said then., type: str, returned: always}
due:
  description: Hosts whose backup was due.
  returned: always
  type: list
  elements: str
hooked:
  description: Hosts whose backup is due and is not made here.
  returned: always
  type: list
  elements: str
queues:
  description: These, in the order of their turns, by the first of each node of each cluster.
  returned: always
  type: dict
failures:
  description: Hosts whose app was refused or failed.
  returned: always
  type: list
  elements: str
counts:
  description: How many apps there are, and how many were due, changed, hooked and failed.
  returned: always
  type: dict
plan:
  description: What was done for all of them, or would be, as verb, kind, id, before and after.
  returned: always
  type: list
  elements: dict
log:
  description: What happened to the observation; what happened to an app stands in RV(apps[].log).
  returned: always
  type: list
  elements: dict
calls:
  description: How many calls of the API it took, as reads, writes and polls.
  returned: always
  type: dict
"""

from ansible_collections.proximity.platform.plugins.module_utils.backup_arguments import member_arguments
from ansible_collections.proximity.platform.plugins.module_utils.batch_spec import desired_backups
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run_on_clusters
from ansible_collections.proximity.platform.plugins.module_utils.nouns.batch import BATCH

MANY = {"type": "list", "elements": "dict", "default": []}


def argument_spec():
    return {
        "apps": MANY | {"options": member_arguments()},
        "common": {"type": "dict", "default": {}},
        "hosts": {"type": "list", "elements": "str", "default": []},
        "threads": {"type": "int", "default": 8},
        "clusters": MANY | {"no_log": True},
    }


def main():
    run_on_clusters(argument_spec(), desired_backups, BATCH)


if __name__ == "__main__":
    main()
