"""Who calls: API tokens, tickets and their CSRF tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from email.message import Message
from http.cookies import CookieError, SimpleCookie
from urllib.parse import unquote

from lab.cluster import Cluster
from lab.errors import Refusal

OPEN = {("GET", "/access/ticket"), ("POST", "/access/ticket")}
"""Calls that need nobody to be known."""
TICKET_S = 2 * 3600
FAILED = "Authentication failed!"


def signed(cluster: Cluster, purpose: str, text: str) -> str:
    """A signature that this cluster alone can make."""
    key = "".join(token.secret for user in cluster.users.values() for token in user.tokens.values()) or cluster.name
    return hmac.new(f"{purpose}:{key}".encode(), text.encode(), hashlib.sha256).hexdigest()


def make_ticket(cluster: Cluster, user: str) -> tuple[str, str]:
    """A ticket, and the CSRF token that goes with its writes."""
    plain, stamp = f"PVE:{user}:{cluster.now():08X}", f"{cluster.now():08X}"
    return f"{plain}::{signed(cluster, 'ticket', plain)}", f"{stamp}:{signed(cluster, 'csrf', stamp + user)}"


def check_password(cluster: Cluster, user: str, password: str) -> bool:
    known = cluster.users.get(user)
    return bool(known and known.enable and known.password and hmac.compare_digest(known.password.encode(), password.encode()))


def ticket_user(cluster: Cluster, ticket: str) -> str:
    """The user whose valid ticket this is, else an empty text."""
    parts = re.fullmatch(r"(PVE:([^:]+@[^:]+):([0-9A-F]{8}))::([0-9a-f]{64})", ticket)
    if not parts or not hmac.compare_digest(signed(cluster, "ticket", parts[1]), parts[4]):
        return ""
    fresh = -300 < cluster.now() - int(parts[3], 16) < TICKET_S
    return parts[2] if fresh and parts[2] in cluster.users else ""


def recognise(cluster: Cluster, method: str, path: str, headers: Mapping[str, str] | Message) -> str:
    """Who calls, or a 401; empty for the calls that are open to all."""
    if (method, path) in OPEN:
        return ""
    given = headers.get("Authorization") or ""
    if given.startswith("PVEAPIToken"):
        return _token_user(cluster, given[len("PVEAPIToken") :].lstrip("= "))
    try:
        cookie = SimpleCookie(headers.get("Cookie") or "").get("PVEAuthCookie")
    except CookieError:
        cookie = None
    if cookie is None:
        raise Refusal(401, "No ticket")
    user = ticket_user(cluster, unquote(cookie.value))
    if not user:
        raise Refusal(401, "invalid PVE ticket")
    if method != "GET":
        _check_csrf(cluster, user, headers.get("CSRFPreventionToken") or "")
    return user


def _check_csrf(cluster: Cluster, user: str, given: str) -> None:
    stamp, _, signature = given.partition(":")
    if not signature or not hmac.compare_digest(signed(cluster, "csrf", stamp + user).encode(), signature.encode()):
        raise Refusal(401, "Permission denied - invalid csrf token")


def _token_user(cluster: Cluster, text: str) -> str:
    """`user@realm!id=secret` -> `user@realm!id`."""
    who, _, secret = text.partition("=")
    user, _, token = who.partition("!")
    known = cluster.users.get(user)
    found = known.tokens.get(token) if known else None
    if not known or not found or not hmac.compare_digest(found.secret.encode(), secret.encode()):
        raise Refusal(401, FAILED)
    ends = [expire for expire in (known.expire, found.expire) if expire]
    if not known.enable or any(end <= cluster.now() for end in ends):
        raise Refusal(401, FAILED)
    return who
