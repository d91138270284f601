# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The ranges of ports and guest numbers, from a user's parameters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .claims import PortRange
from .errors import SpecError


def parse_port_range(params: Mapping[str, Any]) -> PortRange:
    default = PortRange()
    public = _span("public", params.get("public") or "8100-8999")
    internal = _span("internal", params.get("internal") or "9100-9999")
    first_vmid = params.get("first_vmid") or (public[0] if params.get("public") else default.first_vmid)
    if len(public) != len(internal):
        raise SpecError(f"port_range: public holds {len(public)} ports and internal {len(internal)}; give both the same length.")
    if public[0] <= internal[-1] and internal[0] <= public[-1]:
        raise SpecError("port_range: public and internal overlap; give them ports of their own.")
    if first_vmid < 100:
        raise SpecError(f"port_range.first_vmid is {first_vmid}: Proxmox numbers guests from 100.")
    ledger = params.get("ledger") or default.ledger
    if not re.fullmatch(r"[a-z][a-z0-9_-]{1,30}", ledger):
        raise SpecError(f"port_range.ledger is '{ledger}': give 2 to 31 lower-case letters, digits, hyphens and underscores.")
    return PortRange(first_vmid, len(public), public[0], internal[0], ledger)


def _span(key: str, text: str) -> range:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", text)
    first, last = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 0 < first <= last <= 65535:
        raise SpecError(f"port_range.{key} is '{text}': give the first and the last port, such as 8100-8999.")
    return range(first, last + 1)
