# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Write entries as the catalog's own are written: one thing to a line, small mappings in braces."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.unsafe import LOGGING

WIDTH = 120
ONE_LINE = 100
"""What is longer in braces gets a line each."""


class _Dumper(yaml.SafeDumper):
    """Lists indented, and what is shared called by what it is."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def generate_anchor(self, node: yaml.Node) -> str:
        return "logging"

    def ignore_aliases(self, data: Any) -> bool:
        return data is not LOGGING

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        return super().represent_mapping(tag, mapping, False if _is_long(mapping) else flow_style)

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, False if _is_long(sequence) else flow_style)


def _is_long(data: Any) -> bool:
    return len(str(data)) > ONE_LINE


def entry_text(entry: Mapping[str, Any], remarks: tuple[str, ...] = ()) -> str:
    """The text of entry.yml, with remarks at its top."""
    return "---\n" + "".join(f"# {remark}\n" for remark in remarks) + _dump(entry)


def compose_text(compose: Mapping[str, Any]) -> str:
    """The text of compose.yml; what all services share of their logging stands there once."""
    shared = {"x-logging": LOGGING} if any(row.get("logging") == LOGGING for row in compose["services"].values()) else {}
    services = {name: _tidy(row) for name, row in compose["services"].items()}
    rest = {key: value for key, value in compose.items() if key not in ("services", "x-logging")}
    text = _dump({**shared, "services": services, **rest})
    text = re.sub(r"^(?=[a-z])(?!services:|x-)", "\n", text, flags=re.MULTILINE)
    text = re.sub(r"(?<=\n)services:", "\nservices:", text) if shared else text
    return "---\n" + _apart(text)


def lock_text(lock: Mapping[str, Any], remark: str) -> str:
    """A line for each image, so that a change is a line too."""
    return f"---\n# {remark}\n" + yaml.safe_dump(dict(lock), sort_keys=False, width=WIDTH, default_flow_style=False)


def _dump(data: Mapping[str, Any]) -> str:
    """Mappings of plain values in braces where they fit a line."""
    return yaml.dump(dict(data), Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True, default_flow_style=None)


def _tidy(service: Mapping[str, Any]) -> dict[str, Any]:
    """Keys in the order in which people read a service."""
    first = ("image", "restart", "entrypoint", "command", "depends_on", "ports", "environment", "volumes", "healthcheck")
    order = [key for key in first if key in service] + [key for key in service if key not in first and key != "logging"]
    logging = {"logging": LOGGING if service["logging"] == LOGGING else service["logging"]} if "logging" in service else {}
    return {**{key: service[key] for key in order}, **logging}


def _apart(text: str) -> str:
    """An empty line between services."""
    within, rows, first = False, [], True
    for row in text.split("\n"):
        if re.match(r"\S", row):
            within, first = row.startswith("services:"), True
        elif within and re.match(r"  [^\s#]", row):
            rows += [] if first else [""]
            first = False
        rows.append(row)
    return "\n".join(rows)
