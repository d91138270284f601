"""The lab's images, made of Debian packages: a root of BusyBox and nginx that all share, and one small layer each.

| image | what it does | environment |
|---|---|---|
| lab/web:1.0, :1.1 | page on 8080; /healthz, /version; /api/X: API_URL/cgi-bin/X, PUT: POST | APP_NAME, APP_URL, GREETING, API_URL, PORT |
| lab/api:1.0 | :8081 /cgi-bin/note, /counter, /data/NAME (GET, POST), kept in /data; /fingerprint | API_TOKEN, PORT |
| lab/db:1.0 | :5432 /cgi-bin/row (GET, POST), kept in two files of /data; a `pg_dump` that copies them as one | DB_PASSWORD, PORT |
| lab/broken:1.0 | never becomes healthy | |
| lab/standin:1 | 200 for everything on each of PORTS | PORTS, STANDS_FOR |
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.guests.runtime import RuntimeFailure
from lab.real.builder import Bootstrap, architecture, bootstrap, digest_of, kept
from lab.real.layers import Member, directory, file, layer, link, member, tree
from lab.real.mirror import Mirror
from lab.real.oci import Layer, push
from lab.real.shell import PATH, Say, run

FILES = Path(__file__).parent / "image_files"
BASE = Bootstrap("trixie", "extract", ("busybox-static", "nginx", "netbase", "base-files", "media-types"))
NOT_NEEDED = re.compile(
    r"usr/share/(?!nginx/)|usr/(include|src|games)|usr/bin/(?!busybox$).|usr/lib/[^/]+/(libtirpc|libbpf|libdb-)|var/(lib/(apt|dpkg)|cache|log)/.|etc/(apt|systemd|init\.d|logrotate\.d|ufw|default|cron)|usr/lib/(systemd|apt|dpkg)|"
    r"usr/lib/[^/]+/(perl|gconv|audit)|dev/.|usr/sbin/(?!nginx)"
)
ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\nwww-data:x:33:33:www-data:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\nwww-data:x:33:\n",
}
SECOND_NS = 1_000_000_000
COMMON_COMMANDS = ("pg_isready", "redis-cli", "valkey-cli", "mariadb-admin", "mysqladmin", "healthcheck.sh", "curl")
"""What health checks of the images call that the stand-in stands in for: they succeed."""


def healthcheck(command: str) -> dict[str, Any]:
    """Asked often while it starts, so that nobody waits for it."""
    return {
        "Test": ["CMD-SHELL", command],
        "Interval": 2 * SECOND_NS,
        "Timeout": 3 * SECOND_NS,
        "Retries": 15,
        "StartPeriod": 10 * SECOND_NS,
        "StartInterval": SECOND_NS // 4,
    }


def settings(environment: Mapping[str, str], **more: Any) -> dict[str, Any]:
    """An image's config object."""
    given = {"PATH": PATH, **environment}
    return {"Env": [f"{key}={value}" for key, value in given.items()], "WorkingDir": "/", **more}


def _web(version: str) -> dict[str, Any]:
    return settings(
        {"LAB_VERSION": version},
        Entrypoint=["/lab/start"],
        ExposedPorts={"8080/tcp": {}},
        Healthcheck=healthcheck("wget -q -O /dev/null http://127.0.0.1:${PORT:-8080}/healthz"),
    )


def _images() -> Iterator[tuple[str, str, str | None, dict[str, Any]]]:
    """(repo, tag, directory under image_files, config)."""
    yield "lab/web", "1.0", "web", _web("1.0")
    yield "lab/web", "1.1", "web", _web("1.1")
    yield (
        "lab/api",
        "1.0",
        "api",
        settings(
            {},
            Entrypoint=["/lab/start"],
            ExposedPorts={"8081/tcp": {}},
            Volumes={"/data": {}},
            Healthcheck=healthcheck("wget -q -O /dev/null http://127.0.0.1:${PORT:-8081}/"),
        ),
    )
    yield (
        "lab/db",
        "1.0",
        "db",
        settings(
            {},
            Entrypoint=["/lab/start"],
            ExposedPorts={"5432/tcp": {}},
            Volumes={"/data": {}},
            Healthcheck=healthcheck("wget -q -O /dev/null http://127.0.0.1:${PORT:-5432}/"),
        ),
    )
    yield (
        "lab/broken",
        "1.0",
        None,
        settings(
            {},
            Cmd=["sleep", "2147483647"],
            StopSignal="SIGKILL",
            Healthcheck={"Test": ["CMD", "false"], "Interval": SECOND_NS, "Timeout": SECOND_NS, "Retries": 3},
        ),
    )
    yield "lab/standin", "1", "standin", settings({}, Entrypoint=["/lab/start"])


