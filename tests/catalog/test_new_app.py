"""A new app is one new folder with two files: begun by the scaffold, checked, and deployed, as somebody would who has never done it.

A person needs minutes to read and to decide; the machine's part is measured, and stands in docs/catalog/adding-an-entry.md.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from e2e.site import BIN, CHECKOUT, Site
from lab.real.layout import REGISTRY_ADDRESS

MACHINE_LIMIT_S = 120
REGISTRIES = [{"name": "docker.io", "url": f"http://{REGISTRY_ADDRESS}"}]
FOUND_SOMEWHERE = """\
version: "3.8"
services:
  web:
    image: lab/web:1.0
    container_name: guestbook
    ports: ["8080:8080"]
    environment:
      GREETING: ${GREETING}
      API_URL: http://api:8081
    healthcheck:
      test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8080/healthz"]
  api:
    image: lab/api:1.0
    environment: ["API_TOKEN=change-me-please"]
    volumes: ["./guestbook:/data"]
"""
"""As projects show them: a secret in plain text, a folder beside the file, nothing about restarts and logs."""


@pytest.fixture
def machine_time() -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < MACHINE_LIMIT_S


def play(site: Site, name: str, **variables: Any) -> str:
    """What a playbook of the catalog says; it must succeed."""
    command = [str(BIN / "ansible-playbook"), f"playbooks/catalog_{name}.yml", "-e", json.dumps(variables)]
    done = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **site.environment()}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def deploy(site: Site, catalog: Path, entry: str, **options: str) -> dict[str, Any]:
    """Check the catalog, deploy the entry, and once more, which changes nothing; returns its guest."""
    told = play(site, "validate", proximity_catalog_paths=[str(catalog)], catalog_rules=True)
    assert "entries are right" in told
    app = {f"my-{entry}": {"app_catalog_id": entry, "app_catalog_paths": [str(catalog)], "app_options": options}}
    played = site.play("playbooks/deploy.yml", app)
    assert played.status == 0, played.output[-3000:]
    again = site.play("playbooks/deploy.yml", app)
    assert again.status == 0, again.output[-3000:]
    assert again.recap(f"my-{entry}")["changed"] == 0
    guest = site.guest(f"my-{entry}")
    assert site.record(guest)["entry"] == entry
    return guest


def improve(entry: Path, *rows: str) -> None:
    """What a person writes instead of guesses: each row takes the place of its field, and nothing is unproven any more."""
    text = re.sub(r"^#.*\n", "", entry.read_text(), flags=re.MULTILINE)
    for field in ("unproven", *(row.partition(":")[0] for row in rows)):
        text = re.sub(rf"^{field}:.*\n(?: .*\n)*", "", text, flags=re.MULTILINE)
    entry.write_text(text + "\n".join([*rows, ""]))


@pytest.mark.usefixtures("machine_time")
def test_an_image_becomes_an_app_that_is_kept_up_to_date(site: Site, tmp_path: Path) -> None:
    folder = tmp_path / "my-catalog/greeter"
    known = {"id": "greeter", "name": "Greeter", "category": "tools", "site": "https://greeter.example.com"}
    given = {"catalog_image": "lab/web:1.0", "catalog_entry": known, "catalog_registries": REGISTRIES}
    told = play(site, "scaffold", catalog_target=str(folder.parent), **given)
    assert "Look at what was guessed" in told
    assert sorted(path.name for path in folder.iterdir()) == ["compose.yml", "entry.yml"]

    greeting = "{greeting: {env: GREETING, type: string, default: Hello, pattern: '[^<>]{1,80}', help: What the page says.}}"
    improve(folder / "entry.yml", "description: Shows a greeting of your choice on a page.", f"options: {greeting}")
    compose = folder / "compose.yml"
    compose.write_text(compose.read_text().replace("    healthcheck:", "    environment: {GREETING: '${GREETING}'}\n    healthcheck:"))

    guest = deploy(site, folder.parent, "greeter", greeting="Hello, world")
    assert "Hello, world" in site.page(guest) and "lab/web 1.0" in site.page(guest)

    paths = {"proximity_catalog_paths": [str(folder.parent)], "catalog_registries": REGISTRIES}
    told = play(site, "updates", catalog_ids=["greeter"], catalog_write=True, **paths)
    assert "greeter: lab/web 1.0 -> 1.1" in told
    guest = deploy(site, folder.parent, "greeter", greeting="Hello, world")
    assert "lab/web 1.1" in site.page(guest) and site.record(guest)["entry_version"] == "1.1"


@pytest.mark.usefixtures("machine_time")
def test_a_compose_file_becomes_an_app(site: Site, tmp_path: Path) -> None:
    folder, found = tmp_path / "my-catalog/guestbook", tmp_path / "docker-compose.yml"
    found.write_text(FOUND_SOMEWHERE)
    known = {"id": "guestbook", "name": "Guestbook", "category": "tools", "site": "https://guestbook.example.com"}
    told = play(site, "scaffold", catalog_compose_file=str(found), catalog_target=str(folder.parent), catalog_entry=known)
    assert "Give each service a health check that its image can run: api." in told
    compose = folder / "compose.yml"
    assert "change-me-please" not in compose.read_text() and "./guestbook" not in compose.read_text()

    improve(folder / "entry.yml", "description: Keeps what visitors write, and shows a greeting on its page.")
    check = '    healthcheck: {test: [CMD, wget, -q, -O, /dev/null, "http://127.0.0.1:8081/"], start_period: 30s, start_interval: 1s}\n'
    text = compose.read_text()
    compose.write_text(re.sub(r"(    image: lab/api:1\.0\n)", rf"\1{check}", text))

    guest = deploy(site, folder.parent, "guestbook", greeting="Write something")
    assert "Write something" in site.page(guest)
    token = site.inside(guest, "grep ^API_TOKEN= /opt/proximity/my-guestbook/secrets.env").strip().partition("=")[2]
    assert re.fullmatch(r"[A-Za-z0-9]{32}", token)
    assert f"API_TOKEN={token}" in site.inside(guest, "docker inspect my-guestbook-api-1 --format '{{json .Config.Env}}'")
