#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A scheduled job that runs once at a time on a cluster."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_job
short_description: Lets a scheduled job run only once at a time on a cluster
version_added: 0.1.0
description:
  - Notes on the cluster itself that a job is under way, so that the same job of any other controller skips itself meanwhile.
  - The note is the comment of a directory mapping that maps nothing, written only if nobody else wrote since it was read. Proxmox VE 8.4 or
    later; the token needs C(Mapping.Modify) on C(/mapping/dir), as reserved ports do.
  - A job whose process was killed on this machine is over at once; one of another machine when its time is over.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
options:
  name:
    description:
      - Name of the job. 1 to 63 lower-case letters, digits and hyphens.
    type: str
    required: true
  state:
    description:
      - V(begun) begins the job, unless it is under way already. V(ended) ends it, if this run has begun it.
    type: str
    choices: [begun, ended]
    default: begun
  lasts_s:
    description:
      - How long the job is believed to run when nothing more is heard of it, in seconds.
    type: int
    default: 7200
  mapping:
    description:
      - Name of the directory mapping.
    type: str
    default: proximity-jobs
seealso:
  - module: proximity.platform.proximity_janitor
  - module: proximity.platform.proximity_reconcile
"""

EXAMPLES = r"""
- name: Begin, unless it runs already
  proximity.platform.proximity_job:
    name: nightly
    lasts_s: 3600
  register: nightly

- name: End
  proximity.platform.proximity_job:
    name: nightly
    state: ended
"""

RETURN = r"""
job:
  description: The job as it stands now.
  returned: success
  type: dict
  contains:
    name: {description: Its name., type: str, returned: always}
    ours: {description: Whether this run is the one that runs it., type: bool, returned: always}
    holder: {description: Who runs it; null for nobody., type: str, returned: always}
    until: {description: When it is over at the latest., type: str, returned: always}
skipped_because:
  description: Who runs it already; empty when this run does.
  returned: success
  type: str
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

from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_job
from ansible_collections.proximity.platform.plugins.module_utils.nouns import run
from ansible_collections.proximity.platform.plugins.module_utils.nouns.job import JOB


def argument_spec():
    return {
        "name": {"type": "str", "required": True},
        "state": {"type": "str", "choices": ["begun", "ended"], "default": "begun"},
        "lasts_s": {"type": "int", "default": 7200},
        "mapping": {"type": "str", "default": "proximity-jobs"},
    }


def main():
    run(argument_spec(), desired_job, JOB)


if __name__ == "__main__":
    main()
