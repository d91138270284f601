#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of proximity_log; the action plugin of that name does all of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_log
short_description: Note a step of a deployment, and keep its log in the guest
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Notes a line with the time at which the task ran. Lines are held for the host until they are kept, so that a deployment with many steps
    enters its guest once for them.
  - Roles P(proximity.platform.app#role), P(proximity.platform.docker#role) and P(proximity.platform.stack#role) use it. Tasks of your own
    that run between them can add lines.
  - With O(path), the lines held and this one are appended to a file in the guest, in one command that needs nothing but a shell. Where all
    that were held have level V(debug), nothing happened; then only a line of level V(error) is written.
  - A file that cannot be written is told in a warning. The task does not fail.
options:
  step:
    description: The step, in a word.
    type: str
    required: true
  message:
    description: What happened, in a sentence. What looks like a secret is masked, and what is longer than 1,000 characters is cut.
    type: str
    required: true
  level:
    description: V(debug) is for what changed nothing.
    type: str
    choices: [debug, info, warning, error]
    default: info
  before:
    description: Lines that come before this one, as modules of this collection return them in RV(log).
    type: list
    elements: dict
    default: []
  begin:
    description: Forget the lines that are held for the host.
    type: bool
    default: false
  path:
    description: The file in the guest. Its folder is made where it is missing. It holds the last 1,000 lines.
    type: path
attributes:
  check_mode:
    description: Can run in check mode, where nothing happens that could be logged.
    support: full
  diff_mode:
    description: Says in diff mode what changed.
    support: none
    details:
      - A log tells of changes, and is none itself.
  idempotent:
    description: Run again, it changes nothing.
    support: none
    details:
      - Each run appends lines. RV(ignore:changed) is always false.
  platform:
    description: Systems it runs on.
    platforms: posix
    support: full
  action:
    description: Runs as an action plugin, on the controller, and enters the guest for O(path) only.
    support: full
"""

EXAMPLES = r"""
- name: Note that the app knows its users
  proximity.platform.proximity_log:
    step: users
    message: Users were copied from the old server.

- name: Keep the log in the guest
  proximity.platform.proximity_log:
    step: done
    message: The move is complete.
    path: /opt/proximity/feeds/log.jsonl
"""

RETURN = r"""
log:
  description: The line, with time, level, step and message. Those of O(before) were told before.
  returned: success
  type: list
  elements: dict
kept:
  description: Whether lines were written to the guest.
  returned: success
  type: bool
ansible_facts:
  description: Facts of the host.
  returned: success
  type: dict
  contains:
    app_log:
      description: All lines since the last one that began the log.
      returned: success
      type: list
      elements: dict
"""
