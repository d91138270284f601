# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Reads what a question needs and puts the answer together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ..api import Client
from ..errors import ApiError, PlanError
from ..model import GuestConfig
from ..resources.archives import observe_backups
from ..resources.cluster import observe_bridges
from ..resources.figures import Figures, observe_figures
from ..resources.guests import observe_config, observe_live
from ..resources.ledger import observe_ledger
from ..resources.nodes import observe_node_details, observe_quorum, observe_version
from ..resources.permissions import observe_permissions
from .apps import MANAGED, Row, add_live, add_record, choice, copies_of, describe_guest, first_choice
from .question import Question
from .rights import judge_rights
from .sums import count_backups, count_ports, judge_bridge, judge_health

READERS: dict[str, Callable[[Client], Any]] = {
    "version": observe_version,
    "figures": observe_figures,
    "quorum": observe_quorum,
    "permissions": observe_permissions,
}
NEEDS = {
    "connection": ("version",),
    "version": ("version",),
    "quorum": ("quorum",),
    "health": ("version", "figures", "quorum", "permissions"),
}
"""Part -> what it takes; every other part takes the figures."""


def gather(client: Client, question: Question) -> dict[str, Any]:
    """Answer a question about one cluster. What the token may not read is None, and `denied` says why."""
    started = client.clock.now()
    denied: list[dict[str, Any]] = []
    wanted = {name for part in question.parts for name in NEEDS.get(part, ("figures",))}
    seen = {}
    for name in READERS:
        if name in wanted:
            seen[name] = _permitted(denied, name, READERS[name], client)
            seen.setdefault("latency_ms", round((client.clock.now() - started) * 1000))
    if "ports" in question.parts and question.slots.ledger in seen["figures"].pools:
        seen["ledger"] = _permitted(denied, "ledger", observe_ledger, client, question.slots.ledger)
    answer = _answer_plainly(client, question, seen)
    if "figures" in seen:
        answer |= _answer_figures(client, question, seen, denied)
    return {**answer, "denied": denied}


def _answer_plainly(client: Client, question: Question, seen: Mapping[str, Any]) -> dict[str, Any]:
    about, answer = client.connection, dict[str, Any]()
    if "connection" in question.parts:
        version = seen["version"] or {}
        answer["connection"] = {
            "ok": True,
            "url": about.address,
            "who": about.who,
            "verified": about.validate_certs,
            "latency_ms": seen["latency_ms"],
            "lab": version.get("lab"),
        }
    answer |= {part: seen[part] for part in ("version", "quorum") if part in question.parts}
    if "health" in question.parts:
        rights = judge_rights(seen["permissions"] or {}, seen["figures"].storages, question.slots.ledger)
        answer["health"] = judge_health(seen, rights)
    return answer


def _answer_figures(client: Client, question: Question, seen: Mapping[str, Any], denied: list[dict[str, Any]]) -> dict[str, Any]:
    parts, figures = question.parts, seen["figures"]
    guests = _guests(client, question, figures)
    answer: dict[str, Any] = {}
    if "nodes" in parts or "node_details" in parts:
        answer["nodes"] = _nodes(client, question, figures)
    if "storages" in parts:
        answer["storages"] = list(figures.storages)
    if "apps" in parts:
        answer["apps"] = guests.apps
    if "unmanaged" in parts:
        answer["unmanaged"] = guests.unmanaged
    if "copies" in parts:
        answer["copies"] = guests.copies
    if "ports" in parts:
        ledger = seen.get("ledger")
        answer["ports"] = count_ports((*figures.guests, *figures.machines), ledger.claims if ledger else (), question.slots)
    if "settings" in parts:
        answer["settings"] = _settings(client, question, figures, denied)
    if "backups" in parts:
        answer["backups"] = _backups(client, question, figures, denied)
    return answer


@dataclass(frozen=True)
class _Guests:
    apps: list[Row]
    unmanaged: list[Row]
    copies: list[Row]


def _guests(client: Client, question: Question, figures: Figures) -> _Guests:
    """The guests that are asked for, with the records and addresses that are."""
    early, late = first_choice(question), choice(question)
    online = {node["name"] for node in figures.nodes if node["online"]}
    marked = [describe_guest(guest, question.slots) for guest in figures.guests if MANAGED in guest["tags"] and early(guest)]
    configs: Mapping[int, GuestConfig] = {}
    if question.needs_records:
        reached = [app for app in marked if app["node"] in online]
        configs = _each(question.threads, reached, lambda app: observe_config(client, app["node"], app["vmid"]))
        for app in reached:
            if app["vmid"] in configs:
                add_record(app, configs[app["vmid"]])
    copies = copies_of(marked, configs)
    strangers = {copy["vmid"] for copy in copies}
    apps = [app for app in marked if app["vmid"] not in strangers and late(app)]
    unmanaged = [guest for guest in figures.guests if MANAGED not in guest["tags"] and late(guest)]
    if "addresses" in question.parts:
        _add_addresses(client, question, [guest for guest in (*apps, *unmanaged) if guest["node"] in online])
    return _Guests(apps, unmanaged, copies)


