# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection pct: into a container, through its node."""

from __future__ import annotations

DOCUMENTATION = r"""
name: pct
short_description: Run tasks in a Proxmox VE container through the node that holds it
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Logs in to the node with ansible-core's own P(ansible.builtin.ssh#connection), and enters the container there with C(pct exec).
    The container needs no SSH server, no key, and no address that the controller can reach.
  - Every option of ssh is here and means the login to the node, so inventories, C(ssh_config), jump hosts, agents and the machine
    credentials of AWX work as for any other host. All containers of a node share one multiplexed connection.
  - In the container tasks run as root; C(become) works from there.
  - When the node answers that it does not have the container, the plugin looks there which node of the cluster does, and goes on there.
extends_documentation_fragment:
  - proximity.platform.ssh
options:
  vmid:
    description:
      - Number of the container. Role P(proximity.platform.app#role) sets it.
    type: int
    vars:
      - name: proximity_vmid
  node:
    description:
      - Name of the node that holds the container. Role P(proximity.platform.app#role) sets it.
    type: str
    vars:
      - name: proximity_node
  node_hosts:
    description:
      - SSH addresses of the nodes by their names, for nodes whose name is not an address that the controller knows.
    type: dict
    default: {}
    vars:
      - name: proximity_node_hosts
  host:
    description:
      - Address of the node. Set by the plugin from O(node) and O(node_hosts); C(ansible_host) stays the address of the app.
    type: str
  pct_command:
    description:
      - How to call C(pct) on the node. A user other than root needs V(sudo -n pct) here, and a rule for it.
      - What stands before the last word also stands before C(find), which looks for containers that have moved.
    type: str
    default: pct
    vars:
      - name: proximity_pct_command
  pipelining:
    # Only a sudo with requiretty speaks against it, and in the container there is nobody but root to begin with.
    default: true
  use_tty:
    # A terminal would merge the two outputs and translate line ends, and inside the container a second one is added.
    default: false
notes:
  - How files are copied is fixed (C(dd) through the same connection), so the C(sftp) and C(scp) options have no effect.
  - An SSH server takes ten sessions a connection by default (C(MaxSessions)); those beyond open a connection of their own, which is slower.
    With more than ten forks a node, raise it there.
seealso:
  - plugin: ansible.builtin.ssh
    plugin_type: connection
"""

EXAMPLES = r"""
- name: Look into a container, whatever its own network is like
  hosts: all
  gather_facts: false
  vars:
    ansible_connection: proximity.platform.pct
    ansible_user: root
    proximity_vmid: 8123
    proximity_node: pve1
    proximity_node_hosts:
      pve1: 192.0.2.11
  tasks:
    - name: Show the addresses of the container
      ansible.builtin.command: ip -brief address
      changed_when: false
"""

import itertools
import random
import re
import shlex
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.plugins.connection import ssh
from ansible.utils.display import Display
from ansible_collections.proximity.platform.plugins.plugin_utils.ways import failing_where_wished, refuse_without_folder

display = Display()

Outcome = tuple[int, bytes, bytes]

PIECE_BYTES = 4 * 1024 * 1024
"""Files travel in pieces of this size, since the ssh plugin holds what it sends and gets in memory."""

TURNED_AWAY = re.compile(rb"^kex_exchange_identification:|^ssh: connect to host .*: Connection refused", re.MULTILINE)
"""OpenSSH says so about a connection that ends before the two sides have greeted each other, or does not come about."""

SHIFTED = 254
SHIFT_NOTE = b"proximity: the exit status was 255\n"
"""ssh ends with 255 when itself fails; the same number from the container or from pct is reported as 254 and this line."""


def in_container(pct_command: str, vmid: int, command: str) -> str:
    """Spell out, for the node's shell, how to run a shell command in a container."""
    # Each argument of pct becomes one of the program; HOME, since pct of Proxmox VE 9 enters with a bare environment.
    enter = f"{pct_command} exec {vmid} -- env HOME=/root /bin/sh -c {shlex.quote(ascii_only(command))}"
    return f"{enter} || {{ rc=$?; [ $rc -eq 255 ] || exit $rc; printf {shlex.quote(shell_escaped(SHIFT_NOTE))} >&2; exit {SHIFTED}; }}"


def ascii_only(command: str) -> str:
    """Keep a command whole: pct decodes arguments in the locale of the login, which may know ASCII only (PVE::JSONSchema::get_options)."""
    if command.isascii():
        return command
    return f'eval "$(printf {shlex.quote(shell_escaped(command.encode("utf-8", "surrogateescape")))})"'


