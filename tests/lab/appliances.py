"""The list of appliance templates that the lab offers, in place of the one that Proxmox publishes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lab.guests.archive import packed

SOURCE = "http://appliances.lab.invalid"
"""Nothing is there: simulated containers need no more than a name."""
SHOWN = ("package", "version", "os", "section", "type", "template", "location", "architecture", "headline", "infopage", "description")
Appliance = dict[str, Any]
"""As listed, and for the lab: `ostype`, `systemd`, `size` and `unpacked` in bytes, and `file`, a template archive with a true system."""


def appliance(package: str, version: str, headline: str, **facts: Any) -> Appliance:
    """An entry: `debian-13-standard`, `13.1-2`, and the lab's own facts."""
    ending = facts.pop("ending", "tar.zst")
    template = f"{package}_{version}_amd64.{ending}"
    name, number, _ = package.split("-", 2)
    return {
        "package": package,
        "version": version,
        "os": f"{name}-{number}",
        "section": facts.pop("section", "system"),
        "type": "lxc",
        "template": template,
        "location": f"{SOURCE}/{template}",
        "architecture": "amd64",
        "headline": headline,
        "infopage": f"{SOURCE}/{package}.html",
        "description": f"{headline}\nA template of the lab, for tests.\n",
        "ostype": name,
        **facts,
    }


APPLIANCES = (
    appliance("alpine-3.22-default", "20250617", "Alpine 3.22 (standard)", ending="tar.xz", size=3_200_000, unpacked=9_000_000),
    appliance("debian-12-standard", "12.12-1", "Debian 12 Bookworm (standard)", size=126_000_000, unpacked=430_000_000, systemd=252),
    appliance("debian-13-standard", "13.1-2", "Debian 13 Trixie (standard)", size=123_731_847, unpacked=420_000_000, systemd=257),
    appliance("ubuntu-24.04-standard", "24.04-2", "Ubuntu 24.04 Noble (standard)", size=142_000_000, unpacked=470_000_000, systemd=255),
)


def known_appliances(entries: Iterable[Appliance], archives: Mapping[str, Path] | None) -> list[Appliance]:
    """The entries to be listed; with real containers those that an archive on this machine stands for."""
    if archives is None:
        return [dict(entry) for entry in entries]
    named = {f"{entry['package']}_{entry['version']}": entry for entry in entries}
    return [{**entry, "file": str(archives[name])} for name, entry in named.items() if name in archives]


def content(entry: Mapping[str, Any]) -> bytes:
    """The archive that a simulated download of this entry gets."""
    release = f'ID={entry["ostype"]}\nPRETTY_NAME="{entry["headline"]}"\n'
    return packed(str(entry["template"]), {"./etc/os-release": release})


def shown(entry: Mapping[str, Any]) -> dict[str, Any]:
    """As `GET .../aplinfo` lists it."""
    summed = {} if "file" in entry else {"sha512sum": hashlib.sha512(content(entry)).hexdigest()}
    return {**{name: entry[name] for name in SHOWN if name in entry}, **summed}


def facts(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What a template of this entry is to the lab."""
    return {
        "arch": entry.get("architecture", "amd64"),
        **{name: entry[name] for name in ("ostype", "systemd", "unpacked", "file") if name in entry},
    }
