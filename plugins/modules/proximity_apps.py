#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Many apps at once, planned against one look at the cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_apps
short_description: Many apps at once, each in an LXC container of its own
version_added: 0.1.0
description:
  - Does for a list of apps what M(proximity.platform.proximity_app) does for one. All are planned against one look at the cluster,
    and then done side by side.
  - One app that is refused or fails does not stop the others; the task fails at its end and says which.
  - It makes and changes containers. What is left to do inside of them, RV(converge) tells; playbook C(site) does that with role
    P(proximity.platform.app#role).
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  apps:
    description:
      - The apps. Each has the options of M(proximity.platform.proximity_app), except its C(report) and those of the connection.
    type: list
    elements: dict
    default: []
  common:
    description:
      - Options of all O(apps); an app's own come before these. Mappings such as C(resources) are put together key by key.
    type: dict
    default: {}
  hosts:
    description:
      - Hosts of the inventory that declare apps, with the variables of role P(proximity.platform.app#role), such as C(app_catalog_id).
      - Each is deployed on the cluster that its variables C(proximity_api_*) name; there may be several.
      - The task reads them, not the module, so that no host needs a task of its own.
    type: list
    elements: str
    default: []
  cluster:
    description:
      - Of O(hosts), only those of this cluster, which is the one that this task reaches. A host says its cluster with
        C(proximity_cluster); one that does not belongs to it when its C(proximity_api_host) is the same.
    type: str
  depth:
    description:
      - How closely an app is looked at that seems to be in order.
      - V(tags) believes the cluster's list, one call for all apps, where it can tell all that an app's wish says - name, entry, revision,
        tags, node and whether it runs. An app that manages more, such as C(resources) or C(owner), has its configuration read.
        A wish is never overlooked; what somebody changed by hand in an app's record is.
      - V(record) reads the configuration and the record of every app, one call for each.
      - V(full) also reads its addresses, one more call for each. The cluster's list, which tells what runs, may be ten seconds old;
        this is not.
    type: str
    choices: [tags, record, full]
    default: tags
  threads:
    description:
      - How many apps are worked on at a time, 1 to 32.
    type: int
    default: 8
  definitions:
    description:
      - Entries by their id, as in O(proximity.platform.proximity_app#module:definition).
      - The task reads those from the catalog that O(apps) name.
    type: dict
    default: {}
  unresolved:
    description:
      - Apps that are refused, with the reason. The task notes here whose entry could not be read.
    type: dict
    default: {}
seealso:
  - module: proximity.platform.proximity_app
  - module: proximity.platform.proximity_reconcile
"""

EXAMPLES = r"""
- name: Three apps
  proximity.platform.proximity_apps:
    common:
      owner: family
      resources: {cores: 2}
    apps:
      - {name: feeds, catalog_id: miniflux}
      - {name: wiki, catalog_id: bookstack, resources: {memory_mb: 2048}}
      - {name: old-wiki, state: absent}

- name: All apps that the inventory declares
  proximity.platform.proximity_apps:
    hosts: "{{ groups['proximity_apps'] }}"
  run_once: true
  register: site

- name: All apps, and whether anything at all differs
  proximity.platform.proximity_apps:
    hosts: "{{ groups['proximity_apps'] }}"
    depth: full
  run_once: true
  check_mode: true
"""

RETURN = r"""
apps:
  description:
    - Every app, like RV(proximity.platform.proximity_app#module:app), with what was done for it.
    - Of an app that the cluster's list showed to be in order, address, url, owner and record are not known.
  returned: always
  type: list
  elements: dict
  contains:
    name: {description: Its name., type: str, returned: always}
    host: {description: The host of the inventory that declares it., type: str, returned: always}
    changed: {description: Whether anything was changed., type: bool, returned: always}
    converge: {description: Whether there is work to do in its container., type: bool, returned: always}
    plan: {description: What was done., type: list, elements: dict, returned: always}
    diff: {description: Before and after., type: dict, returned: always}
    log: {description: What happened., type: list, elements: dict, returned: always}
    failed: {description: Whether it was refused or failed., type: bool, returned: always}
    msg: {description: What was said then., type: str, returned: always}
converge:
  description: Names of apps with work to do in their containers.
  returned: always
  type: list
  elements: str
failures:
  description: Names of apps that were refused or failed.
  returned: always
  type: list
  elements: str
counts:
  description: How many apps there are, and how many were changed, failed, and have work left.
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

from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_fleet
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.fleet import FLEET

MANY = {"type": "list", "elements": "dict", "default": []}
NAMED = {"type": "dict", "default": {}}


def argument_spec():
    return {
        "apps": MANY | {"no_log": True},
        "common": NAMED | {"no_log": True},
        "hosts": {"type": "list", "elements": "str", "default": []},
        "cluster": {"type": "str"},
        "depth": {"type": "str", "choices": ["tags", "record", "full"], "default": "tags"},
        "threads": {"type": "int", "default": 8},
        "definitions": NAMED,
        "unresolved": NAMED,
    }


def main():
    run(argument_spec(), desired_fleet, FLEET)


if __name__ == "__main__":
    main()
