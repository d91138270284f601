#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The documentation of proximity_hooked_backup; the action plugin of that name does all of it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_hooked_backup
short_description: A backup of an app that is made ready for it in its container
version_added: 0.1.0
description:
  - Does what M(proximity.platform.proximity_backup) does with C(state=present). If a backup is due, and the container runs, databases are
    dumped and services are paused before, by the scripts of O(hooks), and go on afterwards, whether it went well or not.
  - What is paused goes on by itself after 15 minutes, should nobody be there to say so.
  - The task's connection leads into the container, which needs nothing but a shell. It is pointed to where the container is. The API of
    Proxmox VE is asked from the controller itself, whose Python needs proxmoxer.
author:
  - Proximity contributors (@proximity-platform)
extends_documentation_fragment:
  - proximity.platform.proximity
  - proximity.platform.proximity.attributes
attributes:
  idempotent:
    support: partial
    details:
      - With O(force=true), every run makes a backup.
  action:
    description: Runs as an action plugin, on the controller.
    support: full
options:
  host:
    description:
      - A host of the inventory that declares the app. What is not given here, the connection included, is taken from its variables, as
        playbook C(backup) does.
      - The task then neither fails nor counts as changed, since it may run for another host. What became of it stands in RV(outcome), which
        M(proximity.platform.proximity_outcome) tells for the host itself.
    type: str
  name:
    description: Name of the app. Needed without O(host).
    type: str
  hooks:
    description: What is done in the container, as filter P(proximity.platform.backup_hooks#filter) tells it. Nothing without it.
    type: dict
    suboptions:
      dumps:
        description: Dumps, one after another.
        type: list
        elements: dict
        suboptions:
          service: {description: The service., type: str}
          type: {description: The tool., type: str}
          file: {description: Where the dump lies., type: str}
          script: {description: What makes it., type: str}
      pause:
        description: Script that pauses services; empty for none.
        type: str
      resume:
        description: Script that lets them go on, and removes the dumps.
        type: str
  max_age:
    description: How old the newest backup may be.
    type: str
    default: 1d
  mode:
    description: As in M(proximity.platform.proximity_backup).
    type: str
    choices: [snapshot, suspend, stop]
    default: snapshot
  compress:
    description: How the backup is compressed.
    type: str
    choices: [zstd, gzip, lzo, none]
    default: zstd
  storage:
    description: The storage for the backup.
    type: str
  keep:
    description: How many backups to keep, as in M(proximity.platform.proximity_backup).
    type: dict
    suboptions:
      last: {description: So many of the newest., type: int}
      hourly: {description: The newest of so many hours., type: int}
      daily: {description: The newest of so many days., type: int}
      weekly: {description: The newest of so many weeks., type: int}
      monthly: {description: The newest of so many months., type: int}
      yearly: {description: The newest of so many years., type: int}
  protected:
    description: Whether the backup is protected.
    type: bool
  force:
    description: Make one now.
    type: bool
    default: false
  notes:
    description: Text for the backup's notes.
    type: str
  take_over_lease:
    description: Work on an app that another run holds. For when you know that this run is gone.
    type: bool
    default: false
  port_range:
    description: The slots of apps, as in M(proximity.platform.proximity_app).
    type: dict
    suboptions:
      public: {description: First and last public port., type: str}
      internal: {description: First and last internal port., type: str}
      first_vmid: {description: Container number of the first slot., type: int}
      ledger: {description: Name of the mapping that holds the reservations., type: str}
  timeouts:
    description: How long things may take, as in M(proximity.platform.proximity_backup).
    type: dict
    suboptions:
      backup_s: {description: A backup., type: int}
      start_s: {description: As there; nothing is started here., type: int}
      shutdown_s: {description: As there; nothing is started here., type: int}
      address_s: {description: As there; nothing is started here., type: int}
      lease_s: {description: As there., type: int}
seealso:
  - module: proximity.platform.proximity_backup
  - module: proximity.platform.proximity_backups
"""

EXAMPLES = r"""
- name: A backup of feeds, with its web service paused
  proximity.platform.proximity_hooked_backup:
    name: feeds
    hooks:
      pause: docker pause feeds-web-1
      resume: docker unpause feeds-web-1
  delegate_to: feeds

- name: A backup of each of these, as the inventory declares them, one after another
  proximity.platform.proximity_hooked_backup:
    host: "{{ item }}"
  delegate_to: "{{ item }}"
  loop: [feeds, wiki]
"""

RETURN = r"""
outcome:
  description: All of what follows, with changed, failed and msg.
  returned: with O(host)
  type: dict
backup:
  description: The newest backup, like RV(proximity.platform.proximity_backup#module:backup).
  returned: success
  type: dict
tasks:
  description: What is under way, as in M(proximity.platform.proximity_backup).
  returned: success
  type: list
  elements: dict
excluded:
  description: Mount points of the container that are in no backup of it.
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
