"""One connection of a client: its calls, the faults that strike them, the answers."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from lab.current import Origin, within
from lab.dispatch import Answer, Request, answer, refused
from lab.errors import Refusal
from lab.faults import STATUSES, Fault, Where
from lab.journal import Entry, without_secrets
from lab.signin import recognise
from lab.web.decode import decode_body, decode_form, merge

if TYPE_CHECKING:
    from lab.web.listener import Listener

PREFIX = "/api2/json"
LOST = Answer(0, "connection lost")
PORTIONS = 10
"""Into how many a slow body is divided."""


class ConnectionLost(Exception):
    """The connection has been cut."""


@dataclass
class Exchange:
    """A call on its way: `faults` are the names of those that have struck it."""

    where: Where
    query: str
    body: bytes
    user: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    began: float = field(default_factory=time.perf_counter)


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
        if self._gone():
            self._cut()
        path, _, query = self.path.partition("?")
        path = unquote(path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if not path.startswith(PREFIX):
            self._send(Answer(501, f"no such file '{path}'"))
            return
        where = Where(self.server.site.name, self.server.node, self.command, path.removeprefix(PREFIX).rstrip("/") or "/")
        call = Exchange(where, query, body)
        self._strike_state(call, "before")
        spoiler = self._strike_answer(call, "before")
        given = LOST if spoiler or self._gone() else self._work(call)
        if given is not LOST:
            self._strike_state(call, "after")
            spoiler = self._strike_answer(call, "after")
        self._give(call, given, spoiler)

    def _gone(self) -> bool:
        """Whether this node answers nobody."""
        return self.server.closed or not self.server.site.cluster.nodes[self.server.node].online

    # Faults.

    def _strike_state(self, call: Exchange, place: str) -> None:
        site = self.server.site
        for fault in site.faults.strike("state", place, call.where):
            call.faults.append(fault.kind)
            site.conditions.begin(fault, site, call.where)

    def _strike_answer(self, call: Exchange, place: str) -> Fault | None:
        struck = self.server.site.faults.strike("answer", place, call.where)
        call.faults += [fault.kind for fault in struck]
        return struck[0] if struck else None

    def _give(self, call: Exchange, given: Answer, spoiler: Fault | None) -> None:
        """Send the answer, or what a fault has made of it."""
        clock, name = self.server.site.cluster.clock, spoiler.name if spoiler else ""
        if spoiler and (name in STATUSES or name == "status"):
            given = self._instead(given, refused(Refusal(*spoiler.told())))
        elif name in {"reset", "timeout"} or given is LOST or self._gone():
            self._record(call, self._instead(given, LOST))
            clock.sleep(spoiler.seconds(60) if spoiler and name == "timeout" else 0)
            self._cut()
        self._record(call, given)
        self._send(given, spoiler)

    def _instead(self, real: Answer, shown: Answer) -> Answer:
        """What is shown, with the effect that there really was."""
        return Answer(shown.status, shown.reason, shown.body, real.effect, real.changes)

    def _cut(self) -> None:
        """Reset the connection instead of closing it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        raise ConnectionLost

    # The call itself.

    def _work(self, call: Exchange) -> Answer:
        """Answer it, by one of the workers of its daemon."""
        site, where = self.server.site, call.where
        origin = Origin(where.method, where.path)
        delays = site.faults.strike("delay", "before", where)
        call.faults += [fault.kind for fault in delays]
        with site.workers.busy(where.node, where.method, where.path), within(origin):
            site.cluster.clock.sleep(site.latency_s + sum(fault.seconds(1) for fault in delays))
            given = self._answer(call)
        call.faults += origin.faults
        return given

    def _answer(self, call: Exchange) -> Answer:
        site, where = self.server.site, call.where
        try:
            with site.cluster.lock:
                call.user = recognise(site.cluster, where.method, where.path, self.headers)
            in_body, files = decode_body(self.headers.get("Content-Type") or "", call.body)
            call.params = merge(in_body, decode_form(call.query))
            if where.method in {"GET", "DELETE"} and call.body:
                raise Refusal(501, f"Unexpected content for method '{where.method}'")
            return answer(site.cluster, where.node, call.user, Request(where.method, where.path, call.params, files))
        except Refusal as refusal:
            if refusal.status == 401:
                site.cluster.clock.sleep(site.wrong_token_delay_s)
            return refused(refusal)

    def _record(self, call: Exchange, given: Answer) -> None:
        site, where = self.server.site, call.where
        took_ms = round((time.perf_counter() - call.began) * 1000, 2)
        about = (site.cluster.clock.now(), site.name, where.node, call.user, where.method, where.path, without_secrets(call.params))
        site.journal.add(Entry(*about, given.status, given.reason, given.effect, ",".join(call.faults), took_ms, given.changes))

    def _send(self, given: Answer, spoiler: Fault | None = None) -> None:
        content = b"" if given.body is None else json.dumps(given.body, ensure_ascii=False, separators=(",", ":")).encode()
        name = spoiler.name if spoiler else ""
        if name == "malformed":
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
        first = "\r\n".join([*head, "", ""]).encode()
        if spoiler and name == "slow-body":
            self.wfile.write(first)
            self._drip(content, spoiler.seconds(5))
        else:
            self.wfile.write(first + content)

    def _drip(self, content: bytes, seconds: float) -> None:
        """Send it in portions over that time."""
        size = max(1, -(-len(content) // PORTIONS))
        for start in range(0, len(content), size):
            self.server.site.cluster.clock.sleep(seconds / PORTIONS)
            self.wfile.write(content[start : start + size])
