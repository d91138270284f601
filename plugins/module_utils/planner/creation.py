# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans an app that is not there yet."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..desired import DesiredApp, Release
from ..errors import PlanError
from ..model import Network, Notes, Observed, Resources
from ..plans import AppPlan, Step
from . import facts
from .placement import Place, place_app
from .records import new_record, notes_of, tags_of
from .slots import Claims, first_free, held_slots


def plan_creation(app: DesiredApp, observed: Observed, claims: Claims) -> AppPlan:
    if app.release is None:
        raise PlanError(f"App {app.name} does not exist. Give catalog_id or definition to create it.")
    release = app.release
    app = _with_defaults(app, release)
    place = place_app(app, observed, claims)
    held = held_slots(app.name, app.port_range, observed)
    taken = {*facts.cluster(observed).guests, *observed.hidden, *held.slots}
    vmid = first_free(app.name, app.port_range, taken | claims.vmids, held.own)
    crowded = vmid != first_free(app.name, app.port_range, taken, held.own)
    record = new_record(app, release, vmid, observed)
    after = {
        **_guest(app, release, place),
        "tags": tags_of(record, app.tags or ()),
        "notes": notes_of(app, record, Notes()),
        "running": app.state != "stopped",
    }
    claims.add(vmid, place.node, after["memory_mb"])
    step = Step("create", "guest", vmid, None, after)
    return AppPlan(app.name, vmid, place.node, steps=(step,), converge=after["running"], first=True, crowded=crowded)


def _with_defaults(app: DesiredApp, release: Release) -> DesiredApp:
    """The wish, completed by the defaults of the site. A default size is never less than the entry needs."""
    defaults, sizes = app.defaults, {}
    for key, wish in vars(app.resources).items():
        usual = getattr(defaults.resources, key)
        sizes[key] = max(usual, getattr(release.minimum, key) or 0) if wish is None and usual is not None else wish
    links = {key: getattr(defaults.network, key) if wish is None else wish for key, wish in vars(app.network).items()}
    return replace(
        app,
        resources=Resources(**sizes),
        network=Network(**links),
        nameservers=defaults.nameservers if app.nameservers is None else app.nameservers,
        search_domain=defaults.search_domain if app.search_domain is None else app.search_domain,
    )


def _guest(app: DesiredApp, release: Release, place: Place) -> dict[str, Any]:
    sizes = {key: wish if wish is not None else getattr(release.recommended, key) for key, wish in vars(app.resources).items()}
    network = replace(app.network, bridge=place.bridge, address=app.network.address or "dhcp")
    return {
        "node": place.node,
        "template": place.template,
        "storage": place.storage,
        "pool": app.pool or "",
        "ssh_public_keys": app.ssh_public_keys,
        "hostname": app.name,
        **sizes,
        "network": Network(**{key: value for key, value in vars(network).items() if value}),
        "nameservers": app.nameservers or (),
        "search_domain": app.search_domain or "",
        "onboot": True if app.onboot is None else app.onboot,
        "startup": app.startup or "",
        "protection": bool(app.protection),
    }
