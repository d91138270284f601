# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What runs on a cluster, as the wishes that would deploy it again. It reads, and never writes.

What was chosen inside an app (options, environment) stands in its container alone, and is added by whoever can enter that.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .api import Client
from .errors import ApiError, SpecError
from .facts import Question, question_of
from .model import GuestConfig, Network, Record
from .networks import parse_network
from .planner.records import users_tags
from .resources.figures import observe_figures
from .resources.guests import observe_config

Row = dict[str, Any]
MANAGED = "proximity"
LINK = ("vlan", "mtu", "firewall")


def exported(params: Mapping[str, Any]) -> Question:
    """Read the parameters of module `proximity_export`, whose documentation explains them."""
    return question_of({**params, "gather_subset": ["apps", "records"]})


def export(client: Client, question: Question) -> Row:
    """The apps with their wishes, and what is left out, each with the reason; a call for the list, and one for each app."""
    figures = observe_figures(client)
    online = {node["name"] for node in figures.nodes if node["online"]}
    marked = [guest for guest in figures.guests if MANAGED in guest["tags"]]

    def look(guest: Row) -> Row:
        if guest["node"] not in online:
            return _left_out(guest, f"its node {guest['node']} is offline")
        try:
            return _told(guest, observe_config(client, guest["node"], guest["vmid"]))
        except ApiError as error:
            return _left_out(guest, f"its configuration could not be read: {error}")

    with ThreadPoolExecutor(question.threads) as pool:
        rows = list(pool.map(look, marked))
    chosen = [row for row in rows if "wish" not in row or _is_chosen(row, question)]
    return {
        "apps": sorted((row for row in chosen if "wish" in row), key=lambda row: str(row["name"])),
        "left_out": [row for row in chosen if "wish" not in row],
    }


def _is_chosen(row: Row, question: Question) -> bool:
    given = {"name": row["name"], "node": row["node"], "owner": row["wish"].get("owner", ""), "catalog_id": row["wish"]["catalog_id"]}
    return all(given[key] in values for key, values in question.chosen.items() if key in given)


def _left_out(guest: Row, why: str) -> Row:
    return {"vmid": guest["vmid"], "node": guest["node"], "name": guest["name"], "why": why}


def _told(guest: Row, config: GuestConfig) -> Row:
    record = config.notes.record
    if record is None:
        return _left_out(guest, f"its record is damaged: {config.notes.damage}" if config.notes.damage else "it has no record")
    if record.vmid != guest["vmid"]:
        return _left_out(guest, f"it is a copy of app {record.name} ({record.vmid})")
    if record.adopted is not None:
        return _left_out(guest, "it was adopted, not deployed: adopt it again where it is")
    if guest["template"]:
        return _left_out(guest, "it is a template")
    wish, remarks = _wish(guest, config, record)
    return {
        "vmid": guest["vmid"],
        "node": guest["node"],
        "name": record.name,
        "running": guest["status"] == "running",
        "version": record.entry_version,
        "revision": record.revision,
        "environment": list(record.environment),
        "wish": wish,
        "remarks": remarks,
    }


def _wish(guest: Row, config: GuestConfig, record: Record) -> tuple[Row, list[str]]:
    """Parameters of `proximity_app`, and what they cannot say."""
    network, remarks = _network(config)
    resources = {"cores": config.cores, "memory_mb": config.memory_mb, "swap_mb": config.swap_mb}
    if config.disk_mb % 1024:
        remarks.append(f"Its disk has {config.disk_mb} MB, which is no whole number of GB: a new one gets what its entry recommends.")
    else:
        resources["disk_gb"] = config.disk_mb // 1024
    if not config.cores:
        del resources["cores"]
        remarks.append("It may use all cores of its node: a new one gets what its entry recommends.")
    if config.mounts:
        remarks.append(f"A new one has no {', '.join(sorted(config.mounts))}: Proximity does not make further volumes.")
    if not record.revision:
        remarks.append(f"It has never been rolled out to its end ({record.status}).")
    running = guest["status"] == "running"
    state = "started" if running else "stopped"
    said: Row = {
        "catalog_id": record.entry,
        "state": state if (record.status == "stopped") != running else "present",
        "owner": record.owner,
        "node": guest["node"],
        "storage": config.disk_storage,
        "pool": guest["pool"],
        "resources": resources,
        "network": network,
        "onboot": config.onboot,
        "startup": config.startup,
        "protection": config.protection,
        "tags": list(users_tags(config.tags, record)),
    }
    if record.catalog:
        remarks.append(f"Its entry is from the catalog {record.catalog}: name it in proximity_catalog_paths.")
    return {key: value for key, value in said.items() if value not in ("", [], {})}, remarks


def _network(config: GuestConfig) -> tuple[Row, list[str]]:
    """A network that reads back as what there is; what no wish can say is left out, and told."""
    seen: Network = config.network
    link: Row = {"bridge": seen.bridge} if seen.bridge else {}
    link |= {key: getattr(seen, key) for key in LINK if getattr(seen, key)}
    names: Row = {"dns": list(config.nameservers)} if config.nameservers else {}
    names |= {"search_domain": config.search_domain} if config.search_domain else {}
    # An empty gateway is said, since a site's default would be taken else.
    address: Row = {"address": seen.address} | ({} if seen.address == "dhcp" else {"gateway": seen.gateway or ""})
    try:
        parse_network({**link, **address})
    except SpecError as error:
        return {**link, **names}, [f"Its address is not one that Proximity manages, and a new one gets DHCP: {error}"]
    return {**link, **(address if seen.address else {}), **names}, []
