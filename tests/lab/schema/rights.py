"""The rights that a call declares, as an expression: `/vms/{vmid} VM.Audit`, `... or ...`, `(... and ...)`."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Need:
    """One condition.

    `kind` is `all` (who is known), `world` (anybody), `path`, `modify`, `user-param` or `user-group`; `path` a template
    such as /vms/{vmid}, or that condition's argument. With `given` the condition holds only when that parameter is given;
    `mode` says whether the groups that a `user-group` is about are given with it: `create`, `update`, or nothing.
    """

    kind: str
    path: str = ""
    privileges: tuple[str, ...] = ()
    every: bool = False
    given: str = ""
    mode: str = ""


@dataclass(frozen=True)
class Both:
    parts: tuple[Rights, ...]


@dataclass(frozen=True)
class Either:
    parts: tuple[Rights, ...]


Rights = Need | Both | Either


def parse_rights(text: str) -> Rights:
    """Read one `rights` line of the table."""
    tokens = re.findall(r"[()]|[^\s()]+", text)
    found = _expression(tokens)
    if tokens:
        raise ValueError(f"rights end too late: {text!r}")
    return found


def _expression(tokens: list[str]) -> Rights:
    parts, joins = [_term(tokens)], set()
    while tokens and tokens[0] in {"and", "or"}:
        joins.add(tokens.pop(0))
        parts.append(_term(tokens))
    if not joins:
        return parts[0]
    if len(joins) > 1:
        raise ValueError("`and` and `or` need brackets")
    return Both(tuple(parts)) if "and" in joins else Either(tuple(parts))


def _term(tokens: list[str]) -> Rights:
    word = tokens.pop(0)
    if word == "(":
        inner = _expression(tokens)
        tokens.pop(0)
        return inner
    if word in {"all", "world"}:
        return Need(word)
    if word in {"modify", "user-param"}:
        return Need(word, tokens.pop(0))
    if word == "user-group":
        privileges, mode = tuple(tokens.pop(0).split("|")), ""
        if tokens and tokens[0] == "groups_param":
            mode = tokens[1]
            del tokens[:2]
        return Need(word, privileges=privileges, mode=mode)
    text = tokens.pop(0)
    given = tokens.pop(0).removeprefix("given:") if tokens and tokens[0].startswith("given:") else ""
    return Need("path", word, tuple(re.split(r"[|&]", text)), "|" not in text, given)
