"""One app's life in a real container: deployed, converged, changed, stopped, started, removed; looked at from outside and inside."""

from __future__ import annotations

import json

import pytest
from e2e.site import Site

DEPLOY = "playbooks/deploy.yml"
NAME = "e2e-notes"
APP = {NAME: {"app_catalog_id": "lab-notes"}}
GREETED = {NAME: {**APP[NAME], "app_options": {"greeting": "Hello again"}}}
PLAIN = {"e2e-plain": {"app_catalog_id": "lab-web", "app_template": "debian-13-standard"}}


def test_a_new_app_answers(site: Site) -> None:
    played = site.play(DEPLOY, APP)
    assert played.status == 0, played.output[-3000:]
    guest = site.guest(NAME)
    record = site.record(guest)
    assert (record["status"], record["vmid"], record["lease"]) == ("running", guest["vmid"], None)
    assert record["ports"] == {"public": guest["vmid"], "internal": guest["vmid"] + 1000}
    assert "Hello from the lab" in site.page(guest)
    services = site.inside(guest, f"docker compose -p {NAME} ps --format '{{{{.Service}}}} {{{{.Health}}}}'").split("\n")
    assert sorted(filter(None, services)) == ["api healthy", "web healthy"]


def test_a_second_run_changes_nothing_and_does_not_enter_the_container(site: Site) -> None:
    played = site.play(DEPLOY, APP, "-vvv")
    assert played.status == 0, played.output[-3000:]
    assert played.recap(NAME)["changed"] == 0
    assert f"pct exec {site.guest(NAME)['vmid']}" not in played.output


def test_verifying_looks_into_the_container_and_changes_nothing(site: Site) -> None:
    played = site.play(DEPLOY, APP, "-vvv", "-e", "proximity_verify=true")
    assert played.status == 0, played.output[-3000:]
    assert played.changed_tasks() == []
    assert f"pct exec {site.guest(NAME)['vmid']}" in played.output


def test_a_check_of_a_changed_option_tells_and_does_not_do(site: Site) -> None:
    before = site.config(site.guest(NAME))
    played = site.play(DEPLOY, GREETED, "--check", "--diff")
    assert played.status == 0, played.output[-3000:]
    assert played.recap(NAME)["changed"] > 0
    assert site.config(site.guest(NAME)) == before
    assert "Hello from the lab" in site.page(site.guest(NAME))


def test_a_changed_option_changes_only_that(site: Site) -> None:
    guest = site.guest(NAME)
    started = site.inside(guest, f"docker inspect -f '{{{{.State.StartedAt}}}}' {NAME}-api-1")
    secrets = site.inside(guest, f"cat /opt/proximity/{NAME}/secrets.env")
    played = site.play(DEPLOY, GREETED)
    assert played.status == 0, played.output[-3000:]
    assert "Hello again" in site.page(guest)
    assert site.inside(guest, f"docker inspect -f '{{{{.State.StartedAt}}}}' {NAME}-api-1") == started
    assert site.inside(guest, f"cat /opt/proximity/{NAME}/secrets.env") == secrets
    assert site.guest(NAME)["vmid"] == guest["vmid"]
    assert played.changed_tasks() and "Install Docker and Compose (apt)" not in played.changed_tasks()


def test_no_secret_leaves_the_container(site: Site) -> None:
    guest = site.guest(NAME)
    values = [
        line.split("=", 1)[1].strip("'\"")
        for line in site.inside(guest, f"cat /opt/proximity/{NAME}/secrets.env").splitlines()
        if "=" in line
    ]
    assert values and all(len(value) >= 16 for value in values)
    played = site.play(DEPLOY, APP, "-vvv", "--diff", "-e", "proximity_verify=true")
    assert played.status == 0, played.output[-3000:]
    told = played.output + json.dumps(site.config(guest)) + json.dumps(site.get("/cluster/resources"))
    assert [value for value in values if value in told] == []


def test_stopping_and_starting(site: Site) -> None:
    guest = site.guest(NAME)
    status = f"/nodes/{guest['node']}/lxc/{guest['vmid']}/status/current"
    for playbook, wanted in (("playbooks/stop.yml", "stopped"), ("playbooks/start.yml", "running")):
        first, second = site.play(playbook, APP), site.play(playbook, APP)
        assert (first.status, second.status) == (0, 0), first.output[-2000:] + second.output[-2000:]
        assert (first.recap(NAME)["changed"], second.recap(NAME)["changed"]) == (1, 0)
        assert site.get(status)["status"] == wanted
    assert "Hello" in site.page_soon(guest)


def test_a_template_without_python_and_docker(site: Site) -> None:
    played = site.play(DEPLOY, PLAIN)
    assert played.status == 0, played.output[-3000:]
    guest = site.guest("e2e-plain")
    assert site.page(guest)
    again = site.play(DEPLOY, PLAIN)
    assert (again.status, again.recap("e2e-plain")["changed"]) == (0, 0)
    verified = site.play(DEPLOY, PLAIN, "-e", "proximity_verify=true")
    assert (verified.status, verified.changed_tasks()) == (0, [])
    driver = site.inside(guest, "docker info --format '{{.Driver}}'").strip()
    assert driver == "overlay2"


@pytest.mark.parametrize("apps", [APP, PLAIN], ids=lambda apps: next(iter(apps)))
def test_removing(site: Site, apps: dict[str, dict[str, str]]) -> None:
    (name,) = apps
    vmid = site.guest(name)["vmid"]
    refused = site.play("playbooks/remove.yml", apps)
    assert refused.status != 0
    assert site.guest(name)["vmid"] == vmid
    played = site.play("playbooks/remove.yml", apps, "--limit", name)
    assert played.status == 0, played.output[-3000:]
    assert vmid not in [guest["vmid"] for guest in site.get("/cluster/resources?type=vm")]
    again = site.play("playbooks/remove.yml", apps, "--limit", name)
    assert (again.status, again.recap(name)["changed"]) == (0, 0)
