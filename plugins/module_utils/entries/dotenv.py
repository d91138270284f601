# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Env files as Docker Compose reads them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import SpecError

BARE = re.compile(r"[A-Za-z0-9_./:@%+=,\\-]*")


def dotenv(values: Mapping[str, Any]) -> str:
    """Write one sorted line per variable.

    In compose-go's reader single quotes are literal and cannot hold one; in double quotes backslash, quote and dollar
    are escaped; a closing quote after a backslash is never seen as closing, in either.
    """
    return "".join(f"{name}={_quoted(name, str(value))}\n" for name, value in sorted(values.items()))


def read_dotenv(text: str) -> dict[str, str]:
    """Read what `dotenv` wrote, and nothing else that Compose would take; raises SpecError that tells no value."""
    values = {}
    for number, line in enumerate(text.splitlines(), 1):
        name, sign, quoted = line.partition("=")
        if not sign and line.strip():
            raise SpecError(f"Line {number} of the env file is no variable.")
        if sign:
            values[name] = (
                re.sub(r'\\(["\\$])', r"\1", quoted[1:-1]) if quoted[:1] == '"' else quoted[1:-1] if quoted[:1] == "'" else quoted
            )
    return values


def _quoted(name: str, text: str) -> str:
    if BARE.fullmatch(text):
        return text
    if "\n" in text or "\r" in text or text.endswith("\\"):
        raise SpecError(f"Variable {name} cannot be written to an env file: it holds a line break, or ends with a backslash.")
    if "'" not in text:
        return f"'{text}'"
    return '"' + re.sub(r'(["\\$])', r"\\\1", text) + '"'
