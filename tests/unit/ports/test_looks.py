"""What a look into a guest says, and what is made of it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.desired import CatalogEntry, Web
from ansible_collections.proximity.platform.plugins.module_utils.looks import Container, Look, Socket, parse_look
from ansible_collections.proximity.platform.plugins.module_utils.planner.detection import detect, repository

SCRIPT = Path(__file__).parents[3] / "roles/adopt/files/look.sh"
MINIFLUX = CatalogEntry(
    "miniflux", "Miniflux", "2.3.3", {"web": "miniflux/miniflux:2.3.3@sha256:12", "db": "postgres:17"}, "web", Web("http", 8080)
)
GITEA = CatalogEntry(
    "gitea", "Gitea", "1.24", {"gitea": "gitea/gitea:1.24", "db": "docker.io/library/postgres:17"}, "gitea", Web("http", 3000)
)
POSTGRES = CatalogEntry("postgres", "PostgreSQL", "17", {"postgres": "postgres:17"})
ENTRIES = [MINIFLUX, GITEA, POSTGRES]
TEXT = """Welcome to shop!
== tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 11 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1538 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 12 1 0000000000000000 100 0 0 10 0
   2: 00000000:01BB 00000000:0000 01 00000000:00000000 00:00000000 00000000     0        0 13 1 0000000000000000 100 0 0 10 0
   3: 00000000000000000000000000000000:0016 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 14 1 0 100 0 0 10 0
== names
/proc/1/comm:systemd
/proc/71/comm:nginx
== fds
/proc/1/fd:
total 0
lrwx------ 1 root root 64 Jan 1 00:00 5 -> socket:[14]
/proc/71/fd:
lrwx------ 1 root root 64 Jan 1 00:00 6 -> socket:[11]
== containers
postgres:17\trunning\tfeeds\tdb\t/srv\t5432/tcp
half a line
miniflux/miniflux@sha256:12\texited\tfeeds\tweb\t/srv\t0.0.0.0:8081->8080/tcp, :::8081->8080/tcp, 127.0.0.1:9->9/udp
"""


def test_text_is_read() -> None:
    look = parse_look(TEXT.replace("\n", "\r\n"))
    assert look.sockets == (Socket(22, "systemd"), Socket(80, "nginx"))
    assert look.containers == (
        Container("postgres:17", True, "feeds", "db", "/srv"),
        Container("miniflux/miniflux@sha256:12", False, "feeds", "web", "/srv", ((8081, 8080),)),
    )


def test_script_runs_in_a_bare_shell() -> None:
    done = subprocess.run(["/bin/sh", str(SCRIPT)], capture_output=True, text=True, check=True, timeout=60)
    assert [line for line in done.stdout.splitlines() if line.startswith("== ")] == ["== tcp", "== names", "== fds", "== containers"]
    parse_look(done.stdout)


def _compose(*images: str, project: str = "mine", ports: tuple[tuple[int, int], ...] = ()) -> Look:
    return Look((), tuple(Container(image, True, project, image, "/srv", ports) for image in images))


@pytest.mark.parametrize(
    ("look", "expected"),
    [
        (_compose("miniflux/miniflux:2.0", "postgres:15", ports=((8081, 8080),)), ("compose", "miniflux", "mine", 8081)),
        (_compose("docker.io/gitea/gitea:latest", "postgres:15", ports=((2222, 22), (3001, 3000))), ("compose", "gitea", "mine", 3001)),
        (_compose("gitea/gitea", project="", ports=((3000, 3000),)), ("image", "gitea", "", 3000)),
        (_compose("gitea/gitea"), ("compose", "gitea", "mine", 3000)),
        (_compose("somebody/else:1", ports=((9001, 80),)), ("compose", None, "mine", 9001)),
        (_compose("somebody/else:1"), ("compose", None, "mine", None)),
        (_compose("postgres:17", project=""), ("image", "postgres", "", None)),
        (Look((Socket(22, "sshd"), Socket(80, "nginx"))), ("service", None, "", 80)),
        (Look((Socket(22, "sshd"), Socket(8443, "java"), Socket(9999, "x"))), ("service", None, "", 8443)),
        (Look((Socket(7777, "mine"),)), ("", None, "", 7777)),
        (Look((Socket(22, "sshd"), Socket(5432, "postgres"))), ("", None, "", None)),
        (Look(), ("", None, "", None)),
        (None, ("", None, "", None)),
    ],
)
def test_guest_is_judged(look: Look | None, expected: tuple[str, str | None, str, int | None]) -> None:
    found = detect(look, ENTRIES)
    assert (found.by, found.entry.id if found.entry else None, found.project, found.web.port if found.web else None) == expected


def test_two_apps_in_one_guest_are_undetermined() -> None:
    look = Look(
        (), _compose("gitea/gitea", "postgres", project="a").containers + _compose("miniflux/miniflux", "postgres", project="b").containers
    )
    assert detect(look, ENTRIES).entry is None


def test_encrypted_pages() -> None:
    assert detect(Look((Socket(443, "caddy"),)), []).web == Web("https", 443)


@pytest.mark.parametrize(
    ("look", "port"), [(None, 8080), (_compose("x/y", ports=((1234, 80),)), 1234), (_compose("miniflux/miniflux", ports=((81, 8080),)), 81)]
)
def test_users_word_is_taken(look: Look | None, port: int) -> None:
    found = detect(look, ENTRIES, MINIFLUX)
    assert (found.by, found.entry, found.web and found.web.port) == ("catalog", MINIFLUX, port)


@pytest.mark.parametrize(
    "image", ["nginx", "nginx:1.27", "docker.io/library/nginx:1", "library/nginx@sha256:1", "index.docker.io/library/nginx"]
)
def test_names_of_one_image(image: str) -> None:
    assert repository(image) == "nginx"


def test_registry_with_a_port() -> None:
    assert repository("registry.lan:5000/team/app:2") == "registry.lan:5000/team/app"
