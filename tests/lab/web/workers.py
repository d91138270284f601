"""The workers of each node's daemons: a call keeps one busy, and when all are busy the next call waits.

pveproxy answers what it may answer itself, and passes the rest on: to the node that the path names, and there, when root's rights
are needed, to pvedaemon. Both have three workers that do one thing at a time (pve-manager, PVE::Service::pveproxy and pvedaemon).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

NEEDS_ROOT = re.compile(
    r"/nodes/[^/]+/(lxc|lxc/\d+/(status/\w+|interfaces|pending|feature|migrate)|tasks/[^/]+/(status|log)|status|network(/[^/]+)?"
    r"|storage/[^/]+/(content(/.+)?|status|prunebackups)|aplinfo|vzdump/.*)"
)
"""What is read with root's rights; what is changed always is."""


class Workers:
    """Of all nodes of a cluster; `count` each, 0 for as many as it takes."""

    def __init__(self, count: int) -> None:
        self._count, self._lock = count, threading.Lock()
        self._free: dict[tuple[str, str], threading.BoundedSemaphore] = {}

    @contextmanager
    def busy(self, asked: str, method: str, path: str) -> Iterator[None]:
        """Keep a worker of the node and daemon that do this call, for the length of a `with`."""
        if not self._count:
            yield
            return
        parts = path.split("/")
        node = parts[2] if len(parts) > 2 and parts[1] == "nodes" else asked
        daemon = "pvedaemon" if method != "GET" or NEEDS_ROOT.fullmatch(path) else "pveproxy"
        with self._lock:
            free = self._free.setdefault((node, daemon), threading.BoundedSemaphore(self._count))
        with free:
            yield
