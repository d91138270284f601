# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""From a user's parameters to reserved slots and adopted guests. What makes no sense raises SpecError with one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from .claims import PortRange
from .desired import Adoptee, CatalogEntry, DesiredAdoption, DesiredPort, Web
from .errors import SpecError
from .looks import parse_look
from .ranges import parse_port_range
from .spec import parse_name
from .wire.times import parse_time


def desired_port(params: Mapping[str, Any]) -> DesiredPort:
    """Read the parameters of module `proximity_port`, whose documentation explains them."""
    slots, state = parse_port_range(params.get("port_range") or {}), params["state"]
    if state in ("present", "absent") and not params.get("name"):
        raise SpecError(f"State {state} needs name: whom the ports are for.")
    if state == "swept" and params.get("name"):
        raise SpecError("State swept is about all claims: leave name out.")
    unused_s = params.get("unused_after_s")
    return DesiredPort(
        state=state,
        name=parse_name(params["name"]) if params.get("name") else "",
        slot=_slot(params.get("port"), slots),
        port_range=slots,
        unused_after=None if unused_s is None else timedelta(seconds=unused_s),
    )


def _slot(port: int | None, slots: PortRange) -> int | None:
    """The slot of a public or an internal port."""
    if port is None:
        return None
    for first in (slots.public_first, slots.internal_first):
        if first <= port < first + slots.size:
            return slots.first_vmid + port - first
    spans = (f"{first} to {first + slots.size - 1}" for first in (slots.public_first, slots.internal_first))
    raise SpecError(f"Port {port} is neither public nor internal: give one from {' or '.join(spans)}.")


def desired_adoption(params: Mapping[str, Any]) -> DesiredAdoption:
    """Read the parameters of module `proximity_adopt`, whose documentation explains them."""
    guests = tuple(_adoptee(given) for given in params.get("guests") or ())
    if not guests and params["state"] != "discovered":
        raise SpecError(f"State {params['state']} needs guests: a list such as [{{vmid: 105}}].")
    vmids = [guest.vmid for guest in guests]
    twice = next((vmid for vmid in vmids if vmids.count(vmid) > 1), None)
    if twice:
        raise SpecError(f"Guest {twice} is given twice.")
    entries = tuple(_catalog_entry(given) for given in params.get("entries") or ())
    looks = {_number(vmid): parse_look(str(text)) for vmid, text in (params.get("looks") or {}).items()}
    return DesiredAdoption(
        *(params["state"], guests, looks, entries),
        take_over_lease=bool(params.get("take_over_lease")),
        port_range=parse_port_range(params.get("port_range") or {}),
    )


def _number(vmid: Any) -> int:
    if not str(vmid).isdigit():
        raise SpecError(f"looks has the key '{vmid}': its keys are numbers of containers.")
    return int(vmid)


def _adoptee(given: Mapping[str, Any]) -> Adoptee:
    port = given.get("port")
    if port is not None and not 1 <= port <= 65535:
        raise SpecError(f"port of guest {given['vmid']} is {port}: give the port of its web pages, from 1 to 65535.")
    return Adoptee(given["vmid"], given.get("catalog_id") or None, port, _moment(given), given.get("updating"))


def _moment(given: Mapping[str, Any]) -> datetime | None:
    text = given.get("updated")
    try:
        return parse_time(str(text)) if text else None
    except ValueError as error:
        said = f"updated of guest {given['vmid']} is '{text}'"
        raise SpecError(f"{said}: give a moment with its time zone, such as 2026-03-01T04:00:00Z.") from error


def _catalog_entry(given: Mapping[str, Any]) -> CatalogEntry:
    web = given.get("web") or {}
    pages = Web(web.get("scheme", "http"), int(web["port"]), web.get("path", "/")) if web else None
    images = {str(service): str(image) for service, image in given["images"].items()}
    return CatalogEntry(given["id"], given["name"], str(given["version"]), images, str(web.get("service", "")), pages)
