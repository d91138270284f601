"""Read the table of calls: their parameters and the rights that they need.

The table stands in `calls/*.txt`, in our own notation; it follows the API viewer's data of Proxmox VE 8.4 and 9.2::

    POST /pools [since:9] [until:8] [no-token]   # a call; the rest is indented
      rights /pool/{poolid} Pool.Allocate        # PRIV1|PRIV2: one of them, PRIV1&PRIV2: all; and, or, ( )
      use container-options                      # the parameters of a group
      name? type {format} 16..8192 len:1..40 requires:x since:9 until:8 one-of:a|b pattern:REST OF THE LINE

`?` marks an optional parameter, `net[32]?` stands for net0 to net31, `*volume` is a property string's default key.
Parameters in a path are defined once, under `paths`. `since` and `until` name the major version.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from lab.schema.rights import Rights, parse_rights

FOLDER = Path(__file__).with_name("calls")
VOLUMES = ("rootfs", *(f"mp{n}" for n in range(256)))
CHOICES = {"@volumes": VOLUMES, "@volumes-and-unused": VOLUMES + tuple(f"unused{n}" for n in range(256))}


@dataclass(frozen=True)
class Param:
    """One parameter, or one key of a property string; limits are kept as text, as messages show them."""

    name: str
    type: str
    optional: bool = False
    format: str = ""
    low: str = ""
    high: str = ""
    shortest: str = ""
    longest: str = ""
    requires: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""
    default_key: bool = False
    count: int = 0


@dataclass(frozen=True)
class CallSpec:
    """One call: `params` by name, `numbered` by the name without its number (net for net0)."""

    method: str
    path: str
    rights: Rights | None = None
    allow_token: bool = True
    params: dict[str, Param] = field(default_factory=dict)
    numbered: dict[str, Param] = field(default_factory=dict)

    def param(self, name: str) -> Param | None:
        found = self.params.get(name)
        if found is None and (parts := re.fullmatch(r"([a-z]+)(0|[1-9]\d*)", name)):
            numbered = self.numbered.get(parts[1])
            if numbered and int(parts[2]) < numbered.count:
                return replace(numbered, name=name, count=0)
        return found


@dataclass(frozen=True)
class Table:
    """All calls of one major version, by (method, path), and its formats for property strings."""

    calls: dict[tuple[str, str], CallSpec]
    formats: dict[str, dict[str, Param]]

    def options(self) -> CallSpec:
        """The call whose parameters are the options of a container."""
        return self.calls["PUT", "/nodes/{node}/lxc/{vmid}/config"]


@cache
def load_table(major: int) -> Table:
    """The table of one major version (8 or 9)."""
    blocks = [block for file in sorted(FOLDER.glob("*.txt")) for block in _blocks(file.read_text(encoding="utf-8"))]
    named = {head: _params(body, major) for head, body in blocks if not _is_call(head)}
    calls = {}
    for head, body in blocks:
        if _is_call(head) and _holds(words := head.split(), major):
            spec = _call(words, body, major, named)
            calls[spec.method, spec.path] = spec
    formats = {head.removeprefix("format "): params for head, params in named.items() if head.startswith("format ")}
    return Table(calls, formats)


def _blocks(text: str) -> Iterator[tuple[str, list[str]]]:
    for block in re.split(r"\n\s*\n", text):
        lines = [line for line in block.splitlines() if line.strip() and not line.startswith("#")]
        if lines:
            yield lines[0], [line.strip() for line in lines[1:]]


def _is_call(head: str) -> bool:
    return head.split()[0] in {"GET", "POST", "PUT", "DELETE"}


def _holds(words: list[str], major: int) -> bool:
    """Whether `since:` and `until:` among the words admit this version."""
    limits = dict(word.split(":", 1) for word in words if word.startswith(("since:", "until:")))
    return int(limits.get("since", 0)) <= major <= int(limits.get("until", 99))


def _call(words: list[str], body: list[str], major: int, named: dict[str, dict[str, Param]]) -> CallSpec:
    params = {name: named["paths"][name] for name in re.findall(r"{([\w-]+)}", words[1])}
    rights = None
    for line in body:
        if line.startswith("rights "):
            rights = parse_rights(line.removeprefix("rights "))
        elif line.startswith("use "):
            params |= named["group " + line.removeprefix("use ")]
    params |= _params([line for line in body if not line.startswith(("rights ", "use "))], major)
    single = {name: param for name, param in params.items() if not param.count}
    numbered = {name: param for name, param in params.items() if param.count}
    return CallSpec(words[0], words[1], rights, "no-token" not in words, single, numbered)


def _params(lines: list[str], major: int) -> dict[str, Param]:
    found = (_param(line, major) for line in lines)
    return {param.name: param for param in found if param}


def _param(line: str, major: int) -> Param | None:
    line, _, pattern = line.partition(" pattern:")
    first, kind, *words = line.split()
    if not _holds(words, major):
        return None
    parts = re.fullmatch(r"(\*?)([\w-]+)(?:\[(\d+)\])?(\??)", first)
    if not parts:
        raise ValueError(f"not a parameter: {line!r}")
    limits: dict[str, Any] = {"pattern": pattern, "default_key": bool(parts[1]), "optional": bool(parts[4]), "count": int(parts[3] or 0)}
    for word in words:
        limits |= _limit(word)
    return Param(parts[2], kind, **limits)


def _limit(word: str) -> dict[str, str | tuple[str, ...]]:
    if word.startswith("{"):
        return {"format": word[1:-1]}
    if word.startswith("len:"):
        shortest, _, longest = word.removeprefix("len:").partition("..")
        return {"shortest": shortest, "longest": longest}
    if word.startswith("one-of:"):
        choices = word.removeprefix("one-of:")
        return {"choices": CHOICES.get(choices) or tuple(choices.split("|"))}
    if word.startswith("requires:"):
        return {"requires": word.removeprefix("requires:")}
    if word.startswith(("since:", "until:")):
        return {}
    low, dots, high = word.partition("..")
    if not dots:
        raise ValueError(f"not a limit: {word!r}")
    return {"low": low, "high": high}
