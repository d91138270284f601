# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which privileges which feature needs, on which path, and what a token lacks of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..resources.permissions import Permissions


@dataclass(frozen=True)
class Need:
    """Privileges for a path and all beneath it. With `content` it is for the storages that may hold this content."""

    path: str
    privileges: tuple[str, ...]
    content: str = ""


@dataclass(frozen=True)
class Feature:
    """`optional`: Proximity does its main work without."""

    name: str
    needs: tuple[Need, ...]
    optional: bool = False


VMS, STORAGE, LEDGER = "/vms", "/storage", "/pool/{ledger}"
CONFIG = tuple(f"VM.Config.{part}" for part in ("CPU", "Disk", "Memory", "Network", "Options"))
FEATURES = (
    Feature("see", (Need(VMS, ("VM.Audit",)), Need(STORAGE, ("Datastore.Audit",)), Need("/nodes", ("Sys.Audit",)))),
    Feature(
        "deploy",
        (
            Need(VMS, ("VM.Allocate", "VM.Audit", *CONFIG, "VM.PowerMgmt")),
            Need(STORAGE, ("Datastore.AllocateSpace",), "rootdir"),
            Need(STORAGE, ("Datastore.Audit",), "vztmpl"),
            Need("/sdn/zones/localnetwork", ("SDN.Use",)),
        ),
    ),
    Feature("power", (Need(VMS, ("VM.Audit", "VM.PowerMgmt")),)),
    Feature("remove", (Need(VMS, ("VM.Allocate", "VM.Audit", "VM.PowerMgmt")),)),
    Feature("adopt", (Need(VMS, ("VM.Audit", "VM.Config.Options")),)),
    Feature("backup", (Need(VMS, ("VM.Audit", "VM.Backup")), Need(STORAGE, ("Datastore.AllocateSpace",), "backup"))),
    Feature(
        "restore",
        (
            Need(VMS, ("VM.Allocate", "VM.Backup", *CONFIG)),
            Need(STORAGE, ("Datastore.AllocateSpace",), "rootdir"),
            Need(STORAGE, ("Datastore.AllocateSpace",), "backup"),
        ),
    ),
    Feature("clone", (Need(VMS, ("VM.Allocate", "VM.Clone")), Need(STORAGE, ("Datastore.AllocateSpace",), "rootdir"))),
    Feature("snapshot", (Need(VMS, ("VM.Snapshot", "VM.Snapshot.Rollback")),)),
    Feature("migrate", (Need(VMS, ("VM.Migrate",)),)),
    Feature("templates", (Need(STORAGE, ("Datastore.AllocateTemplate",), "vztmpl"), Need("/nodes", ("Sys.AccessNetwork",)))),
    Feature("ledger", (Need("/mapping/dir", ("Mapping.Modify",)), Need(LEDGER, ("Pool.Allocate", "Pool.Audit")))),
    Feature("pools", (Need("/pool", ("Pool.Allocate", "Pool.Audit")),), optional=True),
    Feature("quorum", (Need("/", ("Sys.Audit",)),), optional=True),
)


def judge_rights(permissions: Permissions, storages: Iterable[Mapping[str, Any]], ledger: str = "proximity-ports") -> dict[str, Any]:
    """Say of every feature whether it works (`yes`, `partly`, `no`), and what is missing where. `ledger` names the pool that tells of it.

    Partly: the privilege is held on some of the storages, or on something beneath the path.
    """
    places: dict[str, set[str]] = {}
    for storage in storages:
        for content in storage["content"]:
            places.setdefault(content, set()).add(f"{STORAGE}/{storage['name']}")
    verdicts: dict[str, str] = {}
    missing: list[dict[str, Any]] = []
    for feature in FEATURES:
        needs = [replace(need, path=need.path.format(ledger=ledger)) for need in feature.needs]
        judged = [_judge(need, permissions, sorted(places.get(need.content, ()))) for need in needs]
        verdicts[feature.name] = min((verdict for verdict, _lacks in judged), key=("no", "partly", "yes").index)
        missing += [{"feature": feature.name, **lack} for _verdict, lacks in judged for lack in lacks]
    return {"features": verdicts, "missing": missing}


def stopped_features(verdicts: Mapping[str, str]) -> list[str]:
    """Features that the main work needs and that do not work at all."""
    return [feature.name for feature in FEATURES if verdicts.get(feature.name) == "no" and not feature.optional]


def _judge(need: Need, permissions: Permissions, storages: Sequence[str]) -> tuple[str, list[dict[str, Any]]]:
    paths = storages or [need.path]
    lacks = [lack for path in paths if (lack := _lack(need, permissions, path))]
    if not lacks:
        return "yes", []
    held_somewhere = len(lacks) < len(paths) or any(lack["held_on"] for lack in lacks)
    return ("partly" if held_somewhere else "no"), lacks


def _lack(need: Need, permissions: Permissions, path: str) -> dict[str, Any] | None:
    held = _held(permissions, path, beneath=path == need.path != "/")
    lacking = [name for name in need.privileges if name not in held]
    if not lacking:
        return None
    beneath = [other for other in permissions if other.startswith(f"{path.rstrip('/')}/") and path != "/"]
    held_on = [other for other in sorted(beneath) if set(lacking) <= set(permissions[other])]
    return {"path": path, "privileges": lacking, "held_on": held_on}


def _held(permissions: Permissions, path: str, beneath: bool) -> set[str]:
    """What holds at a path; with `beneath` only what holds further down as well.

    A path that is not listed has what its nearest listed ancestor hands down. Proxmox lists no path where the token has nothing,
    so that a NoAccess in the midst of a granted tree goes unseen.
    """
    if path in permissions:
        return {name for name, propagates in permissions[path].items() if propagates or not beneath}
    if path == "/":
        return set()
    above = path.rpartition("/")[0] or "/"
    return _held(permissions, above, beneath=True)
