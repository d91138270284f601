"""`kill -9` in the middle of a real deployment: running again finishes it, with one container and one pair of ports."""

from __future__ import annotations

import pytest
from e2e.site import Site
from faults.choice import chosen

DEPLOY = "playbooks/deploy.yml"

MOMENTS = {
    "while the container is made": "See to the container",
    "while docker starts": "Run dockerd with these settings",
    "while the services start": "Start the services and wait for them",
}


@pytest.mark.parametrize("moment", chosen(list(MOMENTS), few=2), ids=lambda moment: moment.replace(" ", "-"))
def test_a_killed_deployment_is_finished_by_running_again(site: Site, moment: str) -> None:
    name = f"e2e-killed-{list(MOMENTS).index(moment)}"
    apps = {name: {"app_catalog_id": "lab-notes"}}
    vmids_before = {guest["vmid"] for guest in site.get("/cluster/resources?type=vm")}
    site.play_until(MOMENTS[moment], DEPLOY, apps)
    again = site.play(DEPLOY, apps)
    assert again.status == 0, again.output[-3000:]
    guest = site.guest(name)
    assert {one["vmid"] for one in site.get("/cluster/resources?type=vm")} - vmids_before == {guest["vmid"]}
    record = site.record(guest)
    assert (record["status"], record["lease"], record["ports"]["public"]) == ("running", None, guest["vmid"])
    assert "Hello" in site.page(guest)
    third = site.play(DEPLOY, apps)
    assert (third.status, third.recap(name)["changed"]) == (0, 0)
    assert site.play("playbooks/remove.yml", apps, "--limit", name).status == 0
