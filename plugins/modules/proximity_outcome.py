#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of proximity_outcome; the action plugin of that name does all of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_outcome
short_description: Tell for a host what a task for many did for it
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - A task for many apps runs for one host. This one tells each of them what was done for it, so that it counts as changed or failed, and so
    that its lines are in its own log.
  - Nothing is done here.
options:
  what:
    description: What was done, as the beginning of a sentence about its failure.
    type: str
    required: true
  outcome:
    description: The row of the other task's result, with plan, log, failed and msg.
    type: dict
    required: true
attributes:
  check_mode:
    description: Can run in check mode, where it tells what would be done.
    support: full
  diff_mode:
    description: Says in diff mode what changed.
    support: none
    details:
      - The other task does.
  idempotent:
    description: Run again, it changes nothing.
    support: full
  platform:
    description: Systems it runs on.
    platforms: posix
    support: full
  action:
    description: Runs as an action plugin, on the controller.
    support: full
"""

EXAMPLES = r"""
- name: Tell of each app whether it was backed up
  proximity.platform.proximity_outcome:
    what: The backup of app feeds
    outcome: "{{ backups.apps | selectattr('host', 'equalto', 'feeds') | first }}"
"""

RETURN = r"""
plan:
  description: What was done, or would be.
  returned: when there is any
  type: list
  elements: dict
log:
  description: What happened, line by line.
  returned: when there is any
  type: list
  elements: dict
"""