def ensure_images(say: Say, mirror: Mirror) -> None:
    """Have the registry hold all of the lab's images; quick when it does. The services must be up."""
    base = base_layer(say, mirror)
    for repo, tag, files, config in _images():
        push(repo, tag, [base, *([files_layer(files)] if files else [])], config)


def push_stand_in(image: str, ports: Sequence[str | int], say: Say, mirror: Mirror) -> str | None:
    """Have the stand-in bear another image's name, answering on these ports; returns the registry in that name, None for a plain one."""
    host, repo, tag = image_name(image)
    listening = " ".join(str(port) for port in ports) or "8080"
    exposed: dict[str, dict[str, str]] = {str(port) if "/" in str(port) else f"{port}/tcp": {} for port in ports or (8080,)}
    config = settings({"PORTS": listening, "STANDS_FOR": image}, Entrypoint=["/lab/start"], ExposedPorts=exposed)
    push(repo, tag, [base_layer(say, mirror), files_layer("standin")], config)
    return host


def image_name(image: str) -> tuple[str | None, str, str]:
    """`registry.example/a/b:1` -> registry, path in it, tag; Docker's own rule: a first part with a dot or a colon is a registry."""
    first, _, rest = image.partition("/")
    host = first if rest and ("." in first or ":" in first or first == "localhost") else None
    path, _, tag = (rest if host else image).partition(":")
    if "@" in image or not path or (host and ":" in host):
        raise RuntimeFailure(f"image '{image}' cannot be stood in for: no digests, and no registries on a port of their own")
    return host, path if host or "/" in path else f"library/{path}", tag or "latest"


def base_layer(say: Say, mirror: Mirror) -> Layer:
    """BusyBox and nginx, from the cache or built."""

    def make(work: Path) -> Path:
        bootstrap(BASE, mirror, work, work / "root", say)
        layer(_base_members(work / "root")).write(work / "layer")
        return work / "layer"

    recipe = digest_of(
        "image base", 1, asdict(BASE), mirror.sources(BASE.suite), NOT_NEEDED.pattern, ACCOUNTS, COMMON_COMMANDS, architecture()
    )
    return Layer.read(kept("images", recipe, "base", make, say))


def files_layer(name: str) -> Layer:
    """A layer of the files under image_files/`name`; `start` and scripts without a dot are executable."""
    root = FILES / name
    extra = [link(f"usr/local/bin/{command}", "/bin/true") for command in COMMON_COMMANDS] if name == "standin" else []
    members = [
        member(path, path.relative_to(root).as_posix(), 0o755 if path.is_dir() or "." not in path.name else 0o644)
        for path in sorted(root.rglob("*"))
    ]
    return layer([*members, *extra])


def _base_members(root: Path) -> list[Member]:
    """The unpacked packages without what no image needs, BusyBox under all its names, and accounts."""
    found = tree(root, NOT_NEEDED)
    for applet in _applets(root):
        found.setdefault(f"usr/bin/{applet}", link(f"usr/bin/{applet}", "busybox"))
    for name, text in ACCOUNTS.items():
        found[name] = file(name, text.encode())
    for name in ("var/log/nginx", "var/lib/nginx", "run", "data", "tmp", "root"):
        found.setdefault(name, directory(name, 0o1777 if name == "tmp" else 0o755))
    return [found[name] for name in sorted(found)]


def _applets(root: Path) -> list[str]:
    for place in ("usr/bin/busybox", "bin/busybox"):
        if (root / place).is_file():
            return run([root / place, "--list"]).split()
    raise RuntimeFailure("busybox-static holds no busybox")
