# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""How a record goes on: its statuses, its lease, and the tags and lines that tell people of it."""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from ..desired import DesiredApp, Release, Web
from ..errors import LeaseHeld, LeaseLost, PlanError
from ..model import Guest, GuestConfig, Lease, Live, Notes, Observed, Record
from ..plans import Step

SETTLED = ("running", "stopped")
ERROR_LIMIT = 300
USERS_TEXT_LIMIT = 6000
"""Of the 8,192 characters that Proxmox takes, this leaves room for a record with a long error."""
OUR_TAG = re.compile(r"proximity|rev-[0-9a-f]{10}|slot-\d+|px-rollback")


def new_record(app: DesiredApp, release: Release, vmid: int, observed: Observed) -> Record:
    """The record of an app that is about to be created; one that is not to run yet is not worked on by anybody."""
    seed = f"{observed.controller.seed} {app.name}"
    return Record(
        app=str(uuid.uuid5(uuid.NAMESPACE_OID, seed)),
        vmid=vmid,
        name=app.name,
        entry=release.entry,
        entry_version=release.version,
        catalog=release.catalog,
        status="stopped" if app.state == "stopped" else "deploying",
        changed=observed.now,
        wanted=release.revision,
        owner=app.owner or "",
        ports=app.port_range.ports(vmid),
        environment=release.environment,
        lease=None if app.state == "stopped" else our_lease(app, 1, observed),
        nonce=_nonce(seed),
    )


def is_unfinished_clone(record: Record) -> bool:
    """Whether this is a copy whose insides are, or may be, still those of its source."""
    return record.source is not None and not record.revision


def next_record(record: Record, observed: Observed, **changes: object) -> Record:
    """The record with these changes; the same one when they change nothing."""
    if all(getattr(record, key) == value for key, value in changes.items()):
        return record
    fresh = _nonce(f"{observed.controller.seed} {record.nonce}")  # so that no two states have the same digest
    return replace(record, **changes, changed=observed.now, nonce=fresh)  # type: ignore[arg-type]


def held_by_us(record: Record, observed: Observed) -> bool:
    return record.lease is not None and record.lease.run == observed.controller.run and record.lease.until > observed.now


def our_lease(app: DesiredApp, epoch: int, observed: Observed) -> Lease:
    return Lease(observed.controller.holder, observed.controller.run, observed.now + timedelta(seconds=app.timeouts.lease_s), epoch)


def taken_lease(app: DesiredApp, record: Record, observed: Observed) -> Lease:
    """Ours as it is, or a new one whose epoch shows that somebody else's has ended."""
    if record.lease and held_by_us(record, observed):
        return record.lease
    return our_lease(app, record.lease.epoch + 1 if record.lease else 1, observed)


def refuse_leased(app: DesiredApp, record: Record, observed: Observed) -> None:
    lease = record.lease
    if lease is None or lease.run == observed.controller.run or lease.run in observed.dead_runs:
        return
    if lease.until > observed.now and not app.take_over_lease:
        raise LeaseHeld(
            f"App {app.name} (guest {record.vmid}) is {record.status}: {lease.holder} works on it, "
            f"until {lease.until:%Y-%m-%d %H:%M} UTC at most. "
            "Wait, or set take_over_lease when you know that this run is gone.",
            lease.run,
        )


def refuse_fenced(app: DesiredApp, record: Record, epoch: int, observed: Observed) -> None:
    """Refuse what is said by a run whose lease ended while it worked, and which somebody else followed, be that one done or not."""
    lease = record.lease
    if lease and (lease.run, lease.epoch) == (observed.controller.run, epoch):
        return
    raise LeaseLost(
        f"The lease of this run on app {app.name} (guest {record.vmid}) ended while it worked, and another run took over: "
        f"the app is {record.status}. What was done here is not recorded. Look at the app, then run again."
    )