def shell_escaped(data: bytes) -> str:
    """Write bytes as a format of printf(1)."""
    return "".join(chr(byte) if 32 <= byte < 127 and byte not in b"\\%" else f"\\{byte:03o}" for byte in data)


def unshifted(outcome: Outcome) -> Outcome:
    """Give back the exit status that `in_container` kept from ssh."""
    status, out, err = outcome
    if status == SHIFTED and SHIFT_NOTE in err:
        return 255, out, err.replace(SHIFT_NOTE, b"")
    return outcome


def said(pattern: str, err: bytes) -> str:
    """Find a whole line: Perl's complaints about locales, and what ssh -v tells, may stand around it."""
    found = re.search(f"^{pattern}$", err.decode(errors="replace"), re.MULTILINE)
    return found[0] if found else ""


ENTRY_FAILURES = (
    (
        r"container '%d' not running!",
        "it is not running. Start it, for instance with playbook proximity.platform.start.",
    ),
    (
        r"Configuration file 'nodes/[^/']+/lxc/%d\.conf' does not exist",
        "it has just moved. Run again.",
    ),
    (
        r"please run as root",
        "the user of the login may not run pct. Log in as root, or set proximity_pct_command to 'sudo -n pct'.",
    ),
    (
        r"sudo: a (?:password|terminal) is required.*",
        "the user of the login may not run pct. Give it a sudo rule for pct without a password.",
    ),
    (
        r"(?!/bin/)\S+: .*\bpct: (?:command )?not found",
        "the node has no command pct. Is it a Proxmox VE node, and proximity_pct_command right?",
    ),
)
"""What pct, sudo and the shell say on the node (%d is the container), and what it means. pct: PVE::CLI::pct, PVE::RPCEnvironment."""


