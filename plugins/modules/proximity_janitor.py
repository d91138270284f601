#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What interrupted work has left behind."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_janitor
short_description: Ends work that nobody goes on with, and removes what it has left behind
version_added: 0.1.0
description:
  - Finds apps that have been deploying, cloning, updating, restoring or removing for too long while nobody works on them, snapshots of ours
    that nobody needs, and guests whose making broke off.
  - An app is only touched where its own record says that it is one, and a snapshot only where its name says besides that it is ours. Who
    holds a lease that has not ended is respected, and so are locks and protection.
  - What is on a node that is offline is left alone, and told.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  older_than_s:
    description:
      - How long something has to be as it is before it is touched, in seconds.
    type: int
    default: 3600
  first_deployments:
    description:
      - What becomes of an app that was being deployed for the first time, and so never ran.
      - V(error) makes its status V(error) and keeps it; V(cleanup) deletes it.
      - Any other app that is stuck becomes V(error), with its story.
    type: str
    choices: [error, cleanup]
    default: error
  clones:
    description:
      - What becomes of a clone that was never finished; V(report) makes its status V(error), V(remove) deletes it.
    type: str
    choices: [report, remove]
    default: report
  snapshots:
    description:
      - What becomes of snapshots C(px-safety-*) that the app's record does not know, and C(px-clone-*) of clones that are made or gone.
      - V(report) tells of them, V(remove) removes them.
    type: str
    choices: [report, remove]
    default: report
  port_range:
    description:
      - The slots of apps, as everywhere.
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
  threads:
    description:
      - How many guests are worked on at a time, 1 to 32.
    type: int
    default: 8
seealso:
  - module: proximity.platform.proximity_reconcile
  - module: proximity.platform.proximity_job
"""

EXAMPLES = r"""
- name: What has been cut off
  proximity.platform.proximity_janitor:
    older_than_s: 3600
  check_mode: true
  register: seen

- name: Tidy up, and delete what never ran
  proximity.platform.proximity_janitor:
    first_deployments: cleanup
    clones: remove
    snapshots: remove
"""

RETURN = r"""
findings:
  description: What was found.
  returned: success, or when a deed failed
  type: list
  elements: dict
  contains:
    kind:
      description:
        - V(stuck) - under way for too long, and nobody at work. V(working) - as long, and somebody is at work.
        - V(snapshot) - a snapshot that nobody needs. V(locked) - a guest whose making is under way, or broke off.
        - V(unknown) - on a node that is offline.
      type: str
      returned: always
    name: {description: The app., type: str, returned: always}
    vmid: {description: Number of its container., type: int, returned: always}
    node: {description: Node of its container., type: str, returned: always}
    status: {description: Status that its record had., type: str, returned: always}
    since: {description: Since when., type: str, returned: always}
    why: {description: A sentence that says what is the matter., type: str, returned: always}
    deed:
      description: What is done about it - V(error), V(cleanup), V(remove), V(failed), or V(left).
      type: str
      returned: always
    snapshot: {description: Name of the snapshot., type: str, returned: for a snapshot}
counts:
  description: How many findings there are of each kind that occurs.
  returned: success, or when a deed failed
  type: dict
left:
  description: How many findings nothing is done about.
  returned: success, or when a deed failed
  type: int
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

from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_tidiness
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.tidiness import TIDINESS

STR = {"type": "str"}
INT = {"type": "int"}


def argument_spec():
    return {
        "older_than_s": INT | {"default": 3600},
        "first_deployments": STR | {"choices": ["error", "cleanup"], "default": "error"},
        "clones": STR | {"choices": ["report", "remove"], "default": "report"},
        "snapshots": STR | {"choices": ["report", "remove"], "default": "report"},
        "port_range": {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
        "threads": INT | {"default": 8},
    }


def main():
    run(argument_spec(), desired_tidiness, TIDINESS)


if __name__ == "__main__":
    main()
