"""Let a node's SSH refuse connections for a while, as when its daemon has died."""

from __future__ import annotations

from lab.guests.runtime import RuntimeFailure
from lab.real.layout import StateDir
from lab.real.node import find

END = 'pid=$(cat /run/sshd.pid) && [ "$(cat "/proc/$pid/comm")" = sshd ] && kill "$pid" $(cat "/proc/$pid/task/$pid/children")'
"""The daemon goes with its connections; the daemons in guests have other parents."""


def set_ssh(state: StateDir, name: str, up: bool) -> None:
    """Have a living node's sshd run, or end with all its connections."""
    node = find(state, name)
    if node is None:
        raise RuntimeFailure(f"node '{name}' is not running")
    if up:
        node.run(["/bin/bash", f"/run/lab/nodes/{name}/files/services.sh"])
    else:
        node.run(["/bin/bash", "-c", END], ok=(0, 1))
