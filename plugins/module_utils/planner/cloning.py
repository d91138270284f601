# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Plans an app that begins as a copy of another one; what follows the copying is planned as for any app that is there."""

from __future__ import annotations

from dataclasses import replace

from ..desired import Clone, DesiredApp, Release
from ..errors import PlanError, SourceHeld
from ..model import Live, Notes, Observed, Record
from ..plans import AppPlan, Step
from . import facts
from .adjustment import plan_adjustment
from .effects import apply_plan
from .leftovers import clone_snapshot, stray_snapshots
from .networks import UNFIXED
from .records import SETTLED, new_record, notes_of
from .search import Found, find_app
from .slots import Claims, first_free, held_slots


def plan_clone(app: DesiredApp, clone: Clone, observed: Observed, claims: Claims) -> AppPlan:
    """Copy the source where it is, then bring the copy to what is wished: its settings, its node, its power."""
    source = _source(app, clone, observed)
    live = facts.live(observed, source.guest.node, source.guest.vmid)
    _refuse_shared_address(app, source)
    _refuse_shared_further_addresses(source)
    held = held_slots(app.name, app.port_range, observed)
    taken = {*facts.cluster(observed).guests, *observed.hidden, *held.slots}
    vmid = first_free(app.name, app.port_range, taken | claims.vmids, held.own, deed="clone")
    crowded = vmid != first_free(app.name, app.port_range, taken, held.own, deed="clone")
    strays = stray_snapshots(source.guest.node, source.guest.vmid, vmid, observed)
    record = _record(app, clone, source, vmid, observed)
    after = {
        "source": source.guest.vmid,
        "full": clone.mode == "full",
        "storage": _storage(app, clone, source, observed),
        "pool": app.pool or "",
        "snapshot": _snapshot(app, clone, source, live, vmid, observed),
        "hostname": app.name,
        "notes": notes_of(app, record, Notes()),
    }
    node = source.guest.node
    copied = AppPlan(app.name, vmid, node, steps=(*strays, Step("clone", "guest", vmid, None, after, node)))
    there = apply_plan(copied, observed)
    guest = facts.cluster(there).guests[vmid]
    config = facts.configs(there, [guest])[vmid]
    rest = plan_adjustment(app, Found(guest, config, record), there)
    claims.add(vmid, rest.node, config.memory_mb)
    return replace(rest, digest="", steps=(*copied.steps, *rest.steps), crowded=crowded)


def _source(app: DesiredApp, clone: Clone, observed: Observed) -> Found:
    """The source, with all that hinders its copying told; whoever works on it is waited for."""
    search = find_app(replace(app, name=clone.source, entry=None), observed)
    if not search.found:
        raise PlanError(
            f"Cannot clone app {app.name}: there is no app {clone.source} to copy. Give clone_from the name of one that is there."
        )
    found, record = search.found, search.found.record
    what = f"app {clone.source} (guest {found.guest.vmid} on node {found.guest.node})"
    if record.adopted:
        raise PlanError(
            f"Cannot clone {what}: it was adopted, and what is in it is not laid out as Proximity does. "
            "Clone its container in Proxmox, and adopt the copy."
        )
    lease = record.lease
    if lease and lease.run not in (observed.controller.run, *observed.dead_runs) and lease.until > observed.now:
        raise SourceHeld(
            f"Cannot clone {what} yet: it is {record.status}, and {lease.holder} works on it, "
            f"until {lease.until:%Y-%m-%d %H:%M} UTC at most.",
            lease.run,
        )
    if record.status not in SETTLED or not record.revision:
        raise PlanError(f"Cannot clone {what}: it is {record.status if record.revision else 'an app that has never run'}. Deploy it first.")
    if app.release and app.release.entry != record.entry:
        raise PlanError(f"Cannot clone {what}: it is of entry {record.entry}, not {app.release.entry}. Leave out catalog_id.")
    binds = sorted(key for key, text in found.config.mounts.items() if text.startswith("/"))
    if binds:
        raise PlanError(f"Cannot clone {what}: {', '.join(binds)} is a path of its node, which Proxmox does not copy.")
    return found


