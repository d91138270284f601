#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A pair of ports that is kept for a name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_port
short_description: A pair of ports, kept for a name
version_added: 0.1.0
description:
  - Keeps a slot, which is a public and an internal port, for an app that is not there yet. Deploying an app of that name takes it.
  - Gives it back, tells who has which pair, and sweeps away claims whose owner is gone.
  - An app's container has its pair by its number, and needs no reservation.
  - Reservations stand in the ledger, the comment of a directory mapping (Datacenter, Resource Mappings). Proxmox VE 8.4 or later.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  name:
    description:
      - Whom the ports are for. 1 to 63 lower-case letters, digits and hyphens. Needed for O(state=present) and O(state=absent).
    type: str
  state:
    description:
      - V(present) means that the name has a pair, by its container or reserved.
      - V(absent) means that no pair is reserved for the name. What its container has stays.
      - V(swept) means that no claim is without its owner.
      - V(queried) only looks.
    type: str
    choices: [present, absent, swept, queried]
    default: present
  port:
    description:
      - The public or the internal port of the pair that is wished for. Without it, a free one that follows from the name.
      - With O(state=queried), the one that is looked at.
    type: int
  port_range:
    description:
      - The slots of apps, as in M(proximity.platform.proximity_app). The n-th slot has the n-th public and the n-th internal port.
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
  unused_after_s:
    description:
      - With O(state=swept), reservations too are swept away that are older than so many seconds while no guest bears their name.
      - Without it, reservations stay until they are given back.
    type: int
seealso:
  - module: proximity.platform.proximity_app
  - module: proximity.platform.proximity_adopt
"""

EXAMPLES = r"""
- name: Ports for an app that comes next week
  proximity.platform.proximity_port:
    name: feeds

- name: A certain port for it
  proximity.platform.proximity_port:
    name: feeds
    port: 8123

- name: Give them back
  proximity.platform.proximity_port:
    name: feeds
    state: absent

- name: Is port 8123 free, and who has which
  proximity.platform.proximity_port:
    port: 8123
    state: queried

- name: No claims of guests that are gone, nor of names that nobody has used for 30 days
  proximity.platform.proximity_port:
    state: swept
    unused_after_s: 2592000
"""

RETURN = r"""
port:
  description: The pair of the name, or the one that was asked for.
  returned: success
  type: dict
  contains:
    name: {description: Whose it is., type: str, returned: always}
    slot: {description: Its slot; null where there is none., type: int, returned: always}
    public: {description: Its public port., type: int, returned: always}
    internal: {description: Its internal port., type: int, returned: always}
    by:
      description: What holds it - V(number) for a container's number, V(adopted), V(reserved) - or null for a free one.
      type: str
      returned: always
    vmid: {description: The guest that holds it., type: int, returned: always}
    free: {description: Whether nobody holds it., type: bool, returned: always}
usage:
  description: Both ranges, each with first, last, used and free.
  returned: success
  type: dict
pairs:
  description: All pairs that somebody holds, each like RV(port).
  returned: success
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

from ansible_collections.proximity.platform.plugins.module_utils.claim_spec import desired_port
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.port import PORT

STR = {"type": "str"}
INT = {"type": "int"}


def argument_spec():
    return {
        "name": STR,
        "state": STR | {"choices": ["present", "absent", "swept", "queried"], "default": "present"},
        "port": INT,
        "port_range": {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
        "unused_after_s": INT,
    }


def main():
    run(argument_spec(), desired_port, PORT)


if __name__ == "__main__":
    main()
