"""A genuine PostgreSQL as an image, of Debian's packages: made when a test asks for it, since it takes its time."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from lab.real.builder import Bootstrap, architecture, bootstrap, digest_of, kept
from lab.real.images import ACCOUNTS, base_layer, files_layer, healthcheck, settings
from lab.real.layers import Member, file, layer, link, tree
from lab.real.mirror import Mirror
from lab.real.oci import Layer, push
from lab.real.shell import PATH, Say

VERSION = "17"
PROGRAMS = f"usr/lib/postgresql/{VERSION}/bin"
RECIPE = Bootstrap("trixie", "extract", (f"postgresql-{VERSION}", "tzdata", "base-files"))
NOT_NEEDED = re.compile(
    r"(?!usr/(lib|share)(/|$)|usr$)|usr/lib/(?!postgresql|[a-z0-9_]+-linux-gnu)|usr/share/(?!postgresql(/|$)|zoneinfo)|"
    r"usr/lib/[^/]+/(libLLVM|libz3|libperl|libdb-|perl|gconv|audit|libsepol|systemd|security)|usr/lib/postgresql/[^/]+/lib/(bitcode|llvmjit)"
)
"""Beyond what the base has: its programs, their libraries, and time zones. Compiling queries (LLVM, 130 MB) is left out."""
ACCOUNT = "postgres:x:999:999:postgres:/var/lib/postgresql:/bin/sh\n"
IMAGE = f"lab/postgres:{VERSION}"


def ensure_postgres(say: Say, mirror: Mirror) -> None:
    """Have the registry hold lab/postgres. A lab must be up, since the registry is its."""
    data = "/var/lib/postgresql/data"
    config = settings(
        {"PATH": f"/{PROGRAMS}:{PATH}", "PGDATA": data, "PGHOST": "/tmp", "POSTGRES_USER": "postgres", "POSTGRES_DB": "postgres"},
        Entrypoint=["/lab/start"],
        ExposedPorts={"5432/tcp": {}},
        Volumes={data: {}},
        StopSignal="SIGINT",
        Healthcheck=healthcheck('pg_isready -q -U "$POSTGRES_USER" -d "$POSTGRES_DB"'),
    )
    repo, _colon, tag = IMAGE.partition(":")
    push(repo, tag, [base_layer(say, mirror), _layer(say, mirror), files_layer("postgres")], config)


def _layer(say: Say, mirror: Mirror) -> Layer:
    def make(work: Path) -> Path:
        bootstrap(RECIPE, mirror, work, work / "root", say)
        layer(list(_members(work / "root"))).write(work / "layer")
        return work / "layer"

    recipe = digest_of("postgres", 1, asdict(RECIPE), mirror.sources(RECIPE.suite), NOT_NEEDED.pattern, architecture())
    return Layer.read(kept("images", recipe, "postgres", make, say))


def _members(root: Path) -> Iterator[Member]:
    yield from tree(root, NOT_NEEDED).values()
    yield file("etc/passwd", (ACCOUNTS["etc/passwd"] + ACCOUNT).encode())
    yield file("etc/group", (ACCOUNTS["etc/group"] + "postgres:x:999:\n").encode())
    for tool in ("psql", "pg_dump", "pg_isready"):
        yield link(f"usr/local/bin/{tool}", f"/{PROGRAMS}/{tool}")
