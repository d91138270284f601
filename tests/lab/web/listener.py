"""HTTPS: one listener for each node; each connection has a thread."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lab.dispatch import Answer, Request, answer, refused
from lab.errors import Refusal
from lab.faults import STATUSES, Fault, Where
from lab.journal import Entry, without_secrets
from lab.signin import recognise
from lab.site import Site
from lab.web.decode import decode_body, decode_form, merge

PREFIX = "/api2/json"
IDLE_S = 30


class ConnectionLost(Exception):
    """A fault has cut the connection."""


class Listener(ThreadingHTTPServer):
    """The address of one node."""

    daemon_threads = True
    request_queue_size = 128
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], site: Site, node: str, certificate: Path) -> None:
        self.site, self.node = site, node
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(certificate)
        super().__init__(address, Conversation)

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


class Conversation(BaseHTTPRequestHandler):
    """One connection; it ends after an error, as the original's do."""

    protocol_version = "HTTP/1.1"
    server: Listener

    def log_message(self, format: str, *args: Any) -> None:
        """The journal says it all."""

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _serve(self) -> None:
        began, site, node = time.perf_counter(), self.server.site, self.server.node
        if not site.cluster.nodes[node].online:
            self._cut()
        path, _, query = self.path.partition("?")
        path = unquote(path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not path.startswith(PREFIX):
            self._send(Answer(501, f"no such file '{path}'"))
            return
        path = path.removeprefix(PREFIX).rstrip("/") or "/"
        where = Where(site.name, node, self.command, path)
        struck = next(iter(site.faults.strike("answer", "before", where)), None)
        user, params = "", dict[str, Any]()
        given = self._fault_answer(struck)
        if given is None:
            given, user, params = self._answer(path, query, body)
            struck = next(iter(site.faults.strike("answer", "after", where)), struck)
            given = self._fault_answer(struck, given) or given
        self._record(path, user, params, given, struck, time.perf_counter() - began)
        self._send(given, struck)

    def _answer(self, path: str, query: str, body: bytes) -> tuple[Answer, str, dict[str, Any]]:
        cluster, site = self.server.site.cluster, self.server.site
        user, params = "", dict[str, Any]()
        try:
            with cluster.lock:
                user = recognise(cluster, self.command, path, self.headers)
            in_body, files = decode_body(self.headers.get("Content-Type") or "", body)
            params = merge(in_body, decode_form(query))
            if self.command in {"GET", "DELETE"} and body:
                raise Refusal(501, f"Unexpected content for method '{self.command}'")
            return answer(cluster, self.server.node, user, Request(self.command, path, params, files)), user, params
        except Refusal as refusal:
            if refusal.status == 401:
                time.sleep(site.wrong_token_delay_s)
            return refused(refusal), user, params

    def _fault_answer(self, fault: Fault | None, real: Answer | None = None) -> Answer | None:
        """What a fault makes of a call; None leaves it alone. Cuts the connection where the fault does."""
        if fault is None:
            return None
        kind, wanted = fault.kind.removesuffix("-after"), fault.arguments
        clock = self.server.site.cluster.clock
        if kind in {"refuse", "reset"}:
            self._record_lost(fault)
            self._cut()
        if kind in {"timeout", "latency"}:
            clock.sleep(float(wanted.get("seconds", 60)))
        if kind == "timeout":
            self._record_lost(fault)
            self._cut()
        if kind in STATUSES or kind == "status":
            return refused(Refusal(*fault.told()))
        return real

    def _cut(self) -> None:
        """Reset the connection instead of closing it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise ConnectionLost

    def _record(self, path: str, user: str, params: dict[str, Any], given: Answer, fault: Fault | None, took: float) -> None:
        site = self.server.site
        kind = fault.kind if fault else ""
        seen = without_secrets(params)
        where = (site.cluster.clock.now(), site.name, self.server.node, user, self.command, path, seen)
        site.journal.add(Entry(*where, given.status, given.reason, given.effect, kind, round(took * 1000, 2)))

    def _record_lost(self, fault: Fault) -> None:
        self._record(unquote(self.path.partition("?")[0]).removeprefix(PREFIX), "", {}, Answer(0, "connection lost"), fault, 0)

    def _send(self, given: Answer, fault: Fault | None = None) -> None:
        content = b"" if given.body is None else json.dumps(given.body, ensure_ascii=False, separators=(",", ":")).encode()
        kind = fault.kind if fault else ""
        if kind == "malformed":
            content = content[: len(content) // 2]
        self.close_connection = self.close_connection or given.status >= 400
        head = [
            f"HTTP/1.1 {given.status} {given.reason}",
            "Cache-Control: max-age=0",
            f"Connection: {'close' if self.close_connection else 'Keep-Alive'}",
            f"Date: {self.date_time_string()}",
            "Pragma: no-cache",
            "Server: pve-api-daemon/3.0",
            f"Content-Length: {len(content)}",
        ]
        if given.body is not None:
            head.append("Content-Type: application/json;charset=UTF-8")
        self.wfile.write("\r\n".join([*head, "", ""]).encode() + (b"" if kind == "slow-body" else content))
        if kind == "slow-body" and fault:
            _drip(self.wfile.write, content, float(fault.arguments.get("seconds", 5)))


def _drip(write: Callable[[bytes], Any], content: bytes, seconds: float) -> None:
    """Send it in ten portions over that time."""
    size = max(1, len(content) // 10)
    for start in range(0, len(content), size):
        time.sleep(seconds / 10)
        write(content[start : start + size])
