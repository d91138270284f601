# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A catalog entry as frozen data. Every field is explained in `schema.py`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

OWN_CATALOG = "catalog"
"""What an entry of this collection's own catalog says as its source."""


@dataclass(frozen=True)
class Web:
    service: str
    port: int
    scheme: str = "http"
    path: str = "/"


@dataclass(frozen=True)
class Port:
    name: str
    port: int
    protocol: str
    help: str = ""


@dataclass(frozen=True)
class Volume:
    kind: str
    backup: bool
    help: str = ""


@dataclass(frozen=True)
class Secret:
    kind: str
    length: int
    immutable: bool = True
    help: str = ""


@dataclass(frozen=True)
class Option:
    env: str
    type: str
    default: str | int | bool | None = None
    required: bool = False
    choices: tuple[str | int, ...] = ()
    pattern: str = ""
    help: str = ""


@dataclass(frozen=True)
class Health:
    type: str
    port: int
    scheme: str = "http"
    path: str = "/"
    expect: tuple[int, ...] = (200,)
    headers: Mapping[str, str] = field(default_factory=dict)
    start_period_s: int = 120


@dataclass(frozen=True)
class Sizes:
    """What a container gets; None where the entry does not say."""

    cores: int | None = None
    memory_mb: int | None = None
    swap_mb: int | None = None
    disk_gb: int | None = None


@dataclass(frozen=True)
class Resources:
    recommended: Sizes
    minimum: Sizes = field(default_factory=Sizes)


@dataclass(frozen=True)
class File:
    source: str
    target: str
    mode: str = "0644"
    content: str = ""


@dataclass(frozen=True)
class Dump:
    service: str
    type: str
    user: str = ""
    database: str = ""
    password_env: str = ""


@dataclass(frozen=True)
class Entry:
    id: str
    name: str
    version: str
    description: str
    category: str
    links: Mapping[str, str]
    architectures: tuple[str, ...]
    health: Health
    resources: Resources
    compose: str
    tags: tuple[str, ...] = ()
    icon: str = ""
    web: Web | None = None
    ports: tuple[Port, ...] = ()
    volumes: Mapping[str, Volume] = field(default_factory=dict)
    secrets: Mapping[str, Secret] = field(default_factory=dict)
    options: Mapping[str, Option] = field(default_factory=dict)
    requirements: Mapping[str, object] = field(default_factory=dict)
    files: tuple[File, ...] = ()
    dumps: tuple[Dump, ...] = ()
    pause: tuple[str, ...] = ()
    updates: Mapping[str, object] = field(default_factory=dict)
    first_login: Mapping[str, str] = field(default_factory=dict)
    upgrade: tuple[Mapping[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    services: Mapping[str, str] = field(default_factory=dict)
    """Compose service -> image. The controller reads them from compose.yml, since the standard library has no YAML."""
    source: str = ""
    """The catalog folder it came from: empty for an inline definition, `catalog` for the collection's own."""
