# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a user's parameters to a desired app. What makes no sense raises SpecError with one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from .defaults import complete_network, parse_defaults, parse_resources
from .desired import Clone, DesiredApp, Hold, Release, Report, SafetyWish, Timeouts, Web
from .entries import OWN_CATALOG, parse_entry, resolve_environment, revision
from .errors import SpecError
from .model import Resources
from .networks import parse_nameservers, parse_network
from .ranges import parse_port_range
from .wire.times import parse_time

NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
TAG = re.compile(r"[a-z0-9_][a-z0-9_\-+.]*")
OUR_TAG = re.compile(r"proximity|rev-[0-9a-f]{10}|slot-\d+|px-rollback")
CATALOG_LIMIT = 120
TAGS_LIMIT = 120
"""Bytes of tags in a guest: the cluster's list of thousands of guests has to fit into one mebibyte."""
PLAIN = ("state", "node", "off_node", "storage", "template", "pool", "owner", "onboot", "startup", "protection")
CHOICES = (
    *("on_failure", "on_update_failure", "update_attempts", "restart"),
    *("ignore_protection", "destroy_adopted", "take_over_lease", "verify"),
)


def desired_app(params: Mapping[str, Any]) -> DesiredApp:
    """Read the parameters of module `proximity_app`, whose documentation explains them."""
    name = parse_name(params["name"])
    entry = _entry_id(params)
    release = _release(params, name)
    defaults = parse_defaults(params.get("defaults") or {})
    network = complete_network(params.get("network") or {}, defaults)
    given = {key: params[key] for key in (*PLAIN, *CHOICES) if params.get(key) is not None}
    return DesiredApp(
        name=name,
        entry=entry,
        release=release,
        ssh_public_keys=tuple(_public_key(key) for key in params.get("ssh_public_keys") or ()),
        resources=parse_resources(params.get("resources") or {}),
        defaults=defaults,
        network=parse_network(network),
        nameservers=parse_nameservers(network.get("dns")),
        search_domain=network.get("search_domain"),
        tags=_tags(params.get("tags"), release.entry if release else ""),
        port_range=parse_port_range(params.get("port_range") or {}),
        restarted_after=_restarted_after(params),
        clone=_clone(params),
        report=_report(params.get("report")),
        hold=Hold(**params["hold"]) if params.get("hold") else None,
        safety=_safety(params),
        timeouts=_timeouts(params.get("timeouts") or {}),
        **given,
    )


def parse_name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise SpecError(
            f"The app's name '{name}' cannot be used: "
            "it takes 1 to 63 lower-case letters, digits and hyphens, with no hyphen at either end."
        )
    return name


def _entry_id(params: Mapping[str, Any]) -> str | None:
    definition, catalog_id = params.get("definition"), params.get("catalog_id")
    if not definition:
        return catalog_id
    if catalog_id and catalog_id != definition.get("id"):
        raise SpecError(f"The definition is of entry {definition.get('id')}, not of catalog_id {catalog_id}: leave one of them out.")
    return str(definition.get("id"))


def _release(params: Mapping[str, Any], name: str) -> Release | None:
    """What is to run; nothing for an app that is to go, whose options may no longer be known."""
    definition, catalog_id = params.get("definition"), params.get("catalog_id")
    if params.get("state") == "absent" or not (definition or catalog_id):
        return None
    if not definition:
        raise SpecError(
            f"Entry {catalog_id} was not read from a catalog: "
            "use proximity_app as a task, so that its action plugin reads it, or give `definition`."
        )
    entry = parse_entry(definition)
    options, environment = params.get("options") or {}, params.get("environment") or {}
    return Release(
        entry=entry.id,
        title=entry.name,
        version=entry.version,
        revision=revision(entry, options, environment, name),
        web=Web(entry.web.scheme, entry.web.port, entry.web.path) if entry.web else None,
        recommended=Resources(**vars(entry.resources.recommended)),
        minimum=Resources(**vars(entry.resources.minimum)),
        environment=tuple(sorted(resolve_environment(entry, environment))),
        catalog="" if entry.source == OWN_CATALOG else entry.source[:CATALOG_LIMIT],
    )


