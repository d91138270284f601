# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What the token may do."""

from __future__ import annotations

from collections.abc import Mapping

from ..api import Client

Permissions = Mapping[str, Mapping[str, bool]]
"""Path -> privilege -> whether it holds for what is beneath the path, too."""


def observe_permissions(client: Client) -> Permissions:
    """Read the token's own; that needs no privilege. Proxmox lists the usual paths, those of the ACL, and what pools hold."""
    answer = client.get("/access/permissions")
    return {path: {name: bool(propagates) for name, propagates in held.items()} for path, held in answer.items()}
