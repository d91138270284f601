"""From a decoded request to an answer: who, which call, rights, node, parameters, then the handler.

The order is that of the original (pve-manager, HTTPServer.pm): a parameter that contradicts the path, the rights that the call
declares, the node it is passed on to, the parameters, and then what the handler itself checks: further rights, then the state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from lab.access import check_declared
from lab.cluster import Cluster
from lab.context import Call
from lab.errors import Refusal, refuse, wrong
from lab.guests.runtime import RuntimeFailure
from lab.registry import find_route
from lab.schema.verify import verify


@dataclass(frozen=True)
class Request:
    """`path` is below /api2/json and decoded; `params` come from query, form or JSON; `files` from an upload."""

    method: str
    path: str
    params: Mapping[str, Any]
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass
class Answer:
    """`body` None: nothing but the status line. `effect` and `changes` (see `Call`) are for the journal."""

    status: int = 200
    reason: str = "OK"
    body: dict[str, Any] | None = None
    effect: str = ""
    changes: dict[str, list[Any]] = field(default_factory=dict)


def answer(cluster: Cluster, asked: str, user: str, request: Request) -> Answer:
    """Answer a request of somebody whom `lab.signin` has recognised."""
    try:
        call, data = _perform(cluster, asked, user, request)
    except Refusal as refusal:
        return refused(refusal)
    except RuntimeFailure as failure:
        return refused(refuse(str(failure)))
    is_task = isinstance(data, str) and data.startswith("UPID:")
    effect = data if is_task else "" if request.method == "GET" else "changed"
    return Answer(body={"data": data, **call.extra}, effect=effect, changes=call.changes)


def refused(refusal: Refusal) -> Answer:
    """The text is the reason phrase, and the body's message with a line end (unless nothing is implemented there).

    Who is not let in, and who asks for a node that does not answer, gets the reason alone.
    """
    reason = refusal.text.strip().replace("\n", " ")
    if refusal.status == 401 or refusal.status >= 595:
        return Answer(refusal.status, reason)
    body: dict[str, Any] = {"data": None, "message": reason if refusal.status == 501 else f"{reason}\n"}
    if refusal.errors:
        body["errors"] = refusal.errors
    return Answer(refusal.status, reason, body)


def _perform(cluster: Cluster, asked: str, user: str, request: Request) -> tuple[Call, Any]:
    found = find_route(request.method, request.path)
    spec = cluster.table.calls.get((found[0].method, found[0].path)) if found else None
    if found is None or spec is None:
        raise Refusal(501, f"Method '{request.method} {request.path}' not implemented")
    route, in_path = found
    params = _merged(in_path, request.params)
    if "!" in user and not spec.allow_token:
        raise Refusal(403, f"Permission check failed (URI '{request.path}' not available with API token, need proper ticket.)")
    with cluster.lock:
        check_declared(cluster, user, spec.rights, params)
        if "node" in in_path:
            _pass_on(cluster, asked, in_path["node"])
    call = Call(cluster, asked, user, request.method, request.path, verify(cluster.table, spec, params), dict(request.files))
    if not route.locked:
        return call, route.handler(call)
    with cluster.lock:
        before = {} if request.method == "GET" else _config_in(cluster, in_path)
        data = route.handler(call)
        if before:
            call.changes = changes_between(before, _config_in(cluster, in_path))
        return call, data


def _pass_on(cluster: Cluster, asked: str, node: str) -> None:
    """To the node of the path, by its own port."""
    if not cluster.node(node).port_open and node != asked:
        raise Refusal(595, "Connection refused")


def _config_in(cluster: Cluster, in_path: Mapping[str, str]) -> dict[str, Any]:
    """The config of the guest in the path, as it is now."""
    vmid = in_path.get("vmid", "")
    guest = cluster.guests.get(int(vmid)) if vmid.isdecimal() else None
    return {**guest.config, **guest.pending} if guest else {}


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Option -> [what it was, what it is], None where it is not set."""
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return {name: [before.get(name), after.get(name)] for name in names}


def _merged(in_path: Mapping[str, str], given: Mapping[str, Any]) -> dict[str, Any]:
    twice = [name for name in in_path if name in given and str(given[name]) != in_path[name]]
    if twice:
        text = "duplicate parameter (already defined in URI) with conflicting values!"
        raise wrong(dict.fromkeys(twice, text))
    return {**given, **in_path}