class Connection(ssh.Connection):
    """One container, entered through its node."""

    transport = "proximity.platform.pct"

    _login: str | None = None
    """User at the node."""
    _own_control_path: str | None = None
    """Where the user wants the sockets of shared connections."""
    _found: str | None = None
    """Node that turned out to hold the container."""

    def set_options(
        self,
        task_keys: Mapping[str, Any] | None = None,
        var_options: Mapping[str, Any] | None = None,
        direct: Mapping[str, Any] | None = None,
    ) -> None:
        super().set_options(task_keys=task_keys, var_options=var_options, direct=direct)
        self._login = self.get_option("remote_user")
        self._own_control_path = self.get_option("control_path")
        # Ansible asks this option for the home to put its files in, and for whether `become` changes anything. In the container that is
        # root, whoever logs in to the node.
        self.set_option("remote_user", "root")

    def _build_command(self, binary: str, subsystem: str, *other_args: bytes | str) -> list[bytes]:
        # For ssh alone the remote user is the node's.
        self.set_option("remote_user", self._login)
        try:
            return super()._build_command(binary, subsystem, *other_args)
        finally:
            self.set_option("remote_user", "root")

    def _bare_run(self, cmd: list[bytes], in_data: bytes | None, sudoable: bool = True, checkrc: bool = True) -> Outcome:
        """Try again when the SSH server turns a newcomer away, as it does with many at once (MaxStartups), or is just being restarted:
        nothing has run yet then."""
        for pause_s in (0.3, 0.6, 1.2, 2.4, 0):
            # With checkrc the plugin raises for what its caller reports as well.
            outcome: Outcome = super()._bare_run(cmd, in_data, sudoable=sudoable, checkrc=False)
            if outcome[0] != 255 or not TURNED_AWAY.search(outcome[2]) or cmd[0] == b"sshpass":  # whose pipe with the password is used up
                break
            time.sleep(pause_s * random.uniform(0.5, 1.5))
        return outcome

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Outcome:
        place = f"container {self.get_option('vmid')} on node {self._found or self.get_option('node')}"
        with failing_where_wished(self, place):
            outcome = self._run_inside(cmd, in_data, sudoable)
        refuse_without_folder(cmd, outcome, place)
        return outcome

    def _run_inside(self, cmd: str, in_data: bytes | None, sudoable: bool) -> Outcome:
        outcome = self._enter(cmd, in_data, sudoable)
        if outcome[0] and said(rf"Configuration file 'nodes/[^/']+/lxc/{self._vmid()}\.conf' does not exist", outcome[2]):
            self._found = self._holder()
            display.vvv(f"Container {self._vmid()} is on node {self._found}", host=self.host)
            outcome = self._enter(cmd, in_data, sudoable)
        if outcome[0] and not outcome[1]:
            self._refuse_failed_entry(outcome[2])
        return outcome

    def put_file(self, in_path: str, out_path: str) -> None:
        display.vvv(f"PUT {in_path} TO {out_path}", host=self.host)
        if not Path(in_path).exists():
            raise AnsibleFileNotFound(f"{in_path} does not exist on the controller.")
        with Path(in_path).open("rb") as source:
            for number in itertools.count():
                piece = source.read(PIECE_BYTES)
                if not piece and number:
                    break
                # dd cuts the file where the piece begins, so a piece that is sent twice after a broken connection does no harm.
                # For an empty file it must not read: without data to send, standard input is a terminal that never ends.
                command = f"dd of={shlex.quote(out_path)} bs={PIECE_BYTES} seek={number}{'' if piece else ' count=0'}"
                self._copy(f"write {out_path}", command, piece)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        display.vvv(f"FETCH {in_path} TO {out_path}", host=self.host)
        with Path(out_path).open("wb") as target:
            for number in itertools.count():
                command = f"exec < {shlex.quote(in_path)} && tail -c +{number * PIECE_BYTES + 1} | head -c {PIECE_BYTES}"
                piece = self._copy(f"read {in_path}", command)
                target.write(piece)
                if len(piece) < PIECE_BYTES:
                    break

    def reset(self) -> None:
        self._found = None
        self._aim()
        super().reset()

    def _vmid(self) -> int:
        vmid: int | None = self.get_option("vmid")
        if vmid is None:
            raise AnsibleConnectionFailure(
                "The host has no proximity_vmid, so its container is unknown. Role proximity.platform.app sets it."
            )
        return vmid

    def _node(self) -> str:
        node: str | None = self._found or self.get_option("node")
        if not node:
            raise AnsibleConnectionFailure("The host has no proximity_node, so its node is unknown. Role proximity.platform.app sets it.")
        return node

    def _aim(self) -> None:
        """Name the node's address where ssh looks for its host, which is also what names the shared connection."""
        host = self.get_option("node_hosts").get(self._node(), self._node())
        self.set_option("host", host)
        if not self._own_control_path:
            # Clusters may call their nodes alike and be told apart by ssh's configuration alone.
            # A shared connection must not lead into the other one.
            ways = (self.get_option(name) for name in ("ssh_args", "ssh_common_args", "ssh_extra_args", "private_key_file"))
            path = self._create_control_path("-".join(filter(None, (host, *ways))), self.get_option("port"), self._login)
            self.set_option("control_path", path)

    def _enter(self, command: str, in_data: bytes | None, sudoable: bool) -> Outcome:
        self._aim()
        return unshifted(super().exec_command(in_container(self.get_option("pct_command"), self._vmid(), command), in_data, sudoable))

    def _copy(self, deed: str, command: str, data: bytes | None = None) -> bytes:
        status, out, err = self.exec_command(command, data, sudoable=False)
        if status:
            raise AnsibleError(f"Cannot {deed} in container {self._vmid()}: {err.decode(errors='replace').strip()}")
        return out

    def _holder(self) -> str:
        """Ask the node which node has the container: its /etc/pve shows the whole cluster."""
        prefix = shlex.join(shlex.split(self.get_option("pct_command"))[:-1])
        _status, out, err = super().exec_command(f"{prefix} find /etc/pve/nodes -path '*/lxc/{self._vmid()}.conf'".lstrip(), sudoable=False)
        found = re.search(r"^/etc/pve/nodes/([^/]+)/lxc/", out.decode(errors="replace"), re.MULTILINE)
        if not found:
            why = err.decode(errors="replace").strip() or "no node of the cluster has it"
            raise AnsibleConnectionFailure(
                f"Container {self._vmid()} is not on node {self._node()}: {why}. Run role proximity.platform.app to find or create it."
            )
        return found[1]

    def _refuse_failed_entry(self, err: bytes) -> None:
        """Tell a container that could not be entered from a command that failed in it."""
        for pattern, sentence in ENTRY_FAILURES:
            line = said(pattern.replace("%d", str(self._vmid())), err)
            if line:
                raise AnsibleConnectionFailure(
                    f"Cannot enter container {self._vmid()} on node {self._node()}: {sentence} The node said: {line}"
                )