def _refuse_shared_address(app: DesiredApp, source: Found) -> None:
    """A copy has the address of its source unless it is given one: two guests would answer to it."""
    has, wish = source.config.network.address or "", app.network.address
    fixed = has.partition("/")[0]
    six = source.config.network.rest.get("ip6", "auto")
    if six not in UNFIXED:
        raise PlanError(
            f"Cannot clone app {source.record.name}: its IPv6 address {six} is fixed, and both guests would have it. "
            "Set it to auto or dhcp in Proxmox first."
        )
    if fixed in UNFIXED or (wish is not None and wish.partition("/")[0] != fixed):
        return
    raise PlanError(
        f"Cannot clone app {source.record.name} as {app.name}: its address {fixed} is fixed, and both guests would have it. "
        "Give network.address, dhcp or another one."
    )


def _refuse_shared_further_addresses(source: Found) -> None:
    """Of a further interface nothing is managed; one without a cable disturbs nobody."""
    for name, network in sorted(source.config.more_networks.items()):
        for fixed in (network.address or "", network.rest.get("ip6", "")):
            if fixed not in UNFIXED and not network.link_down:
                raise PlanError(
                    f"Cannot clone app {source.record.name}: the address {fixed} of its interface {name} is fixed, and both guests would "
                    "have it. Set it to dhcp or manual in Proxmox first, or pull its cable there (link_down)."
                )


def _storage(app: DesiredApp, clone: Clone, source: Found, observed: Observed) -> str:
    """The storage that the copy is made on; empty where each disk stays on its own. One of another node counts when the copy moves."""
    node = source.guest.node
    if clone.mode == "linked":
        if app.storage not in (None, source.config.disk_storage):
            raise PlanError(
                f"Cannot clone app {app.name} to storage '{app.storage}': a linked clone stays on that of its source. Leave it out, or "
                "set clone_mode: full."
            )
        shared = any(row.shared for row in facts.cluster(observed).storages if row.name == source.config.disk_storage)
        if not shared and (app.node not in (None, node) or app.off_node == node):
            raise PlanError(
                f"Cannot clone app {app.name} to another node: a linked clone stays with the local disk of its source on node {node}. "
                "Set clone_mode: full."
            )
        return ""
    if not app.storage:
        return ""
    here = [each for each in facts.cluster(observed).storages if each.node == node and each.available and "rootdir" in each.content]
    if app.storage in [each.name for each in here]:
        return app.storage
    if app.node not in (None, node) or app.off_node == node:
        return ""
    names = ", ".join(sorted(each.name for each in here)) or "none"
    raise PlanError(f"Cannot clone app {app.name}: node {node} has no storage '{app.storage}' for disks of containers (it has {names}).")


def _snapshot(app: DesiredApp, clone: Clone, source: Found, live: Live, vmid: int, observed: Observed) -> str:
    """What a running source is copied from; empty for one that is stopped, whose disks can be copied themselves."""
    node, number, name = source.guest.node, source.guest.vmid, clone.source
    if clone.mode == "linked":
        if live.running:
            raise PlanError(f"Cannot clone app {name} as a linked clone while it runs: stop it first, or set clone_mode: full.")
        if not facts.links_possible(observed, node, number):
            raise PlanError(
                f"Cannot clone app {name} as a linked clone: storage '{source.config.disk_storage}' on node {node} cannot link disks of "
                "containers. Set clone_mode: full."
            )
    if not live.running:
        return ""
    if not facts.snapshots_possible(observed, node, number):
        raise PlanError(
            f"Cannot clone app {name} while it runs: storage '{source.config.disk_storage}' on node {node} takes no snapshots. "
            f"Stop it (state: stopped), clone it, and start it again."
        )
    return clone_snapshot(vmid)


def _record(app: DesiredApp, clone: Clone, source: Found, vmid: int, observed: Observed) -> Record:
    """The clone's own record: what its source runs is wanted, unless something else is."""
    of = source.record
    ran = Release(of.entry, "", of.entry_version, of.revision, environment=of.environment)
    record = new_record(app, app.release or ran, vmid, observed)
    return replace(
        record,
        status="stopped" if app.state == "stopped" else "cloning",
        owner=of.owner if app.owner is None else app.owner,
        source={"vmid": of.vmid, "name": of.name, "app": of.app, "secrets": clone.secrets},
    )
