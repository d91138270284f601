"""Run any module as a process of its own: its name is the argument, its arguments come on standard input, its result goes to the output."""

from __future__ import annotations

import importlib
import json
import sys

from ansible.module_utils import basic

if __name__ == "__main__":
    module = importlib.import_module(f"ansible_collections.proximity.platform.plugins.modules.{sys.argv[1]}")
    basic._ANSIBLE_ARGS = json.dumps({"ANSIBLE_MODULE_ARGS": json.load(sys.stdin)}).encode()
    basic._ANSIBLE_PROFILE = "legacy"
    module.main()
