# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The options of ansible-core's own ssh connection, as they are in the ansible-core that runs."""

from __future__ import annotations

import json
from typing import Any

from ansible.plugins.connection import ssh
from ansible.plugins.loader import fragment_loader
from ansible.utils.plugin_docs import get_docstring

NODE_VARS = {
    "remote_user": "proximity_node_user",
    "port": "proximity_node_port",
    "private_key_file": "proximity_node_private_key_file",
    "ssh_common_args": "proximity_node_ssh_common_args",
}
"""Variables of our own for hosts whose ansible_user and so on mean the container; the last one found wins."""


UNREACHABLE_FAILS = {
    "description": [
        "Whether a task fails when the container cannot be reached, or no longer. Otherwise it is unreachable, with which the host leaves "
        "the play at once, past the rescue of a block. Role P(proximity.platform.app#role) sets it for its own work, so that its record "
        "tells."
    ],
    "type": "bool",
    "default": False,
    "vars": [{"name": "proximity_unreachable_fails"}],
}


def options_of_ssh() -> dict[str, Any]:
    """Those of ansible-core, and one of ours."""
    options: dict[str, Any] = get_docstring(ssh.__file__, fragment_loader, collection_name="ansible.builtin")[0]["options"]
    return {**options, "unreachable_fails": UNREACHABLE_FAILS}


def node_options() -> dict[str, Any]:
    """Take over the options of ssh, which all mean the login to the node."""
    options = options_of_ssh()
    # ansible_host is the address of the app, so the node has its address from elsewhere: pct declares `host` itself.
    del options["host"]
    for name, variable in NODE_VARS.items():
        options[name]["vars"].append({"name": variable})
    return options


class ModuleDocFragment:
    # JSON is YAML; it also takes the marked strings of ansible-core 2.19, which a YAML dumper refuses.
    # The annotation keeps documentation linters, which expect a literal, from reading this line.
    DOCUMENTATION: str = json.dumps({"options": node_options()})
    WHOLE: str = json.dumps({"options": options_of_ssh()})
