# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A short name for what runs: the same inputs give the same ten hex digits, on any controller."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .model import Entry
from .options import resolve_environment, resolve_options


def revision(entry: Entry, options: Mapping[str, Any], environment: Mapping[str, Any] | None, app_name: str) -> str:
    """Hash all that decides what runs in the guest, except where it is reached.

    What may be a weak secret (options of type password, the user's environment) goes in through scrypt, salted with
    the app's name: the hash stands in a tag, and a bare one could be searched for the value.
    """
    resolved = resolve_options(entry, options)
    passwords = {option.env for option in entry.options.values() if option.type == "password" and resolved[option.env]}
    hidden = {**{name: resolved[name] for name in passwords}, **resolve_environment(entry, environment)}
    facts = {
        "id": entry.id,
        "version": entry.version,
        "compose": entry.compose,
        "files": sorted([file.target, file.mode, file.content] for file in entry.files),
        "options": {name: text for name, text in resolved.items() if name not in passwords},
        "secrets": {name: [secret.kind, secret.length] for name, secret in entry.secrets.items()},
        "hidden": _slow_hash(_canonical(hidden), app_name) if hidden else "",
    }
    return hashlib.sha256(_canonical(facts).encode()).hexdigest()[:10]


def _canonical(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


@lru_cache(maxsize=4096)
def _slow_hash(text: str, salt: str) -> str:
    """About 30 ms and 16 MiB, so that guessing costs as much per guess."""
    return hashlib.scrypt(text.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=32).hex()
