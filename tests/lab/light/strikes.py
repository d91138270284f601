"""Faults of the way into guests: what happens to one command of those that come by SSH."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

STRIKES = {
    "refused": "the node's SSH refuses this connection",
    "turned-away": "the node's SSH has too many newcomers",
    "ssh-down": "the node's SSH refuses every connection from now on",
    "lost-before": "the connection ends before the command has begun",
    "lost-midst": "the connection ends with the command, before one of the changes that it would make",
    "lost-after": "the command has done all that it would, and its answer is lost",
    "fails": "the command fails, since the disk is full",
    "slow": "the answer takes a while",
    "stopped": "somebody has stopped the guest",
    "node-down": "the node has lost power",
    "moved": "somebody has moved the guest to another node",
    "killed-before": "the controller dies before the command has begun",
    "killed-after": "the controller dies when the command has done all that it would",
}
SLOW_S = 1.5
PHRASES = {
    "refused": "ssh: connect to host {node} port 22: Connection refused",
    "turned-away": "kex_exchange_identification: Connection closed by remote host",
    "lost-before": "Connection to {node} closed by remote host.",
    "lost-midst": "Connection to {node} closed by remote host.",
    "lost-after": "client_loop: send disconnect: Broken pipe",
    "fails": "/bin/sh: 1: cannot create /tmp/x: No space left on device",
    "offline": "ssh: connect to host {node} port 22: No route to host",
}
"""In the words of OpenSSH and of the shell."""
BEFOREHAND = ("ssh-down", "slow", "stopped", "node-down", "moved")
DIES = ("killed-before", "killed-after")
HAS_EFFECT = ("lost-midst", "lost-after", "killed-after")


@dataclass
class Strike:
    """`nth`: of the commands from now on, beginning with 1. `die_at`: before which change a command dies; 0 where it makes none by itself,
    and then half of its input is lost."""

    kind: str
    nth: int
    die_at: int = 0
    struck: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.kind not in STRIKES:
            raise ValueError(f"there is no strike {self.kind!r}; there are {', '.join(STRIKES)}")
