"""Privileges and built-in roles of Proxmox VE 8 and 9 (pve-access-control, AccessControl.pm)."""

from __future__ import annotations

from functools import cache

AREAS = ("VM", "Sys", "Datastore", "SDN", "User", "Pool", "Mapping")
SPECIAL = "Permissions.Modify"

# area -> what only root, an administrator, a user and an auditor of that area may do
PRIVILEGES: dict[str, tuple[str, str, str, str]] = {
    "VM": (
        "",
        "VM.Allocate VM.Clone VM.Config.CPU VM.Config.Disk VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options"
        " VM.Migrate VM.Snapshot VM.Snapshot.Rollback",
        "VM.Backup VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.PowerMgmt",
        "VM.Audit",
    ),
    "Sys": ("Sys.AccessNetwork Sys.Incoming Sys.Modify Sys.PowerMgmt", "Sys.Console Sys.Syslog", "", "Sys.Audit"),
    "Datastore": ("", "Datastore.Allocate Datastore.AllocateTemplate", "Datastore.AllocateSpace", "Datastore.Audit"),
    "SDN": ("", "SDN.Allocate", "SDN.Use", "SDN.Audit"),
    "User": ("Realm.Allocate", "Group.Allocate Realm.AllocateUser User.Modify", "", ""),
    "Pool": ("", "Pool.Allocate", "", "Pool.Audit"),
    "Mapping": ("", "Mapping.Modify", "Mapping.Use", "Mapping.Audit"),
}
# major version -> what it has besides, in the same four places
BESIDES: dict[int, tuple[str, str, str, str]] = {
    8: ("", "VM.Monitor", "", ""),
    9: (
        "",
        "VM.GuestAgent.Unrestricted VM.Replicate",
        "VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite",
        "VM.GuestAgent.Audit",
    ),
}


@cache
def privileges(major: int) -> frozenset[str]:
    """Every privilege that this version knows."""
    return _of(major, AREAS, (0, 1, 2, 3)) | {SPECIAL}


@cache
def built_in_roles(major: int) -> dict[str, frozenset[str]]:
    """Role -> its privileges."""
    roles = {
        "Administrator": privileges(major),
        "NoAccess": frozenset[str](),
        "PVEAdmin": _of(major, AREAS, (1, 2, 3)),
        "PVEAuditor": _of(major, AREAS, (3,)),
        "PVETemplateUser": frozenset({"VM.Audit", "VM.Clone"}),
        "PVEMappingAuditor": _of(major, ("Mapping",), (3,)),
    }
    for area in AREAS:
        roles[f"PVE{area}Admin"] = _of(major, (area,), (1, 2, 3))
        if area not in {"Sys", "User"}:
            roles[f"PVE{area}User"] = _of(major, (area,), (2, 3))
    return roles


def _of(major: int, areas: tuple[str, ...], places: tuple[int, ...]) -> frozenset[str]:
    besides = BESIDES[major] if "VM" in areas else ("",) * 4
    texts = [PRIVILEGES[area][place] for area in areas for place in places] + [besides[place] for place in places]
    return frozenset(name for text in texts for name in text.split())
