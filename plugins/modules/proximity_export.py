#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The running apps as wishes."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_export
short_description: The apps of a cluster as parameters that deploy them again
version_added: 0.1.0
description:
  - Reads the apps of a cluster and tells, for each, the parameters of M(proximity.platform.proximity_app) that describe it as it is.
  - Options and environment stand in the app's container alone. Playbook C(export) adds them, and writes an inventory.
  - It takes a call for the list, and one for each app. It changes nothing.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
attributes:
  diff_mode:
    support: none
    details:
      - There is nothing that could differ.
options:
  name:
    description:
      - Only apps of these names.
    type: list
    elements: str
  catalog_id:
    description:
      - Only apps of these entries of the catalog.
    type: list
    elements: str
  owner:
    description:
      - Only apps of these owners.
    type: list
    elements: str
  node:
    description:
      - Only apps on these nodes.
    type: list
    elements: str
  threads:
    description:
      - How many apps are read at a time; from 1 to 32.
    type: int
    default: 8
"""

EXAMPLES = r"""
- name: What would deploy all of Anna's apps again
  proximity.platform.proximity_export:
    owner: [anna]
  register: exported
"""

RETURN = r"""
export:
  description: The apps, and what is none that could be deployed.
  returned: success
  type: dict
  contains:
    apps:
      description: The apps, by name.
      type: list
      elements: dict
      returned: always
      contains:
        name: {description: Its name., type: str, returned: always}
        vmid: {description: The number of its container., type: int, returned: always}
        node: {description: The node of its container., type: str, returned: always}
        running: {description: Whether its container runs., type: bool, returned: always}
        version: {description: The version of its entry., type: str, returned: always}
        revision: {description: The revision that runs., type: str, returned: always}
        environment: {description: The names of the variables that its user gave., type: list, elements: str, returned: always}
        wish:
          description: "Parameters of M(proximity.platform.proximity_app): catalog_id, state, owner, node, resources, network and so on."
          type: dict
          returned: always
        remarks: {description: "What they cannot say, in sentences.", type: list, elements: str, returned: always}
    left_out:
      description: "Containers marked as apps that cannot be told: vmid, node, name, and why."
      type: list
      elements: dict
      returned: always
calls:
  description: How many calls of the API it took, as reads, writes and polls.
  returned: success
  type: dict
"""

from ansible_collections.proximity.platform.plugins.module_utils.exports import export, exported
from ansible_collections.proximity.platform.plugins.module_utils.module import tell

TEXTS = {"type": "list", "elements": "str"}


def argument_spec():
    return {"name": TEXTS, "catalog_id": TEXTS, "owner": TEXTS, "node": TEXTS, "threads": {"type": "int", "default": 8}}


def main():
    tell(argument_spec(), "export", exported, export)


if __name__ == "__main__":
    main()
