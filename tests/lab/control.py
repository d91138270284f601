"""The control API: what tests in other processes ask of the lab, over plain HTTP on loopback. Bodies and answers are JSON.

GET    /status                          clusters, nodes, the clock, the variables of `.lab/env`
GET    /journal?method=..&path=..       the calls so far, oldest first; `since=TIME`, `effects=1`: only those that had one
DELETE /journal                         forget them
GET    /kinds                           the faults that there are, with their meaning
GET    /faults                          those that are set: how many calls they have seen, how many they struck
POST   /faults {kind, method, path, node, cluster, nth, times, probability, seed, and the fault's own arguments}
DELETE /faults?id=..                    take one away, or all
POST   /clock {advance: seconds}
POST   /guests {vmid, address_s, deaf, shutdown_s, start_fails, cluster}   how a simulated guest behaves; vmid 0: all others
POST   /save {file}, POST /load {file}
"""

from __future__ import annotations

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

from lab.cluster import RELEASES
from lab.faults import KINDS
from lab.guests.simulated import Script, SimulatedRuntime

if TYPE_CHECKING:
    from lab.server import Lab
    from lab.site import Site


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
        except (ValueError, TypeError, LookupError, OSError) as error:
            status, data = 400, {"error": str(error)}
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
    """Do one thing; raises LookupError for what there is not, ValueError and TypeError for what is wrong with it."""
    match method, path:
        case "GET", "/status":
            return _status(lab)
        case "GET", "/journal":
            return _journal(lab, given)
        case "DELETE", "/journal":
            return lab.journal_book.clear()
        case "GET", "/kinds":
            return {name: kind.meaning for name, kind in KINDS.items()}
        case "GET", "/faults":
            return [fault.shown() for fault in lab.faults.all()]
        case "POST", "/faults":
            return lab.set_fault(given).shown()
        case "DELETE", "/faults":
            return lab.faults.clear(int(given.get("id", 0)))
        case "POST", "/clock":
            lab.advance(float(given["advance"]))
            return {"now": lab.clock.now()}
        case "POST", "/guests":
            return _script(lab, dict(given))
        case "POST", "/save":
            return lab.save(Path(given["file"]))
        case "POST", "/load":
            words: list[str] = []
            lab.load(Path(given["file"]), words.append)
            return {"words": words}
    raise LookupError(f"the control API has no {method} {path}")


def _status(lab: Lab) -> dict[str, Any]:
    clusters = {site.name: _shown(site) for site in lab.sites}
    return {"clusters": clusters, "now": lab.clock.now(), "faults": len(lab.faults.all()), "environment": lab.environment()}


def _shown(site: Site) -> dict[str, Any]:
    cluster = site.cluster
    with cluster.lock:
        running = sum(state.running for state in cluster.runtime.states().values())
        nodes = {node.name: {"url": site.urls.get(node.name), "online": node.online, "ssh": node.ssh} for node in cluster.nodes.values()}
        counts = {"guests": len(cluster.guests), "running": running, "kind": cluster.runtime.kind}
    return {"version": RELEASES[cluster.major][0], "quorate": cluster.quorate, "nodes": nodes, **counts}


def _journal(lab: Lab, given: dict[str, Any]) -> list[dict[str, Any]]:
    entries = lab.journal(given.get("method", ""), given.get("path", ""))
    chosen = (entry for entry in entries if entry.time >= float(given.get("since", 0)) and (entry.effect or not given.get("effects")))
    return [{**entry.shown(), "outcome": lab.outcome(entry)} for entry in chosen]


def _script(lab: Lab, given: dict[str, Any]) -> None:
    name, vmid = given.pop("cluster", lab.sites[0].name), int(given.pop("vmid", 0))
    cluster = next((site.cluster for site in lab.sites if site.name == name), None)
    if cluster is None:
        raise LookupError(f"there is no cluster {name!r} here; there are {', '.join(site.name for site in lab.sites)}")
    if cluster.runtime.kind != "simulated":
        raise ValueError("real guests behave as they please")
    cast(SimulatedRuntime, cluster.runtime).scripts[vmid] = Script(**given)
