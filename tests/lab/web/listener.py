"""HTTPS: one listener for each node; each connection has a thread."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

from lab.site import Site
from lab.web.conversation import ConnectionLost, Conversation

IDLE_S = 30
QUEUE = 128


class Listener(ThreadingHTTPServer):
    """The address of one node."""

    daemon_threads = True
    request_queue_size = QUEUE
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], site: Site, node: str, certificate: Path) -> None:
        self.site, self.node = site, node
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        self._kept: socket.socket | None = None
        self._door, self._gone = threading.Lock(), False
        super().__init__(address, Conversation)

    @property
    def closed(self) -> bool:
        """Whether its port refuses connections, by a fault."""
        return self._kept is not None

    def keep(self, *, closed: bool) -> None:
        """Refuse connections, or accept them again on the same port, which nobody gets meanwhile."""
        with self._door:
            if self._gone:
                return  # a fault's end may come while the lab is closed
            if closed and self._kept is None:
                address = self.server_address
                self.socket.shutdown(socket.SHUT_RDWR)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
                    os.dup2(silent.fileno(), self.socket.fileno())  # the loop goes on to look at this number
                self._kept = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                self._kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                self._kept.bind(address)
            elif not closed and self._kept is not None:
                self._kept.listen(QUEUE)
                os.dup2(self._kept.fileno(), self.socket.fileno())
                self._kept.close()
                self._kept = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        """In the connection's own thread, so that a slow handshake holds nobody up; a node that is down answers nobody."""
        if not self.site.cluster.nodes[self.node].online:
            return
        try:
            request.settimeout(IDLE_S)
            request.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._tls.wrap_socket(request, server_side=True) as secure:
                Conversation(secure, client_address, self)
        except (OSError, ConnectionLost):
            return

    def shutdown_request(self, request: Any) -> None:
        try:
            super().shutdown_request(request)
        except OSError:
            return

    def server_close(self) -> None:
        with self._door:
            self._gone = True
            super().server_close()
            if self._kept:
                self._kept.close()
