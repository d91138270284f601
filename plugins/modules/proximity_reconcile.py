#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What is declared against what is there."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_reconcile
short_description: Compares declared apps with those that are there
version_added: 0.1.0
description:
  - Finds apps that are missing, that are not as declared, that nobody declared, and copies of apps; and repairs what it is told to.
  - Without O(repair) and O(remove), nothing is changed.
  - What cannot be seen is unknown. An app on a node that is offline is never taken for gone.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  apps:
    description:
      - All apps that are to be on the cluster, as in O(proximity.platform.proximity_apps#module:apps).
    type: list
    elements: dict
    default: []
  common:
    description:
      - Options of all O(apps); an app's own come before these.
    type: dict
    default: {}
  hosts:
    description:
      - Hosts of the inventory that declare apps, as in O(proximity.platform.proximity_apps#module:hosts).
    type: list
    elements: str
    default: []
  cluster:
    description:
      - Of O(hosts), only those of this cluster, as in O(proximity.platform.proximity_apps#module:cluster).
    type: str
  repair:
    description:
      - Kinds of differences to put right. V(missing) makes apps, V(drifted) changes them, V(unwanted) deletes those that are declared with
        state V(absent).
      - Work in containers is left to role P(proximity.platform.app#role); RV(converge) says where.
    type: list
    elements: str
    choices: [missing, drifted, unwanted]
    default: []
  remove:
    description:
      - Names of apps that nobody declares and that are to be deleted with all their data. No other unexpected app is ever touched.
    type: list
    elements: str
    default: []
  depth:
    description:
      - V(record) reads the configuration and the record of every app. V(full) also reads what each does right now.
      - The cluster's list, which V(record) believes as to that, may be ten seconds old.
    type: str
    choices: [record, full]
    default: record
  threads:
    description:
      - How many apps are read and worked on at a time, 1 to 32.
    type: int
    default: 8
  definitions:
    description:
      - Entries by their id, as in O(proximity.platform.proximity_apps#module:definitions).
    type: dict
    default: {}
  unresolved:
    description:
      - Apps that cannot be judged, with the reason, as in O(proximity.platform.proximity_apps#module:unresolved).
    type: dict
    default: {}
seealso:
  - module: proximity.platform.proximity_apps
  - module: proximity.platform.proximity_janitor
"""

EXAMPLES = r"""
- name: What differs between the inventory and this cluster
  proximity.platform.proximity_reconcile:
    hosts: "{{ groups['proximity_apps'] }}"
    cluster: "{{ inventory_hostname }}"
  delegate_to: localhost
  register: seen

- name: Bring back what is missing, and put right what has drifted
  proximity.platform.proximity_reconcile:
    hosts: "{{ groups['proximity_apps'] }}"
    cluster: "{{ inventory_hostname }}"
    repair: [missing, drifted]
  delegate_to: localhost

- name: Delete two apps that nobody declares any more
  proximity.platform.proximity_reconcile:
    hosts: "{{ groups['proximity_apps'] }}"
    cluster: "{{ inventory_hostname }}"
    remove: [old-wiki, trial]
  delegate_to: localhost
"""

RETURN = r"""
findings:
  description: Every difference.
  returned: success, or when a repair failed
  type: list
  elements: dict
  contains:
    kind:
      description:
        - V(missing) - declared and not there. V(drifted) - not as declared. V(unwanted) - declared absent, and there.
        - V(unexpected) - an app of ours that nobody declared. V(copy) - carries the record of another guest.
        - V(damaged) - bears our tag, and its record is gone or cannot be read. V(unknown) - on a node that is offline.
        - V(busy) - somebody works on it. V(refused) - cannot be as declared, or cannot be judged.
      type: str
      returned: always
    name: {description: The app., type: str, returned: always}
    host: {description: The host of the inventory that declares it., type: str, returned: always}
    vmid: {description: Number of its container; 0 where there is none., type: int, returned: always}
    node: {description: Node of its container., type: str, returned: always}
    what:
      description: >-
        What has drifted, such as V(memory_mb), V(network), V(tags), V(record), V(live state), V(revision), or V(unfinished work).
      type: list
      elements: str
      returned: always
    why: {description: The same in a sentence., type: str, returned: always}
    deed: {description: "What is done about it - V(repair), V(remove), V(failed), or V(left).", type: str, returned: always}
    converge: {description: Whether there is work to do in the container., type: bool, returned: always}
counts:
  description: How many findings there are of each kind that occurs.
  returned: success, or when a repair failed
  type: dict
declared:
  description: How many apps are declared.
  returned: success, or when a repair failed
  type: int
in_order:
  description: How many of them are as declared.
  returned: success, or when a repair failed
  type: int
converge:
  description: Names of repaired apps with work left in their containers.
  returned: success, or when a repair failed
  type: list
  elements: str
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

from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_reconciliation
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.reconciliation import RECONCILIATION

MANY = {"type": "list", "elements": "dict", "default": []}
NAMED = {"type": "dict", "default": {}}
TEXTS = {"type": "list", "elements": "str", "default": []}


def argument_spec():
    return {
        "apps": MANY | {"no_log": True},
        "common": NAMED | {"no_log": True},
        "hosts": TEXTS,
        "cluster": {"type": "str"},
        "repair": TEXTS | {"choices": ["missing", "drifted", "unwanted"]},
        "remove": TEXTS,
        "depth": {"type": "str", "choices": ["record", "full"], "default": "record"},
        "threads": {"type": "int", "default": 8},
        "definitions": NAMED,
        "unresolved": NAMED,
    }


def main():
    run(argument_spec(), desired_reconciliation, RECONCILIATION)


if __name__ == "__main__":
    main()
