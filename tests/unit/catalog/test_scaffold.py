# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""A new entry begins with an image or a Compose file, and holds together from the first moment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import ACTIONS, Outcome
from unit.catalog.small_registry import SmallRegistry, small_registry
from unit.catalog.test_actions import params

CONFIG = {
    "ExposedPorts": {"9000/tcp": {}, "8080/tcp": {}, "22/tcp": {}, "53/udp": {}},
    "Volumes": {"/var/lib/app": {}, "/config/": {}},
    "Healthcheck": {"Test": ["CMD-SHELL", "curl -f http://localhost:${PORT:-8080}/health || exit 1"]},
    "Labels": {
        "org.opencontainers.image.title": "The App",
        "org.opencontainers.image.description": "Counts what there is to be counted.",
        "org.opencontainers.image.url": "http://app.example.com",
        "other": "x",
    },
}


@pytest.fixture
def hub() -> Iterator[SmallRegistry]:
    with small_registry() as registry:
        registry.add("acme/the-app", "v1.4.2", "latest", config=CONFIG, architectures=("amd64", "arm64", "riscv64"))
        registry.add("acme/bare", "2")
        yield registry


def begin(target: Path, hub: SmallRegistry | None = None, **given: Any) -> Outcome:
    registries = [{"name": "docker.io", "url": hub.url}] if hub else None
    outcome = ACTIONS["scaffold"](params(target=str(target), registries=registries, ask_registry=hub is not None, **given))
    for path, text in outcome.files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return outcome


def test_an_image_says_most_of_it(tmp_path: Path, hub: SmallRegistry) -> None:
    outcome = begin(tmp_path, hub, image="acme/the-app:v1.4.2", entry={"category": "tools"})
    definition, mistakes = inspect_entry(tmp_path / "the-app", house_rules=True)
    assert (mistakes, outcome.answer["id"], outcome.answer["folder"]) == ([], "the-app", str(tmp_path / "the-app"))
    assert {key: definition[key] for key in ("name", "version", "description", "category", "architectures", "links")} == {
        "name": "The App",
        "version": "1.4.2",
        "description": "Counts what there is to be counted.",
        "category": "tools",
        "architectures": ["amd64", "arm64"],
        "links": {"site": "https://app.example.com"},
    }
    assert definition["web"] == {"service": "the-app", "port": 8080}
    assert [row["port"] for row in definition["ports"]] == [22, 9000]
    assert definition["volumes"] == {"config": {"kind": "config", "backup": True}, "app": {"kind": "data", "backup": True}}
    assert definition["health"] == {"type": "http", "port": 8080, "path": "/health", "expect": [200], "start_period_s": 180}
    assert definition["unproven"] == ["health", "resources", "volumes", "web"]
    service = yaml.safe_load(definition["compose"])["services"]["the-app"]
    assert service["healthcheck"]["test"][1] == "curl -f http://localhost:$${PORT:-8080}/health || exit 1"
    assert definition["updates"]["tags"] == {"the-app": r"^v[0-9]+\.[0-9]+\.[0-9]+$"}


def test_without_a_registry_the_port_is_needed(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"On which port does acme/the-app:v1.4.2 listen"):
        begin(tmp_path, image="acme/the-app:v1.4.2")
    begin(tmp_path, image="acme/the-app:v1.4.2", entry={"port": 8080, "id": "mine", "name": "Mine", "site": "https://mine.example.com"})
    definition, mistakes = inspect_entry(tmp_path / "mine")
    assert mistakes == [] and definition["name"] == "Mine" and definition["health"]["type"] == "tcp"


def test_an_image_that_says_nothing_needs_the_port_too(tmp_path: Path, hub: SmallRegistry) -> None:
    with pytest.raises(SpecError, match="its registry says of none"):
        begin(tmp_path, hub, image="acme/bare:2")


def test_a_registry_that_does_not_answer_is_told_with_the_way_out(tmp_path: Path, hub: SmallRegistry) -> None:
    with pytest.raises(SpecError, match=r"has no such image or tag.*set ask_registry to false and give entry.port"):
        begin(tmp_path, hub, image="acme/the-app:v9")


def test_a_moving_tag_is_left_to_decide(tmp_path: Path, hub: SmallRegistry) -> None:
    outcome = begin(tmp_path, hub, image="acme/the-app")
    assert any("acme/the-app moves" in row for row in outcome.answer["todo"])


COMPOSE = """\
version: "3"
services:
  app:
    image: acme/the-app:v1.4.2
    container_name: app
    ports: ["8088:80"]
    environment: ["DB_PASSWORD=changeme123", "BASE=http://localhost:8088", "SIZE=${SIZE}"]
    volumes: ["./data:/var/lib/app"]
    healthcheck: {test: curl -f http://localhost/health}
  db:
    image: postgres:17
    environment: {POSTGRES_PASSWORD: changeme123}
    volumes: ["db:/var/lib/postgresql/data"]
volumes: {db: }
"""


def test_a_compose_file_is_mended_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(COMPOSE)
    outcome = begin(tmp_path / "own", compose_file=str(tmp_path / "compose.yml"), entry={"id": "counter", "name": "Counter"})
    definition, mistakes = inspect_entry(tmp_path / "own/counter", house_rules=True)
    assert mistakes == [] and (definition["id"], definition["name"]) == ("counter", "Counter")
    assert set(definition["secrets"]) == {"DB_PASSWORD"} and set(definition["options"]) == {"size"}
    assert definition["health"]["path"] == "/health" and set(definition["volumes"]) == {"data", "db"}
    assert "Give each service a health check that its image can run: db." in outcome.answer["todo"]
    assert any("http://localhost:8088 is true on one machine only" in row for row in outcome.answer["todo"])


def test_its_name_is_the_first_services_unless_given(tmp_path: Path) -> None:
    (tmp_path / "compose.yml").write_text(COMPOSE)
    assert begin(tmp_path / "own", compose_file=str(tmp_path / "compose.yml")).answer["id"] == "app"


@pytest.mark.parametrize(
    ("text", "said"), [("services: []", "compose.yml:1: expected a Compose file"), ("a: [", "compose.yml:1: is not YAML")]
)
def test_what_is_no_compose_file_is_told(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "compose.yml").write_text(text)
    with pytest.raises(SpecError, match=said):
        begin(tmp_path, compose_file=str(tmp_path / "compose.yml"))


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"nothing.yml: cannot be read"):
        begin(tmp_path, compose_file=str(tmp_path / "nothing.yml"))


def test_an_entry_is_not_overwritten_unasked(tmp_path: Path) -> None:
    given = {"image": "acme/the-app:v1.4.2", "entry": {"port": 8080}}
    begin(tmp_path, **given)
    begin(tmp_path, **given)
    with pytest.raises(SpecError, match=r"is there already, and is another"):
        begin(tmp_path, image="acme/the-app:v1.4.3", entry={"port": 8080})
    begin(tmp_path, image="acme/the-app:v1.4.3", entry={"port": 8080}, overwrite=True)
