# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Sizes of volumes, such as `8G` or `512M`."""

from __future__ import annotations

import re

KIB_PER = {"": 1 / 1024, "K": 1, "M": 1024, "G": 1024**2, "T": 1024**3}


def parse_size_mb(text: str) -> int:
    """Read a size as whole MiB, rounded down; a number without a unit counts bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([KMGT]?)", text)
    if not match:
        raise ValueError(f"'{text}' is no size")
    return int(float(match[1]) * KIB_PER[match[2]] / 1024)


def format_size_mb(size_mb: int) -> str:
    return f"{size_mb // 1024}G" if size_mb % 1024 == 0 else f"{size_mb}M"
