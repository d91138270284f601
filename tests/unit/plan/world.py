"""Turns a case file into desired apps and into a world that answers a planner's questions."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.claims import Ledger
from ansible_collections.proximity.platform.plugins.module_utils.desired import DesiredApp, Release, Web
from ansible_collections.proximity.platform.plugins.module_utils.fleets import Job, Jobs
from ansible_collections.proximity.platform.plugins.module_utils.model import (
    Cluster,
    Controller,
    Fact,
    FactsNeeded,
    GuestConfig,
    Lease,
    Live,
    Notes,
    Observed,
    Record,
    Resources,
    SafetyPoint,
)
from ansible_collections.proximity.platform.plugins.module_utils.observer import Planner
from ansible_collections.proximity.platform.plugins.module_utils.planner.records import tags_of
from ansible_collections.proximity.platform.plugins.module_utils.plans import Plan
from ansible_collections.proximity.platform.plugins.module_utils.resources.cluster import _guest, _node, _storage
from ansible_collections.proximity.platform.plugins.module_utils.resources.configs import parse_config
from ansible_collections.proximity.platform.plugins.module_utils.spec import desired_app
from ansible_collections.proximity.platform.plugins.module_utils.wire.ledger import HEADER, parse_page
from ansible_collections.proximity.platform.plugins.module_utils.wire.notes import format_notes
from ansible_collections.proximity.platform.plugins.module_utils.wire.tags import format_tags
from ansible_collections.proximity.platform.plugins.module_utils.wire.times import parse_time
from unit.plan.shelf import shelved

HERE = Path(__file__).parent
BASE = yaml.safe_load((HERE / "base.yml").read_text())
US = Controller("us@here", "here:100:1", "seed")


def desired_of(given: dict[str, Any]) -> DesiredApp:
    """The parameters of proximity_app, and `release` (beside base.yml's) instead of a catalog entry."""
    params = {**BASE["desired"], **given}
    release = params.pop("release")
    app = desired_app(params)
    if release is None or given.get("release", "") is None:
        return app
    release = {**BASE["desired"]["release"], **release}
    web = Web(**release["web"]) if release["web"] else None
    wanted = Release(
        **{
            **release,
            "web": web,
            "recommended": Resources(**release["recommended"]),
            "minimum": Resources(**release["minimum"]),
            "environment": tuple(release["environment"]),
        }
    )
    return replace(app, entry=wanted.entry, release=None if app.state == "absent" else wanted)


class World:
    """A cluster as a case describes it. `reads` notes what was asked, in order."""

    def __init__(self, observed: dict[str, Any]) -> None:
        given = {**BASE["observed"], **observed}
        self.now = parse_time(given["now"])
        known = {"dead_runs": frozenset(given["dead_runs"]), "hidden": frozenset(given["hidden"])}
        self.start = Observed(US, self.now, **known, moved=given.get("moved", False))
        self.reads: list[str] = []
        self.facts: dict[Fact, Any] = {}
        rows = [*given["guests"]]
        for vmid, app in given["apps"].items():
            rows.append(self._app(vmid, app))
        for vmid, config in given["configs"].items():
            node = next(row["node"] for row in rows if row["vmid"] == vmid)
            self._guest(node, vmid, parse_config(vmid, config), {})
        guests = {guest.vmid: guest for guest in map(_guest, rows)}
        nodes = {node.name: node for node in map(_node, given["nodes"])}
        pools = frozenset((*given["pools"], *given.get("rescues", ())))
        self.facts[Fact("cluster")] = Cluster(guests, nodes, tuple(map(_storage, given["storages"])), pools)
        claims = parse_page(" ".join([HEADER, *given["ledger"]]))
        self.facts[Fact("ledger", ("proximity-ports",))] = Ledger(claims)
        self.facts[Fact("jobs", ("proximity-jobs",))] = Jobs(tuple(Job(**each) for each in given.get("jobs", ())))
        self.facts |= {Fact("taken", (vmid,)): taken for vmid, taken in given["taken"].items()}
        for place, volids in given["templates"].items():
            self.facts[Fact("templates", tuple(place.split("/")))] = tuple(volids)
        self.facts |= {Fact("bridges", (node,)): tuple(names) for node, names in given["bridges"].items()}
        self.facts |= shelved(given, self.facts[Fact("cluster")], self._saved, self.now)

    def plan(self, planner: Planner, observed: Observed | None = None) -> tuple[Plan, Observed]:
        """Answer the planner's questions until it has a plan."""
        observed = observed or self.start
        while isinstance(outcome := planner(observed), FactsNeeded):
            wanted = sorted(outcome.facts, key=str)
            self.reads += [" ".join(map(str, (fact.kind, *fact.key))) for fact in wanted]
            observed = observed.having({fact: self.facts[fact] for fact in wanted})
        return outcome, observed

    def _app(self, vmid: int, given: dict[str, Any]) -> dict[str, Any]:
        """An app of ours, running and settled unless said otherwise; returns its row in the cluster's list."""
        app = {**BASE["app"], **given}
        record = self._record(vmid, app)
        tags = tags_of(record, tuple(app["tags"]))
        row = {
            "vmid": vmid,
            "type": "lxc",
            "name": app["name"],
            "node": app["node"],
            "status": "running",
            "tags": format_tags(tags),
            **app["listed"],
        }
        notes = format_notes(Notes(app["notes_before"], ("summary",), record, app["notes_after"]))
        config = {**BASE["config"], "hostname": app["name"], "tags": format_tags(tags), "description": notes, **app["config"]}
        self._guest(app["node"], vmid, replace(parse_config(vmid, config), pending=tuple(app.get("pending", ()))), app)
        return row

    def _saved(self, vmid: int, given: dict[str, Any]) -> GuestConfig:
        """The configuration of an app as a backup holds it."""
        app = {**BASE["app"], **given}
        record = self._record(vmid, app)
        notes = format_notes(Notes(record=record))
        tags = format_tags(tags_of(record, tuple(app["tags"])))
        return parse_config(vmid, {**BASE["config"], "hostname": app["name"], "tags": tags, "description": notes, **app["config"]})

    def _record(self, vmid: int, app: dict[str, Any]) -> Record:
        values = {"vmid": vmid, "name": app["name"], **BASE["record"], **app["record"]}
        lease = values.pop("lease")
        values |= {"changed": parse_time(values["changed"]), "environment": tuple(values["environment"])}
        values["safety"] = tuple(SafetyPoint(**{**each, "made": parse_time(each["made"])}) for each in values.get("safety", ()))
        return Record(**values, lease=Lease(**{**lease, "until": parse_time(lease["until"])}) if lease else None)

    def _guest(self, node: str, vmid: int, config: Any, app: dict[str, Any]) -> None:
        live = Live(app.get("running", True), {"eth0": ("10.0.0.9",)} if app.get("running", True) else {})
        self.facts |= {Fact("config", (node, vmid)): config, Fact("settled", (node, vmid)): config, Fact("live", (node, vmid)): live}
        uptime = timedelta(seconds=app.get("uptime_s", 3600))
        self.facts[Fact("started", (node, vmid))] = self.now - uptime if live.running else None
        self.facts[Fact("snapshots", (node, vmid))] = tuple(app.get("snapshots", ()))
        self.facts[Fact("marks", (node, vmid))] = tuple((name, parse_time(made)) for name, made in app.get("marks", {}).items())
        self.facts[Fact("snapshots_possible", (node, vmid))] = app.get("snapshots_possible", True)
        self.facts[Fact("links_possible", (node, vmid))] = app.get("links_possible", True)
        for name, storage in app.get("lost_backups", {}).items():
            self.facts[Fact("safety_backup", (node, storage, vmid, name))] = ""
        for name, storage in app.get("backups", {}).items():
            self.facts[Fact("safety_backup", (node, storage, vmid, name))] = f"{storage}:backup/{name}"
