# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Backups that updates go back to, found by what their notes say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..api import Client
from ..archives import Label
from ..wire.labels import format_notes
from .archives import create_backup, observe_archives


def observe_safety_backup(client: Client, node: str, storage: str, vmid: int, name: str) -> str:
    """The volume of the backup that was made under this name; empty when there is none."""
    return next(iter(observe_safety_backups(client, node, storage, vmid, name)), "")


def observe_safety_backups(client: Client, node: str, storage: str, vmid: int, name: str) -> list[str]:
    """The oldest first: what a call made that came late may hold the update already."""
    found = sorted(observe_archives(client, node, storage), key=lambda each: (each.made, each.volume))
    return [each.volume for each in found if each.vmid == vmid and each.label and (each.label.kind, each.label.run) == ("update", name)]


def create_safety_backup(client: Client, node: str, vmid: int, storage: str, label: Mapping[str, Any], purpose: str) -> str:
    """Back a guest up, running or not; answers nothing where `node` does not hold it."""
    return create_backup(client, node, vmid, storage, "snapshot", "zstd", format_notes(Label(**label), purpose))
