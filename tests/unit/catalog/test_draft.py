# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a Compose file of somebody else says, in whatever form it says it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.guess import About, entry_of, environment_of, normalised
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.unsafe import mend, unsafe


def compose(**service: Any) -> dict[str, Any]:
    return {"services": {"app": {"image": "acme/app:1.2", **service}}}


@pytest.mark.parametrize(
    ("row", "ports"),
    [
        (8080, ["8080:8080"]),
        ("8080/udp", ["8080:8080/udp"]),
        ("80:8080/tcp", ["80:8080"]),
        ("9000-9001:7000-7001", ["9000:7000", "9001:7001"]),
        ("127.0.0.1:80:8080", ["127.0.0.1:80:8080"]),
        ("${PORT:-3000}:80", ["3000:80"]),
        ("${PORT}:80", ["${PORT}:80"]),
        ({"target": 80}, [{"target": 80, "published": 80}]),
        ({"target": 80, "published": "8080"}, [{"target": 80, "published": "8080"}]),
    ],
)
def test_ports_are_spelled_out(row: Any, ports: list[Any]) -> None:
    assert normalised(compose(ports=[row]))["services"]["app"]["ports"] == ports


def test_volumes_are_named_and_declared() -> None:
    rows = [
        "/data",
        "named:/named",
        "./here:/here",
        {"type": "volume", "source": "long", "target": "/long"},
        {"type": "tmpfs", "target": "/tmp"},
    ]
    tidy = normalised({**compose(volumes=rows), "volumes": {"unused": {}, "named": None}})
    assert tidy["volumes"] == {"app-data": {}, "named": {}, "long": {}}
    assert tidy["services"]["app"]["volumes"][0] == "app-data:/data"


def test_what_is_no_service_is_left_for_whoever_checks() -> None:
    assert normalised({"services": {"app": "x"}}) == {"services": {"app": "x"}}


def test_environments_are_read_in_both_forms() -> None:
    assert environment_of({"environment": ["A=b=c", "D"]}) == {"A": "b=c", "D": ""} and environment_of({"environment": {"A": None}}) == {
        "A": None
    }


@pytest.mark.parametrize(
    ("name", "target", "kind", "backup"),
    [
        ("pgdata", "/var/lib/postgresql/data", "db", True),
        ("x", "/data/db", "db", True),
        ("redis", "/data", "cache", False),
        ("x", "/var/log/app", "logs", False),
        ("x", "/config", "config", True),
        ("movies", "/m", "media", True),
        ("x", "/srv", "data", True),
    ],
)
def test_volumes_are_judged_by_their_names(name: str, target: str, kind: str, backup: bool) -> None:
    tidy = normalised(compose(volumes=[f"{name}:{target}"], ports=["80:80"]))
    assert entry_of(About("app"), tidy)["volumes"] == {name: {"kind": kind, "backup": backup}}


def test_what_it_needs_is_seen() -> None:
    devices = ["/dev/net/tun:/dev/net/tun", "/dev/dri:/dev/dri", "/dev/ttyUSB0"]
    entry = entry_of(About("app"), normalised(compose(devices=devices, network_mode="host")))
    assert entry["requirements"] == {"host_network": "required", "tun": "required", "gpu": "optional", "devices": "required"}
    graphics = {"resources": {"reservations": {"devices": [{"driver": "nvidia"}]}}}
    assert entry_of(About("app"), normalised(compose(deploy=graphics)))["requirements"] == {"gpu": "optional"}


@pytest.mark.parametrize(
    ("image", "version", "site"),
    [
        ("acme/app:v1.2.3-alpine", "1.2.3-alpine", "https://hub.docker.com/r/acme/app"),
        ("app", "latest", "https://hub.docker.com/_/app"),
        ("quay.io/acme/app:stable", "stable", "https://quay.io/acme/app"),
        ("acme/app@sha256:" + "ab" * 32, "abababababab", "https://hub.docker.com/r/acme/app"),
    ],
)
def test_version_and_site_are_guessed_from_the_image(image: str, version: str, site: str) -> None:
    entry = entry_of(About("app"), normalised({"services": {"app": {"image": image}}}))
    assert (entry["version"], entry["links"]["site"]) == (version, site)


def test_descriptions_have_a_length_that_is_accepted() -> None:
    lengths = [
        len(entry_of(About("app", description=text), normalised(compose()))["description"]) for text in ("", "x", "x" * 30, "x" * 999)
    ]
    assert all(20 <= length <= 300 for length in lengths)


def test_what_stays_is_told() -> None:
    found = unsafe(normalised(compose(build=".", network_mode="host", environment={"URL": "http://127.0.0.1:80/x"})))
    assert [finding.kind for finding in found] == ["host_network", "build", "address"]


def test_what_is_safe_already_is_left() -> None:
    service = {
        "restart": "unless-stopped",
        "logging": {"driver": "json-file", "options": {"max-size": "1m", "max-file": "1"}},
        "environment": {"TZ": "${TZ}", "DB_PASSWORD": "${DB_PASSWORD}", "ENABLE_TOKEN": "true", "TOKEN": "", "EMPTY": None},
    }
    tidy = compose(**service)
    assert mend(tidy) == ([], {"options": {}, "secrets": {}}) and tidy == compose(**service)


def test_a_secret_gets_a_name_that_nothing_else_has() -> None:
    tidy = {
        "services": {name: {"image": "a:1", "environment": {"password": value}} for name, value in (("a", "hunter2"), ("b", "hunter3"))}
    }
    _found, known = mend(tidy)
    assert list(known["secrets"]) == ["PASSWORD", "PASSWORD_2"]
    _found, known = mend(compose(environment={"SSH_SECRET": "hunter22"}))
    assert list(known["secrets"]) == ["APP_SSH_SECRET"]


def test_a_mount_of_the_clock_alone_leaves_no_volumes() -> None:
    tidy = compose(volumes=["/etc/localtime:/etc/localtime:ro"])
    mend(tidy)
    assert "volumes" not in tidy["services"]["app"] and tidy["services"]["app"]["environment"] == {"TZ": "${TZ}"}
