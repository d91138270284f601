#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which apps should move where."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_moves
short_description: Which apps should move to which nodes
version_added: 0.2.0
description:
  - Tells which apps have to move so that a node is empty, or so that nodes are about as full as each other. It moves nothing.
  - "Every move that it names fits: the node has the storage with room for the disk, the bridge, and for what runs enough memory, with
    all earlier moves counted."
  - Playbooks C(drain) and C(rebalance) show this, and carry it out with M(proximity.platform.proximity_app).
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  drain:
    description:
      - Node that is to be empty of apps. Fails, with the reasons, where the other nodes have no room for all of them.
    type: str
  balance:
    description:
      - Find the moves that bring nodes closer to each other in memory, beginning with the fullest node.
    type: bool
    default: false
  storage:
    description:
      - Storage for local disks on the other nodes. Without it, the one of the same name. Shared disks stay where they are.
    type: str
  tolerance_percent:
    description:
      - With O(balance), how many points of memory in use may lie between the fullest and the emptiest node.
    type: int
    default: 20
  at_most:
    description:
      - With O(balance), the number of moves.
    type: int
    default: 5
"""

EXAMPLES = r"""
- name: What has to move before node pve2 gets its new kernel
  proximity.platform.proximity_moves:
    drain: pve2

- name: What would even out the nodes
  proximity.platform.proximity_moves:
    balance: true
    tolerance_percent: 10
"""

RETURN = r"""
advice:
  description: What should move, and what it comes to.
  returned: success
  type: dict
  contains:
    moves:
      description: One app each, in the order in which they fit.
      type: list
      elements: dict
      returned: always
      contains:
        app: {description: Name of the app., type: str, returned: always}
        vmid: {description: Number of its container., type: int, returned: always}
        source: {description: Its node now., type: str, returned: always}
        target: {description: The node to go to., type: str, returned: always}
        storage: {description: Storage of its disk there; empty where it is as now., type: str, returned: always}
        running: {description: Whether it runs and so is restarted by the move., type: bool, returned: always}
        memory_mb: {description: The memory that it may use., type: int, returned: always}
        disk_mb: {description: The size of its disk., type: int, returned: always}
        why: {description: The reason for people., type: str, returned: always}
        wish: {description: Options of M(proximity.platform.proximity_app) that bring it about., type: dict, returned: always}
    staying:
      description: Guests on the node that are none of ours to move, with vmid, name and why.
      type: list
      elements: dict
      returned: always
    nodes:
      description: How much of each node's memory is in use before and after, in percent; null where the token may not see it.
      type: list
      elements: dict
      returned: always
calls:
  description: How many calls of the API it took, as reads, writes and polls.
  returned: success
  type: dict
"""

from ansible_collections.proximity.platform.plugins.module_utils.advice import desired_moves, give_advice
from ansible_collections.proximity.platform.plugins.module_utils.module import tell


def argument_spec():
    return {
        "drain": {"type": "str"},
        "balance": {"type": "bool", "default": False},
        "storage": {"type": "str"},
        "tolerance_percent": {"type": "int", "default": 20},
        "at_most": {"type": "int", "default": 5},
    }


def main():
    tell(argument_spec(), "advice", desired_moves, give_advice)


if __name__ == "__main__":
    main()
