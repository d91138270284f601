# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Property strings, such as `name=eth0,bridge=vmbr0,ip=dhcp`."""

from __future__ import annotations

from collections.abc import Mapping


def parse_properties(text: str, default_key: str = "") -> dict[str, str]:
    """Split a property string; the order stays. A part without `=` is the value of `default_key`."""
    parts = (part.partition("=") for part in text.split(",") if part)
    return {key if equals else default_key: value if equals else key for key, equals, value in parts}


def format_properties(properties: Mapping[str, str], default_key: str = "") -> str:
    return ",".join(value if key == default_key else f"{key}={value}" for key, value in properties.items())
