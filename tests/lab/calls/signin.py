"""Tickets."""

from __future__ import annotations

from lab.access import privileges_at
from lab.context import Call
from lab.errors import Refusal
from lab.registry import Data, answers
from lab.signin import check_password, make_ticket, ticket_user

PLACES = {"vms": "/vms", "storage": "/storage", "nodes": "/nodes", "access": "/access", "dc": "/", "sdn": "/sdn", "mapping": "/mapping"}


@answers("GET", "/access/ticket")
def ticket_form(call: Call) -> Data:
    return None


@answers("POST", "/access/ticket")
def sign_in(call: Call) -> Data:
    name, password = str(call.params["username"]), str(call.params["password"])
    user = name if "@" in name else f"{name}@{call.get('realm', 'pam')}"
    if not check_password(call.cluster, user, password) and ticket_user(call.cluster, password) != user:
        raise Refusal(401, "authentication failure")
    ticket, csrf = make_ticket(call.cluster, user)
    held = {area: dict.fromkeys(privileges_at(call.cluster, user, path), 1) for area, path in PLACES.items()}
    return {"username": user, "ticket": ticket, "CSRFPreventionToken": csrf, "cap": held, "clustername": call.cluster.name}
