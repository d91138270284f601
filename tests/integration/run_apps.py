"""Run proximity_apps as a process of its own: its arguments come on standard input, its result goes to standard output."""

from __future__ import annotations

import json
import sys

from ansible.module_utils import basic
from ansible_collections.proximity.platform.plugins.modules import proximity_apps

if __name__ == "__main__":
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.load(sys.stdin)}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    proximity_apps.main()