def refuse_locked(app: DesiredApp, guest: Guest, config: GuestConfig) -> None:
    if config.lock == "create":  # whoever still made or restored it would have been waited for
        raise PlanError(
            f"Cannot change app {app.name}: guest {guest.vmid} on node {guest.node} is locked (create), and no task of Proxmox that was "
            f"at it goes on. Its API unlocks nothing: run `pct unlock {guest.vmid}` on that node, then run again."
        )
    if config.lock:
        raise PlanError(
            f"Cannot change app {app.name}: guest {guest.vmid} on node {guest.node} is locked ({config.lock}). "
            "Run again when that work has ended."
        )


def tags_of(record: Record, kept: tuple[str, ...]) -> tuple[str, ...]:
    """Our tags beside the user's: the index that one call reads for the whole cluster.

    The revision stands there only while nothing is under way and nothing has failed: whoever reads it may take the app for settled.
    """
    settled = record.status in SETTLED and record.revision in (record.wanted, "")
    ours = {"proximity", record.entry, f"rev-{record.revision}" if settled and record.revision else ""}
    if record.adopted:
        ours.add(f"slot-{record.adopted['slot']}")
    return tuple(sorted((ours | set(kept)) - {""}))


def changed_config(config: GuestConfig, wished: Mapping[str, Any]) -> list[Step]:
    """One step for the keys that are managed (not None) and differ."""
    differing = {key: value for key, value in wished.items() if value is not None and value != getattr(config, key)}
    before = {key: getattr(config, key) for key in differing}
    return [Step("update", "config", config.vmid, before, differing)] if differing else []


def users_tags(tags: tuple[str, ...], record: Record) -> tuple[str, ...]:
    return tuple(tag for tag in tags if tag != record.entry and not OUR_TAG.fullmatch(tag))


def notes_of(app: DesiredApp, record: Record, around: Notes, address: str = "") -> Notes:
    """The notes with this record; the user's text around it stays."""
    if len(around.head) + len(around.tail) > USERS_TEXT_LIMIT:
        raise PlanError(
            f"The notes of guest {record.vmid} hold more than {USERS_TEXT_LIMIT} characters of yours; "
            "shorten them to leave room for the record."
        )
    url = url_of(app, address, record)
    lines = [f"**{record.name}** ({_title(app, record)}) is {record.status}" + (f": {url}" if url else "")]
    lines += [f"Owner: {record.owner}"] if record.owner else []
    lines += [f"Error in step {record.step or '?'}: {record.error}"] if record.error else []
    return replace(around, summary=tuple(line.replace("\n", " ").replace("<", "&lt;") for line in lines), record=record)


def _title(app: DesiredApp, record: Record) -> str:
    if record.adopted:
        return f"{record.adopted.get('service') or record.entry or 'nothing that we know'}, adopted"
    return f"{app.release.title} {app.release.version}" if app.release else f"{record.entry} {record.entry_version}"


def url_of(app: DesiredApp, address: str, record: Record | None = None) -> str:
    """The address of the web pages: those of the entry, and of an adopted app those that were found."""
    found = record.adopted.get("web") if record and record.adopted else None
    web = app.release.web if app.release else Web(**found) if found else None
    if not web or not address:
        return ""
    default = {"http": 80, "https": 443}.get(web.scheme) == web.port
    host = f"[{address}]" if ":" in address else address
    return f"{web.scheme}://{host}{'' if default else f':{web.port}'}{web.path}"


def address_of(config: GuestConfig, live: Live | None) -> str:
    """The address that is configured, else the one that the guest has now; empty when neither is known."""
    fixed = (config.network.address or "").partition("/")[0]
    if fixed not in ("", "dhcp", "manual"):
        return fixed
    now = live.addresses.get(config.network.rest.get("name", "eth0"), ()) if live else ()
    return now[0] if now else ""


def restore_command(name: str, volume: str) -> str:
    """What brings a backup back, for people who are told to."""
    return f"playbook restore (--limit {name} -e backup_volume={volume} -e backup_confirm=true)"


def shortened(error: str) -> str:
    return error if len(error) <= ERROR_LIMIT else error[: ERROR_LIMIT - 1] + "…"


def _nonce(seed: str) -> str:
    return hashlib.sha256(seed.encode()).hexdigest()[:8]
