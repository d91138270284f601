"""Copies of a real app that goes on running: its data come along in their own volume, under their own name, and it is as it was."""

from __future__ import annotations

import requests
from e2e.site import Site

SOURCE, COPY, STRANGER = "e2e-feeds", "e2e-feeds-test", "e2e-feeds-else"
STORAGE = {"app_catalog_id": "lab-notes", "app_storage": "local-lvm"}
APPS = {SOURCE: {**STORAGE, "app_options": {"greeting": "Hello from the source"}}}
NAMES = ("-e", f"from={SOURCE}", "-e", f"to={COPY}")


def _write_note(thin: Site, name: str, text: str) -> None:
    answer = requests.put(f"http://{thin.address(thin.guest(name))}:8080/api/note", data=text, timeout=10)
    answer.raise_for_status()


def _note(thin: Site, name: str) -> str:
    return thin.page_soon(thin.guest(name), "/api/note").strip()


def _started(thin: Site) -> str:
    return thin.inside(thin.guest(SOURCE), "docker ps -q --no-trunc | sort | xargs docker inspect --format '{{.Id}} {{.State.StartedAt}}'")


def test_copy_has_the_data_and_a_name_of_its_own(thin: Site) -> None:
    played = thin.play("playbooks/deploy.yml", APPS)
    assert played.status == 0, played.output[-3000:]
    _write_note(thin, SOURCE, "written before the copy")
    before, started = thin.config(thin.guest(SOURCE)), _started(thin)
    played = thin.play("playbooks/clone.yml", APPS, *NAMES)
    assert played.status == 0, played.output[-3000:]
    assert (thin.config(thin.guest(SOURCE)), _started(thin)) == (before, started), "the source is as it was, and has gone on"
    source_path = f"/nodes/{thin.guest(SOURCE)['node']}/lxc/{thin.guest(SOURCE)['vmid']}"
    assert [row["name"] for row in thin.get(f"{source_path}/snapshot")] == ["current"]
    guest, source = thin.guest(COPY), thin.guest(SOURCE)
    record = thin.record(guest)
    assert (record["status"], record["lease"], record["source"]["name"]) == ("running", None, SOURCE)
    assert record["ports"]["public"] == guest["vmid"] != source["vmid"]
    assert _note(thin, COPY) == "written before the copy"
    assert "Hello from the source" in thin.page(guest)
    assert thin.inside(guest, "ls /opt/proximity").split() == [COPY]
    assert thin.inside(guest, "hostname").strip() == COPY
    assert thin.inside(guest, "docker volume ls -q").split() == [f"{COPY}_notes"]
    assert thin.inside(guest, "docker ps -a --format '{{.Names}}'").split() == [f"{COPY}-web-1", f"{COPY}-api-1"]
    values = thin.inside(guest, f"cat /opt/proximity/{COPY}/.env")
    assert f"APP_NAME={COPY}\n" in values
    assert f"APP_URL=http://{thin.address(guest)}:8080\n" in values
    assert thin.page_soon(guest, "/api/fingerprint") == thin.page_soon(source, "/api/fingerprint"), "it has kept its secrets"


def test_copying_again_changes_nothing(thin: Site) -> None:
    again = thin.play("playbooks/clone.yml", APPS, *NAMES)
    assert (again.status, again.recap(COPY)["changed"]) == (0, 0), again.output[-3000:]


def test_copy_with_new_secrets(thin: Site) -> None:
    declared = {STRANGER: {**APPS[SOURCE], "app_clone_from": SOURCE, "app_clone_secrets": "renew"}}
    played = thin.play("playbooks/deploy.yml", declared)
    assert played.status == 0, played.output[-3000:]
    assert _note(thin, STRANGER) == "written before the copy"
    tokens = {name: thin.inside(thin.guest(name), f"cat /opt/proximity/{name}/secrets.env") for name in (SOURCE, COPY, STRANGER)}
    assert tokens[COPY] == tokens[SOURCE] != tokens[STRANGER]
    assert len(tokens[STRANGER]) == len(tokens[SOURCE])
    assert thin.page(thin.guest(STRANGER), "/api/fingerprint") != thin.page(thin.guest(SOURCE), "/api/fingerprint"), "it runs with them"
    again = thin.play("playbooks/deploy.yml", declared)
    assert (again.status, again.recap(STRANGER)["changed"]) == (0, 0), again.output[-3000:]


def test_two_lives_from_here_on(thin: Site) -> None:
    _write_note(thin, COPY, "written to the copy")
    assert (_note(thin, SOURCE), _note(thin, COPY)) == ("written before the copy", "written to the copy")
    greeted = {COPY: {**STORAGE, "app_options": {"greeting": "Hello from the copy"}}}
    played = thin.play("playbooks/deploy.yml", greeted)
    assert played.status == 0, played.output[-3000:]
    assert "Hello from the copy" in thin.page(thin.guest(COPY))
    assert _note(thin, COPY) == "written to the copy"
    removed = thin.play("playbooks/remove.yml", dict.fromkeys((SOURCE, COPY, STRANGER), STORAGE), "--limit", f"{SOURCE},{COPY},{STRANGER}")
    assert removed.status == 0, removed.output[-3000:]
