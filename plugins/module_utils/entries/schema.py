# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The shape of entry.yml, schema 1, as JSON Schema.

This mapping is the source: `catalog/schema/entry-1.json` is its rendering, and a test keeps the two equal. It lives in
Python because a module carries its Python files only. Only the keywords that `validate.py` reads may be used here.
"""

from __future__ import annotations

from typing import Any

TEXT: dict[str, Any] = {"type": "string", "minLength": 1}
PORT: dict[str, Any] = {"type": "integer", "minimum": 1, "maximum": 65535}
SERVICE: dict[str, Any] = {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]{0,62}$"}
VARIABLE = "^[A-Z][A-Z0-9_]{0,62}$"
LEVEL: dict[str, Any] = {"enum": ["required", "recommended", "optional"]}


def _record(about: str, needed: list[str], /, **properties: dict[str, Any]) -> dict[str, Any]:
    """A mapping with exactly these keys."""
    return {"type": "object", "description": about, "required": needed, "properties": properties, "additionalProperties": False}


def _table(description: str, key: str, value: dict[str, Any]) -> dict[str, Any]:
    """A mapping from names of the form `key` to values of one shape."""
    return {"type": "object", "description": description, "propertyNames": {"pattern": key}, "additionalProperties": value}


def _rows(description: str, row: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "description": description, "items": row}


def _about(shape: dict[str, Any], description: str) -> dict[str, Any]:
    return {**shape, "description": description}


WEB = _record(
    "Where people find the app in their browser; left out when it has no web pages.",
    ["service", "port"],
    service=_about(SERVICE, "Compose service that serves the pages."),
    port=_about(PORT, "Port as Compose publishes it in the guest."),
    scheme={"enum": ["http", "https"], "description": "What the app itself speaks on that port; http when left out."},
    path={"type": "string", "pattern": "^/", "description": "Where the pages begin; / when left out."},
)

PORTS = _rows(
    "Further ports that Compose publishes in the guest.",
    _record(
        "One published port.",
        ["name", "port", "protocol"],
        name={"type": "string", "pattern": "^[a-z][a-z0-9-]{0,30}$", "description": "Short name, unique together with the protocol."},
        port=_about(PORT, "Port as published in the guest."),
        protocol={"enum": ["tcp", "udp"], "description": "Transport."},
        help=_about(TEXT, "What speaks there."),
    ),
)

VOLUMES = _table(
    "Every named volume of compose.yml, and what it holds.",
    "^[a-z0-9][a-z0-9_.-]{0,62}$",
    _record(
        "One volume.",
        ["kind", "backup"],
        kind={"enum": ["data", "config", "db", "media", "models", "cache", "logs"], "description": "What it holds."},
        backup={"type": "boolean", "description": "False when the app can make the content again."},
        help=_about(TEXT, "What lies there, when the name does not say it."),
    ),
)

SECRETS = _table(
    "Values that are generated in the guest on first deployment and never leave it. The key is the variable's name.",
    VARIABLE,
    _record(
        "One secret.",
        ["kind", "length"],
        kind={
            "enum": ["alnum", "hex", "base64", "laravel_key"],
            "description": "Letters and digits, hexadecimal digits, base64 of random bytes, or `base64:` and that.",
        },
        length={
            "type": "integer",
            "minimum": 12,
            "maximum": 256,
            "description": "Characters for alnum and hex, random bytes for base64 and laravel_key.",
        },
        immutable={
            "type": "boolean",
            "description": "True when data become unreadable, or a database is locked out, with another value; true when left out.",
        },
        help=_about(TEXT, "What it is for, when the name does not say it."),
    ),
)

OPTIONS = _table(
    "What a user may choose. Each becomes one variable of compose.yml.",
    "^[a-z][a-z0-9_]{0,38}$",
    _record(
        "One option.",
        ["env", "type"],
        env={"type": "string", "pattern": VARIABLE, "description": "The variable that carries the value."},
        type={
            "enum": ["string", "integer", "boolean", "url", "email", "hostname", "password"],
            "description": "What is accepted; password is a string that is kept out of logs and plain hashes.",
        },
        default={"type": ["string", "integer", "boolean", "null"], "description": "Value when the user gives none; empty when left out."},
        required={"type": "boolean", "description": "True when an empty value cannot work; false when left out."},
        choices={"type": "array", "minItems": 1, "items": {"type": ["string", "integer"]}, "description": "The values that are accepted."},
        pattern=_about(TEXT, "Regular expression that the whole value must match."),
        help=_about(TEXT, "One sentence for the user."),
    ),
)

HEALTH = _record(
    "How to see from outside of the stack, in the guest, that the app works.",
    ["type", "port"],
    type={"enum": ["http", "tcp"], "description": "http: a request is answered as expected; tcp: the port accepts connections."},
    port=_about(PORT, "Port that Compose publishes; 127.0.0.1 is enough, since the probe runs in the guest."),
    scheme={"enum": ["http", "https"], "description": "http when left out. A certificate is not checked."},
    path={"type": "string", "pattern": "^/", "description": "Path of the request; / when left out."},
    expect={
        "type": "array",
        "minItems": 1,
        "items": {"type": "integer", "minimum": 100, "maximum": 599},
        "description": "Statuses that mean healthy; 200 when left out.",
    },
    headers=_table("Headers of the request; values may hold ${NAME}.", "^[A-Za-z][A-Za-z0-9-]*$", TEXT),
    start_period_s={
        "type": "integer",
        "minimum": 1,
        "maximum": 3600,
        "description": "Seconds that a first start may take; 120 when left out.",
    },
)

_SIZES = {
    "cores": {"type": "integer", "minimum": 1, "maximum": 128, "description": "CPU cores."},
    "memory_mb": {"type": "integer", "minimum": 64, "description": "Memory in MiB."},
    "swap_mb": {"type": "integer", "minimum": 0, "description": "Swap in MiB."},
    "disk_gb": {"type": "integer", "minimum": 1, "description": "Root disk in GiB, Docker and images included."},
}

RESOURCES = _record(
    "What the container of the app needs, Docker included.",
    ["recommended"],
    minimum=_record("Less than this does not start or does not last.", [], **_SIZES),
    recommended=_record("What a deployment gets when the user says nothing.", list(_SIZES), **_SIZES),
)

REQUIREMENTS = _record(
    "What the app needs beyond an unprivileged container with nesting. Empty when nothing.",
    [],
    keyctl=_about(LEVEL, "Feature keyctl of the container."),
    tun=_about(LEVEL, "Device /dev/net/tun in the container."),
    gpu=_about(LEVEL, "A GPU passed through to the container."),
    devices=_about(LEVEL, "Other devices passed through; `notes` says which."),
    https=_about(LEVEL, "Pages served over HTTPS, by a reverse proxy."),
    host_network=_about(LEVEL, "The guest's own network, for discovery."),
    own_address=_about(LEVEL, "An address of its own, because of fixed well-known ports."),
    docker_socket=_about(LEVEL, "Docker's socket of this guest, which is as good as root in it."),
    cpu_flags=_rows("CPU features, spelled as in /proc/cpuinfo.", TEXT),
    kernel_modules=_rows("Modules of the node's kernel.", TEXT),
    apps=_rows("Ids of catalog entries that it works with or needs; `notes` says which.", TEXT),
    notes=_rows("Sentences for what the other keys cannot say.", TEXT),
)

FILES = _rows(
    "Files that are put beside compose.yml. They are copied as they are: nothing in them is replaced.",
    _record(
        "One file.",
        ["source", "target"],
        source={"type": "string", "pattern": "^files/[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$", "description": "Path in the entry's folder."},
        target={
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$",
            "description": "Path below files/ beside compose.yml in the guest.",
        },
        mode={"type": "string", "pattern": "^0[0-7]{3}$", "description": 'Permissions, as quoted octal text; "0644" when left out.'},
    ),
)

DUMPS = _rows(
    "Databases to dump before a backup, so that the archive holds a consistent copy.",
    _record(
        "One dump, made by the database's own tool in its own service.",
        ["service", "type"],
        service=_about(SERVICE, "Compose service to run the tool in."),
        type={"enum": ["pg_dump", "pg_dumpall", "mariadb-dump", "mysqldump", "mongodump"], "description": "The tool."},
        user=_about(TEXT, "Database user; may be ${NAME}."),
        database=_about(TEXT, "Database; every database when left out. May be ${NAME}."),
        password_env=_about(TEXT, "Name of the variable in the service's environment that holds the password."),
    ),
)

UPDATES = _record(
    "How newer versions are found and how bold a step may be.",
    [],
    risk={"enum": ["low", "medium", "high"], "description": "How often an update of this app needs attention; low when left out."},
    max_major_step={"type": "integer", "minimum": 1, "description": "How many major versions may be passed at once."},
    tags=_table("Service -> regular expression that newer tags of its image must match.", SERVICE["pattern"], TEXT),
)

FIRST_LOGIN = _record(
    "How to get in after the first deployment.",
    [],
    user=_about(TEXT, "User name; may be ${NAME}."),
    secret={"type": "string", "pattern": VARIABLE, "description": "Secret that holds the password."},
    default_password=_about(TEXT, "What upstream documents as the first password; change it at once."),
    password_in=_about(TEXT, "Where the app writes the password it made up."),
    note=_about(TEXT, "Anything else: a set-up page, a command."),
)

_UPGRADE = _record(
    "One note.",
    ["version", "note"],
    version=_about(TEXT, "Version that the note is about."),
    note=_about(TEXT, "What changes, and what to do."),
)

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "urn:proximity:catalog:entry-1",
    "title": "Catalog entry, schema 1",
    **_record(
        "entry.yml: one app of the catalog. Its Compose file is compose.yml in the same folder.",
        ["schema", "id", "name", "version", "description", "category", "links", "architectures", "health", "resources"],
        schema={"const": 1, "description": "Version of this schema."},
        id={"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,38}$", "description": "Equals the folder's name."},
        name=_about(TEXT, "As upstream writes it."),
        version={
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._+-]{0,62}$",
            "description": "Of the app, as pinned in compose.yml. Quote it.",
        },
        description={"type": "string", "minLength": 20, "maxLength": 300, "description": "One or two sentences in our own words."},
        category={"type": "string", "pattern": "^[a-z][a-z-]{1,30}$", "description": "One word to group by."},
        tags=_rows("Words to search by.", {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,30}$"}),
        links=_record(
            "Where to read on.",
            ["site"],
            site={"type": "string", "pattern": "^https://", "description": "The app's site."},
            source={"type": "string", "pattern": "^https://", "description": "Its source code."},
            docs={"type": "string", "pattern": "^https://", "description": "Its documentation."},
        ),
        icon={
            "type": "string",
            "pattern": "^[a-z0-9][a-z0-9-]{0,62}$",
            "description": "Name in the usual dashboard icon sets; the id when left out.",
        },
        architectures={
            "type": "array",
            "minItems": 1,
            "items": {"enum": ["amd64", "arm64"]},
            "description": "What every image exists for.",
        },
        web=WEB,
        ports=PORTS,
        volumes=VOLUMES,
        secrets=SECRETS,
        options=OPTIONS,
        health=HEALTH,
        resources=RESOURCES,
        requirements=REQUIREMENTS,
        files=FILES,
        dumps=DUMPS,
        pause=_rows("Services to pause while a backup is taken, where no dump exists.", SERVICE),
        updates=UPDATES,
        first_login=FIRST_LOGIN,
        upgrade=_rows("Notes for whoever updates to a version.", _UPGRADE),
        notes=_rows("What a user should know before the first use.", TEXT),
        unproven=_rows("Fields that nobody has confirmed, as dotted paths; `compose.` stands for compose.yml.", TEXT),
    ),
}
