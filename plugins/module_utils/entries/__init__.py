# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A catalog entry as data. Pure: the standard library only, no files read."""

from __future__ import annotations

from .model import OWN_CATALOG, Entry
from .options import resolve_environment, resolve_options, sensitive_values
from .parse import check_definition, inspect_definition, parse_entry
from .revision import revision
from .stack import platform_values, stack_of
from .validate import Problem

__all__ = [
    "OWN_CATALOG",
    "Entry",
    "Problem",
    "check_definition",
    "inspect_definition",
    "parse_entry",
    "platform_values",
    "resolve_environment",
    "resolve_options",
    "revision",
    "sensitive_values",
    "stack_of",
]
