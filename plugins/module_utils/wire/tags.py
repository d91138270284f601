# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tags as Proxmox lists them, `;` between them."""

from __future__ import annotations

import re
from collections.abc import Iterable


def parse_tags(text: str) -> tuple[str, ...]:
    return tuple(sorted({tag.lower() for tag in re.split(r"[;,\s]+", text) if tag}))


def format_tags(tags: Iterable[str]) -> str:
    return ";".join(sorted(set(tags)))
