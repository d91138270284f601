# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection ssh: straight into a container."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ssh
short_description: Run tasks in a container through its own SSH server
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - ansible-core's own P(ansible.builtin.ssh#connection), with all its options.
  - Besides, it can be told that a connection which is lost fails the task, so that role P(proximity.platform.app#role) records it and takes
    an update back.
extends_documentation_fragment:
  - proximity.platform.ssh.whole
seealso:
  - plugin: proximity.platform.pct
    plugin_type: connection
"""

EXAMPLES = r"""
- name: Deploy apps that are entered by their own address
  hosts: proximity_apps
  gather_facts: false
  vars:
    app_connection: ssh
  roles:
    - role: proximity.platform.app
"""

from ansible.plugins.connection import ssh
from ansible_collections.proximity.platform.plugins.plugin_utils.ways import failing_where_wished, refuse_without_folder


class Connection(ssh.Connection):
    """One container, entered by its address."""

    transport = "proximity.platform.ssh"

    def _place(self) -> str:
        return f"host {self.get_option('host')}"

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        with failing_where_wished(self, self._place()):
            outcome: tuple[int, bytes, bytes] = super().exec_command(cmd, in_data=in_data, sudoable=sudoable)
        refuse_without_folder(cmd, outcome, self._place())
        return outcome

    def put_file(self, in_path: str, out_path: str) -> None:
        with failing_where_wished(self, self._place()):
            super().put_file(in_path, out_path)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        with failing_where_wished(self, self._place()):
            super().fetch_file(in_path, out_path)