def _tags(tags: Sequence[str] | None, entry_id: str) -> tuple[str, ...] | None:
    if tags is None:
        return None
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise SpecError(
                f"Tag '{tag}' cannot be used: it takes lower-case letters, digits and _ - + . and starts with a letter, a digit or _."
            )
        if OUR_TAG.fullmatch(tag) or tag == entry_id:
            raise SpecError(f"Tag '{tag}' is one that Proximity sets itself: leave it out.")
    size = len(";".join(["proximity", entry_id, "rev-0123456789", *tags]).encode())
    if size > TAGS_LIMIT:
        raise SpecError(
            f"The tags take {size} bytes together with Proximity's own; there is room for {TAGS_LIMIT}: use fewer or shorter ones."
        )
    return tuple(sorted(set(tags)))


def _public_key(key: str) -> str:
    if not re.fullmatch(r"(ssh-|ecdsa-|sk-)\S+ [A-Za-z0-9+/=]+( .*)?", key.strip()):
        raise SpecError(f"'{key[:40]}' in ssh_public_keys is no public key: give the whole line of a .pub file.")
    return key.strip()


def _restarted_after(params: Mapping[str, Any]) -> datetime | None:
    text = params.get("restarted_after")
    if params.get("state") != "restarted":
        if text:
            raise SpecError(f"restarted_after needs state restarted, and the state is {params.get('state')}.")
        return None
    if not text:
        raise SpecError("State restarted needs restarted_after: the moment after which the app must have been started.")
    try:
        return parse_time(str(text))
    except ValueError as error:
        raise SpecError(f"restarted_after is '{text}': give a moment with its time zone, such as 2026-03-01T04:00:00Z.") from error


def _clone(params: Mapping[str, Any]) -> Clone | None:
    """What a new app is copied from. A node to be on and off at once makes no sense, and is told here too."""
    if params.get("off_node") and params.get("off_node") == params.get("node"):
        raise SpecError(f"node and off_node are both {params['node']}: leave one of them out.")
    source = params.get("clone_from")
    if not source or params.get("state") == "absent":
        return None
    if parse_name(source) == params["name"]:
        raise SpecError(f"App {source} cannot be cloned from itself: give clone_from the name of another one.")
    clone = Clone(source, params.get("clone_mode") or "full", params.get("clone_secrets") or "keep")
    if clone.secrets == "renew" and not params.get("definition"):
        raise SpecError("clone_secrets is renew: give catalog_id, since the entry says which secrets may change.")
    return clone


def _report(params: Mapping[str, Any] | None) -> Report | None:
    if params is None:
        return None
    return Report(**{key: value for key, value in params.items() if value is not None})


def _safety(params: Mapping[str, Any]) -> SafetyWish:
    """Read what updates go back to."""
    given = {key: params.get(name) for key, name in (("kind", "safety"), ("keep", "safety_keep"), ("max_age_d", "safety_max_age_d"))}
    wish = SafetyWish(**{key: value for key, value in given.items() if value is not None})
    if wish.keep < 1:
        raise SpecError(f"safety_keep is {wish.keep}: give 1 or more. The newest is the one that an update goes back to.")
    for name, value in (("safety_max_age_d", wish.max_age_d), ("update_attempts", params.get("update_attempts") or 0)):
        if value < 0:
            raise SpecError(f"{name} is {value}: give 0 or more.")
    return wish


def _timeouts(params: Mapping[str, Any]) -> Timeouts:
    given = {key: value for key, value in params.items() if value is not None}
    for key, value in given.items():
        if value < 1:
            raise SpecError(f"timeouts.{key} is {value}: give seconds, 1 or more.")
    return Timeouts(**given)
