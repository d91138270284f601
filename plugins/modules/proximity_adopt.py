#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Containers that somebody else made, as apps."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_adopt
short_description: Containers that somebody else made become apps, and are forgotten again
version_added: 0.1.0
description:
  - Gives containers that exist a record and a pair of ports, so that they are started, stopped, listed and published like any app.
  - Nothing in a container changes, and of its configuration only the tags and the notes. Forgetting it brings back both, byte by byte.
  - Role P(proximity.platform.adopt#role) looks into the containers first, so that their type and port need not be said.
  - The app's name is the container's hostname.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  state:
    description:
      - V(present) means that the containers are apps.
      - V(absent) means that they are not, and are as they were before. One that Proximity has made itself is refused.
      - V(discovered) only looks; it lists the containers that are no apps.
    type: str
    choices: [present, absent, discovered]
    default: present
  guests:
    description:
      - The containers. All of them are looked at before the first is changed.
      - With O(state=discovered), only these are listed.
    type: list
    elements: dict
    default: []
    suboptions:
      vmid:
        description: Number of the container.
        type: int
        required: true
      catalog_id:
        description: The entry of the catalog that it is, whatever it looks like.
        type: str
      port:
        description: The port of its web pages, whatever it looks like.
        type: int
      updated:
        description: When the images of an adopted app were renewed, in ISO 8601 with a zone; the role notes it in the record.
        type: str
      updating:
        description:
          - V(true) says that this run begins to renew the images of an adopted app; the record says so, and others leave it alone. It is
            refused while another run works on the app.
          - V(false) says that this run is done with that. The role says both.
        type: bool
  looks:
    description:
      - What looks into containers said, by number; the role provides it. What is known already is not overruled by a look.
    type: dict
    default: {}
  catalog_paths:
    description:
      - Folders with entries, looked at before the collection's own catalog.
    type: list
    elements: path
  entries:
    description:
      - The entries to compare with. Read from the catalog on the controller where it is not given.
    type: list
    elements: dict
  take_over_lease:
    description: Work on an app that another run holds. For when you know that this run is gone.
    type: bool
    default: false
  port_range:
    description:
      - The slots of apps, as in M(proximity.platform.proximity_app). An adopted container claims one in the ledger.
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
        description: Name of the mapping that holds the claims. Defaults to V(proximity-ports).
        type: str
seealso:
  - module: proximity.platform.proximity_app
  - module: proximity.platform.proximity_port
"""

EXAMPLES = r"""
- name: What could be adopted
  proximity.platform.proximity_adopt:
    state: discovered

- name: Two containers become apps
  proximity.platform.proximity_adopt:
    guests:
      - vmid: 105
        catalog_id: miniflux
      - vmid: 106
        port: 3000

- name: What adopting would change
  proximity.platform.proximity_adopt:
    guests:
      - vmid: 105
  check_mode: true
  diff: true

- name: A container is nobody's app any more
  proximity.platform.proximity_adopt:
    state: absent
    guests:
      - vmid: 105
"""

RETURN = r"""
apps:
  description: The apps, in the order of O(guests). What is forgotten has V(absent) as its status.
  returned: with O(state=present) and O(state=absent)
  type: list
  elements: dict
  contains:
    name: {description: Name of the app., type: str, returned: always}
    vmid: {description: Number of its container., type: int, returned: always}
    node: {description: Node of its container., type: str, returned: always}
    status: {description: "V(running), V(stopped) or V(absent).", type: str, returned: always}
    entry: {description: Entry of the catalog; empty for none., type: str, returned: when it is adopted}
    service: {description: What it seems to be., type: str, returned: when it is adopted}
    web: {description: "Its web pages: scheme, port and path.", type: dict, returned: when it is adopted}
    ports: {description: "Its slot's ports: public and internal.", type: dict, returned: when it is adopted}
    address: {description: Its address., type: str, returned: when it is adopted}
    url: {description: Where its web pages are., type: str, returned: when it is adopted}
    record: {description: "The record in its notes; C(adopted) holds the original tags and description.", type: dict, returned: always}
guests:
  description: Containers that are no apps, each with vmid, node, name and status, and what a look told.
  returned: with O(state=discovered)
  type: list
  elements: dict
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

from ansible_collections.proximity.platform.plugins.module_utils.claim_spec import desired_adoption
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.adoption import ADOPTION

STR = {"type": "str"}
INT = {"type": "int"}
GUEST = {"vmid": INT | {"required": True}, "catalog_id": STR, "port": INT, "updated": STR, "updating": {"type": "bool"}}


def argument_spec():
    return {
        "state": STR | {"choices": ["present", "absent", "discovered"], "default": "present"},
        "guests": {"type": "list", "elements": "dict", "options": GUEST, "default": []},
        "looks": {"type": "dict", "default": {}},
        "catalog_paths": {"type": "list", "elements": "path"},
        "entries": {"type": "list", "elements": "dict"},
        "take_over_lease": {"type": "bool", "default": False},
        "port_range": {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
    }


def main():
    run(argument_spec(), desired_adoption, ADOPTION)


if __name__ == "__main__":
    main()
