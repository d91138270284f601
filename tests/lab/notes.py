r"""Notes of backups from a template such as `{{guestname}}\n{{vmid}}` (pve-manager, VZDump.pm)."""

from __future__ import annotations

import re
from collections.abc import Mapping

from lab.errors import wrong

KNOWN = {"cluster", "guestname", "node", "vmid"}


def check_template(text: str) -> None:
    """400 for line ends, and for escapes and variables that there are not."""
    if "\n" in text:
        raise wrong({"notes-template": "contains a line feed\n"})
    faults = [f"escape sequence '{part[0]}' at char {part.start()}" for part in re.finditer(r"\\(.)", text) if part[1] not in "n\\"]
    variables = re.finditer(r"{{([^\s{}]+)}}", text)
    faults += [f"variable '{part[1]}' at char {part.end() - len(part[1])}" for part in variables if part[1] not in KNOWN]
    if faults:
        raise wrong({"notes-template": f"found unknown: {', '.join(faults)}\n"})


def fill_template(text: str, values: Mapping[str, object]) -> str:
    text = re.sub(r"\\(.)", lambda part: "\n" if part[1] == "n" else part[1], text)
    return re.sub(r"{{(\w+)}}", lambda part: str(values.get(part[1], part[0])), text)