def _add_addresses(client: Client, question: Question, guests: Sequence[Row]) -> None:
    running = [guest for guest in guests if guest.get("power", guest["status"]) == "running"]
    found = _each(question.threads, running, lambda guest: observe_live(client, guest["node"], guest["vmid"]))
    for guest in running:
        if guest["vmid"] in found:
            add_live(guest, found[guest["vmid"]])


def _each(threads: int, guests: Sequence[Row], read: Callable[[Row], Any]) -> dict[int, Any]:
    """Read something of every guest, in so many threads. What fails for one is noted there and is missing from the answer."""

    def kept(guest: Row) -> Any:
        try:
            return read(guest)
        except ApiError as error:
            guest["problem"] = f"It could not be read: {error.said}."
            return None

    if not guests:
        return {}
    with ThreadPoolExecutor(min(threads, len(guests))) as pool:
        found = dict(zip((guest["vmid"] for guest in guests), pool.map(kept, guests), strict=True))
    return {vmid: value for vmid, value in found.items() if value is not None}


def _nodes(client: Client, question: Question, figures: Figures) -> list[Row]:
    counts: dict[str, list[int]] = {}
    for guest in figures.guests:
        count = counts.setdefault(guest["node"], [0, 0])
        count[0] += 1
        count[1] += guest["status"] == "running"
    nodes = [
        {**node, "containers": counts.get(node["name"], [0, 0])[0], "containers_running": counts.get(node["name"], [0, 0])[1]}
        for node in figures.nodes
        if not question.chosen.get("node") or node["name"] in question.chosen["node"]
    ]
    if "node_details" not in question.parts:
        return nodes
    with ThreadPoolExecutor(min(question.threads, len(nodes) or 1)) as pool:
        details = pool.map(lambda node: _detailed(client, node) if node["online"] else {}, nodes)
        return [{**node, **detail} for node, detail in zip(nodes, details, strict=True)]


def _detailed(client: Client, node: Row) -> Row:
    try:
        return {**observe_node_details(client, node["name"]), "problem": ""}
    except ApiError as error:
        return {"problem": f"It could not be read: {error.said}."}


def _settings(client: Client, question: Question, figures: Figures, denied: list[dict[str, Any]]) -> dict[str, Any]:
    """Hold the default network against the bridges of each node that is online."""
    online = [node["name"] for node in figures.nodes if node["online"]]

    def read(node: str) -> list[str]:
        return sorted(_permitted(denied, f"bridges of node {node}", observe_bridges, client, node) or ())

    with ThreadPoolExecutor(min(question.threads, len(online) or 1)) as pool:
        return judge_bridge(question.defaults.network.bridge, dict(zip(online, pool.map(read, online), strict=True)))


def _backups(client: Client, question: Question, figures: Figures, denied: list[dict[str, Any]]) -> dict[str, Any]:
    """Every storage for backups is read on each of its nodes, a shared one once."""
    places: dict[tuple[str, str], str] = {}
    for storage in figures.storages:
        if "backup" in storage["content"] and storage["available"]:
            places.setdefault((storage["name"], "" if storage["shared"] else storage["node"]), storage["node"])
    reads = [(node, name) for (name, _owner), node in places.items()]

    def read(place: tuple[str, str]) -> list[Row]:
        node, name = place
        found = _permitted(denied, f"backups on storage {name} of node {node}", observe_backups, client, node, name)
        return found or []

    with ThreadPoolExecutor(min(question.threads, len(reads) or 1)) as pool:
        backups = [backup for found in pool.map(read, reads) for backup in found]
    return count_backups(backups, _apps_of(figures.guests))


def _apps_of(guests: Iterable[Row]) -> list[Row]:
    return [guest for guest in guests if MANAGED in guest["tags"]]


def _permitted(denied: list[dict[str, Any]], what: str, read: Callable[..., Any], *arguments: Any) -> Any:
    """The answer, or None and a line in `denied` where it cannot be had."""
    try:
        return read(*arguments)
    except ApiError as error:
        if error.status != 403:
            raise
        denied.append({"what": what, "said": error.said})
    except PlanError as error:  # somebody else wrote where the ledger should be
        denied.append({"what": what, "said": str(error)})
    return None
