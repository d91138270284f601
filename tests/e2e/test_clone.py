"""A copy of a real app: its data come along in its own volume, under its own name, and its source is as it was."""

from __future__ import annotations

import requests
from e2e.site import Site

SOURCE, COPY = "e2e-feeds", "e2e-feeds-test"
APPS = {SOURCE: {"app_catalog_id": "lab-notes", "app_options": {"greeting": "Hello from the source"}}}
NAMES = ("-e", f"from={SOURCE}", "-e", f"to={COPY}")


def _write_note(site: Site, name: str, text: str) -> None:
    answer = requests.put(f"http://{site.address(site.guest(name))}:8080/api/note", data=text, timeout=10)
    answer.raise_for_status()


def _note(site: Site, name: str) -> str:
    return site.page_soon(site.guest(name), "/api/note").strip()


def test_copy_has_the_data_and_a_name_of_its_own(site: Site) -> None:
    played = site.play("playbooks/deploy.yml", APPS)
    assert played.status == 0, played.output[-3000:]
    _write_note(site, SOURCE, "written before the copy")
    stopped = site.play("playbooks/stop.yml", APPS)  # the lab's storage takes no snapshots
    assert stopped.status == 0, stopped.output[-3000:]
    before = site.config(site.guest(SOURCE))
    played = site.play("playbooks/clone.yml", APPS, *NAMES)
    assert played.status == 0, played.output[-3000:]
    assert site.config(site.guest(SOURCE)) == before
    guest, source = site.guest(COPY), site.guest(SOURCE)
    record = site.record(guest)
    assert (record["status"], record["lease"], record["source"]["name"]) == ("running", None, SOURCE)
    assert record["ports"]["public"] == guest["vmid"] != source["vmid"]
    assert _note(site, COPY) == "written before the copy"
    assert "Hello from the source" in site.page(guest)
    assert site.inside(guest, "ls /opt/proximity").split() == [COPY]
    assert site.inside(guest, "hostname").strip() == COPY
    assert site.inside(guest, "docker volume ls -q").split() == [f"{COPY}_notes"]
    assert site.inside(guest, "docker ps -a --format '{{.Names}}'").split() == [f"{COPY}-web-1", f"{COPY}-api-1"]
    values = site.inside(guest, f"cat /opt/proximity/{COPY}/.env")
    assert f"APP_NAME={COPY}\n" in values
    assert f"APP_URL=http://{site.address(guest)}:8080\n" in values


def test_copying_again_changes_nothing(site: Site) -> None:
    again = site.play("playbooks/clone.yml", APPS, *NAMES)
    assert (again.status, again.recap(COPY)["changed"]) == (0, 0), again.output[-3000:]


def test_two_lives_from_here_on(site: Site) -> None:
    started = site.play("playbooks/start.yml", APPS)
    assert started.status == 0, started.output[-3000:]
    _write_note(site, COPY, "written to the copy")
    assert (_note(site, SOURCE), _note(site, COPY)) == ("written before the copy", "written to the copy")
    greeted = {COPY: {"app_catalog_id": "lab-notes", "app_options": {"greeting": "Hello from the copy"}}}
    played = site.play("playbooks/deploy.yml", greeted)
    assert played.status == 0, played.output[-3000:]
    assert "Hello from the copy" in site.page(site.guest(COPY))
    assert _note(site, COPY) == "written to the copy"
    for name in (SOURCE, COPY):
        removed = site.play("playbooks/remove.yml", {name: {"app_catalog_id": "lab-notes"}}, "--limit", name)
        assert removed.status == 0, removed.output[-3000:]
