"""The control API: what tests in other processes ask of the lab, over plain HTTP on loopback.

GET    /status                      clusters, addresses, the clock
GET    /journal?path=..&method=..   the calls so far; DELETE forgets them
POST   /faults  {kind, method, path, node, nth, times, probability, ...}; DELETE takes all away
POST   /clock   {advance: seconds}
POST   /save    {file}; POST /load {file}
"""

from __future__ import annotations

import json
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from lab.faults import fault_from

if TYPE_CHECKING:
    from lab.server import Lab


class ControlServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], lab: Lab) -> None:
        self.lab = lab
        super().__init__(address, ControlConversation)


class ControlConversation(BaseHTTPRequestHandler):
    server: ControlServer

    def log_message(self, format: str, *args: Any) -> None:
        """Nobody reads it."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        try:
            given = {**dict(parse_qsl(query)), **json.loads(body or "{}")}
            status, data = 200, control(self.server.lab, self.command, path, given)
        except (ValueError, TypeError, KeyError, OSError) as error:
            status, data = 400, {"error": f"{type(error).__name__}: {error}"}
        content = json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()


def control(lab: Lab, method: str, path: str, given: dict[str, Any]) -> Any:
    """Do one thing; raises KeyError for what there is not."""
    match method, path:
        case "GET", "/status":
            sites = {site.name: {"nodes": site.urls, "guests": len(site.cluster.guests)} for site in lab.sites}
            return {"clusters": sites, "now": lab.clock.now(), "environment": lab.environment()}
        case "GET", "/journal":
            return [entry.shown() for entry in lab.journal(given.get("method", ""), given.get("path", ""))]
        case "DELETE", "/journal":
            return lab.journal_book.clear()
        case "POST", "/faults":
            fault = fault_from(given)
            lab.faults.add(fault)
            return asdict(fault)
        case "DELETE", "/faults":
            return lab.faults.clear()
        case "POST", "/clock":
            lab.advance(float(given["advance"]))
            return {"now": lab.clock.now()}
        case "POST", "/save":
            return lab.save(Path(given["file"]))
        case "POST", "/load":
            return lab.load(Path(given["file"]))
    raise KeyError(f"{method} {path}")
