"""Answers to what an entry asks of its user, where it has no default."""

from __future__ import annotations

from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry

BY_TYPE: dict[str, Any] = {
    "string": "x",
    "url": "https://example.com/x",
    "email": "a@example.com",
    "hostname": "a.example.com",
    "integer": 1,
    "boolean": True,
    "password": "x",
}


def needed_options(entry: Entry) -> dict[str, Any]:
    """An example for each option that has no default and must be given."""
    required = {key: option for key, option in entry.options.items() if option.required and option.default in (None, "")}
    return {key: option.choices[0] if option.choices else BY_TYPE[option.type] for key, option in required.items()}
