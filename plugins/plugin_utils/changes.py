# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What an update changes for those who run an app: images and variables, without the secrets among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from .compose import service_images

MASKED = "(not shown)"


def changed_images(before: str, after: str) -> Iterator[str]:
    """A line for each service whose image differs in two Compose files."""
    old, new = (service_images(_read(text)) for text in (before, after))
    for service in sorted({*old, *new}):
        if service not in new:
            yield f"{service}: {old[service]} goes away"
        elif service not in old:
            yield f"{service}: {new[service]} is new"
        elif old[service] != new[service]:
            yield f"{service}: {old[service]} -> {new[service]}"


def changed_variables(before: str, after: str, secret: set[str]) -> Iterator[str]:
    """A line for each variable that differs in two files as `dotenv` writes them; of secret ones only that they do."""
    old, new = (dict(line.split("=", 1) for line in text.splitlines() if "=" in line) for text in (before, after))
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            values = (MASKED if name in secret and each is not None else each for each in (old.get(name), new.get(name)))
            yield f"{name}: {' -> '.join('(none)' if each is None else each or '(empty)' for each in values)}"


def secret_variables(definition: Mapping[str, Any], environment: Mapping[str, Any]) -> set[str]:
    """Variables of passwords among the options, and all that the user gives past them."""
    options = definition.get("options") or {}
    return {str(row["env"]) for row in options.values() if row.get("type") == "password"} | set(environment)


def _read(text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return None
