"""Real containers that somebody else made: discovered, adopted, stopped and started as apps, and forgotten as they were."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
import yaml
from e2e.site import CHECKOUT, Played, Site

COMPOSE, WEB, STOPPED, NOTHING = 211, 212, 213, 214
APPS = {"hello": {"app_catalog_id": "lab-web"}}
FILES = "find /etc /srv /root /opt -xdev -type f | xargs ls -l --time-style=full-iso | sort"
NOTES = {COMPOSE: "Made by hand.\n\nKeep <b>this</b>.", WEB: "", STOPPED: "asleep\r\n", NOTHING: "Nöte"}
TAGS = {COMPOSE: "mine;web", WEB: "", STOPPED: "night", NOTHING: ""}


class Stranger:
    """A container past our own code, by the administrator's token."""

    def __init__(self, site: Site, vmid: int, start: bool) -> None:
        self.site, self.vmid, self.guest = site, vmid, {"vmid": vmid, "node": "pve1"}
        template = next(row["volid"] for row in site.get("/nodes/pve1/storage/local/content?content=vztmpl") if "docker" in row["volid"])
        form = {"vmid": vmid, "ostemplate": template, "hostname": f"box-{vmid}", "rootfs": "local-lxc:2", "memory": 512, "swap": 512}
        form |= {"unprivileged": 1, "features": "nesting=1", "net0": "name=eth0,bridge=vmbr0,ip=dhcp", "start": int(start)}
        form |= {key: value for key, value in (("tags", TAGS[vmid]), ("description", NOTES[vmid])) if value}
        self._wait(self._call("POST", "/nodes/pve1/lxc", **form))
        if start:
            self._address()
        self.before = self.config()

    def config(self) -> dict[str, Any]:
        return self.site.config(self.guest)

    def run(self, command: str) -> str:
        return self.site.inside(self.guest, command)

    def destroy(self) -> None:
        self._wait(self._call("DELETE", f"/nodes/pve1/lxc/{self.vmid}", force=1))

    def _call(self, method: str, path: str, **params: Any) -> str:
        given = {"params" if method == "DELETE" else "data": params}
        answer = requests.request(
            method,
            f"{self.site.env['URL']}/api2/json{path}",
            headers={"Authorization": f"PVEAPIToken={self.site.env['ROOT_TOKEN']}"},
            verify=self.site.env["CA"],
            timeout=60,
            **given,
        )
        assert answer.ok, answer.reason
        return str(answer.json()["data"])

    def _wait(self, upid: str) -> None:
        while (status := self.site.get(f"/nodes/pve1/tasks/{upid}/status"))["status"] == "running":
            time.sleep(0.1)
        assert status["exitstatus"].startswith(("OK", "WARNINGS")), status

    def _address(self) -> None:
        deadline = time.monotonic() + 60
        while True:
            try:
                self.site.address(self.guest)
                return
            except AssertionError:
                assert time.monotonic() < deadline
                time.sleep(0.3)


@pytest.fixture(scope="module")
def strangers(site: Site) -> Iterator[dict[int, Stranger]]:
    made = {vmid: Stranger(site, vmid, start=vmid != STOPPED) for vmid in (COMPOSE, WEB, STOPPED, NOTHING)}
    _begin_compose(made[COMPOSE], site)
    made[WEB].run("apt-get -qq update && apt-get -qq install --no-install-recommends nginx >/dev/null 2>&1")
    time.sleep(12)  # the cluster's list knows by then who runs
    yield made
    for stranger in made.values():
        stranger.destroy()


def _begin_compose(stranger: Stranger, site: Site) -> None:
    """A catalog app's stack as somebody has set it up, in a folder and on a port of their own."""
    compose = yaml.safe_load((CHECKOUT / "tests/lab_catalog/lab-notes/compose.yml").read_text())
    compose["services"]["web"]["ports"] = ["8099:8080"]
    registry = site.env.get("REGISTRY", "10.231.255.2")
    daemon = json.dumps({"registry-mirrors": [f"http://{registry}"], "insecure-registries": ["10.231.0.0/16"]})
    variables = "GREETING=By-hand APP_NAME=by-hand APP_URL=http://here API_TOKEN=secret-of-theirs"
    stranger.run("mkdir -p /srv/stack /etc/docker")
    stranger.run(f"cat > /etc/docker/daemon.json <<'END'\n{daemon}\nEND")
    stranger.run(f"cat > /srv/stack/compose.json <<'END'\n{json.dumps(compose)}\nEND")
    stranger.run("systemctl restart docker")
    stranger.run(f"cd /srv/stack && {variables} docker compose -f compose.json -p by-hand up -d --quiet-pull")


def _adopt(site: Site, *args: str, **more: Any) -> Played:
    guests = [{"vmid": vmid} for vmid in (COMPOSE, WEB, STOPPED, NOTHING)]
    return site.play("playbooks/adopt.yml", APPS, "-e", json.dumps({"adopt_guests": guests, **more}), *args)


def _record(stranger: Stranger) -> dict[str, Any]:
    found = re.search(r"<!-- proximity (\{.*\}) -->", stranger.config()["description"])
    assert found
    return dict(json.loads(found[1]))


def _differing(stranger: Stranger) -> set[str]:
    before, after = stranger.before, stranger.config()
    return {key for key in {*before, *after} if before.get(key) != after.get(key)} - {"digest"}


def test_discovery_tells_type_and_port(site: Site, strangers: dict[int, Stranger]) -> None:
    played = site.play("playbooks/discover.yml", APPS)
    assert played.status == 0, played.output[-3000:]
    assert played.changed_tasks() == []
    rows = {int(words[0]): words for words in map(str.split, re.findall(r"\b21[1-4]\b.*", played.output))}
    assert {"lab-notes", "8099"} <= set(re.findall(r"[\w-]+", " ".join(rows[COMPOSE])))
    assert {"nginx", "80"} <= set(re.findall(r"[\w-]+", " ".join(rows[WEB])))
    assert {vmid: _differing(stranger) for vmid, stranger in strangers.items()} == {vmid: set() for vmid in strangers}


def test_check_tells_and_changes_nothing(site: Site, strangers: dict[int, Stranger]) -> None:
    played = _adopt(site, "--check", "--diff")
    assert played.status == 0, played.output[-3000:]
    assert played.recap("lab")["changed"] == 1
    assert not any(_differing(stranger) for stranger in strangers.values())


def test_adoption_changes_tags_and_notes_only(site: Site, strangers: dict[int, Stranger]) -> None:
    inside = {vmid: strangers[vmid].run(FILES) for vmid in (COMPOSE, WEB)}
    played = _adopt(site)
    assert played.status == 0, played.output[-3000:]
    records = {vmid: _record(stranger) for vmid, stranger in strangers.items()}
    assert {vmid: record["entry"] for vmid, record in records.items()} == {COMPOSE: "lab-notes", WEB: "", STOPPED: "", NOTHING: ""}
    assert (records[COMPOSE]["adopted"]["project"], records[COMPOSE]["adopted"]["web"]["port"]) == ("by-hand", 8099)
    assert (records[WEB]["adopted"]["service"], records[WEB]["adopted"]["web"]["port"]) == ("nginx", 80)
    assert (records[STOPPED]["status"], records[STOPPED]["adopted"]["web"]) == ("stopped", None)
    assert (records[NOTHING]["status"], records[NOTHING]["adopted"]["web"]) == ("running", None)
    assert len({record["ports"]["public"] for record in records.values()}) == 4
    assert {vmid: _differing(stranger) for vmid, stranger in strangers.items()} == {vmid: {"tags", "description"} for vmid in strangers}
    again = _adopt(site)
    assert (again.status, again.recap("lab")["changed"]) == (0, 0), again.output[-2000:]
    for vmid, before in inside.items():
        assert strangers[vmid].run(FILES) == before


def test_adopted_app_is_stopped_and_started(site: Site, strangers: dict[int, Stranger]) -> None:
    apps = {**APPS, f"box-{COMPOSE}": {}}
    for playbook, status in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        played = site.play(f"playbooks/{playbook}.yml", apps, "--limit", f"box-{COMPOSE}")
        assert played.status == 0, played.output[-3000:]
        assert site.get(f"/nodes/pve1/lxc/{COMPOSE}/status/current")["status"] == status
    assert "By-hand" in site.page_soon(strangers[COMPOSE].guest, port=8099)
    assert _differing(strangers[COMPOSE]) == {"tags", "description"}


def _update(site: Site, *args: str, vmid: int = COMPOSE) -> Played:
    return site.play("playbooks/adopt_update.yml", APPS, "-e", json.dumps({"adopt_guests": [{"vmid": vmid}]}), *args)


def test_project_is_not_updated_by_files_that_say_something_else(site: Site, strangers: dict[int, Stranger]) -> None:
    """Its variables were given by hand: from its files alone, Compose would start it without them."""
    before = strangers[COMPOSE].run("docker ps -q")
    played = _update(site)
    assert played.status != 0
    assert "the files in /srv/stack would make api, web differently from how it runs" in " ".join(played.output.split())
    assert strangers[COMPOSE].run("docker ps -q") == before


def test_adopted_project_is_updated_in_its_own_folder(site: Site, strangers: dict[int, Stranger]) -> None:
    stranger = strangers[COMPOSE]
    variables = "GREETING=By-hand\nAPP_NAME=by-hand\nAPP_URL=http://here\nAPI_TOKEN=secret-of-theirs\n"
    stranger.run(f"printf '{variables}' > /srv/stack/.env")
    genuine = stranger.run("docker inspect --format '{{.Id}}' lab/web:1.0").strip()
    old = "docker commit --message older by-hand-web-1 lab/web:1.0"
    stranger.run(f"cd /srv/stack && {old} && docker compose -f compose.json -p by-hand up -d")
    ours = stranger.run("docker inspect --format '{{.Image}}' by-hand-web-1").strip()
    assert ours != genuine
    check = _update(site, "--check")
    assert (check.status, check.recap("lab")["changed"]) == (0, 0), check.output[-3000:]
    played = _update(site)
    assert played.status == 0, played.output[-3000:]
    changed = [task.rpartition(" : ")[2] for task in played.changed_tasks()]
    assert changed == ["Pull its images, and make anew what has another one", "Note the update in the record"]
    assert stranger.run("docker inspect --format '{{.Image}}' by-hand-web-1").strip() == genuine
    assert "By-hand" in site.page_soon(stranger.guest, port=8099)
    assert _record(stranger)["adopted"]["updated"]
    again = _update(site)
    assert (again.status, again.recap("lab")["changed"]) == (0, 0), again.output[-3000:]
    assert _differing(stranger) == {"tags", "description"}


def test_second_controller_leaves_an_update_alone(site: Site, strangers: dict[int, Stranger]) -> None:
    """The first one stands still in the middle of its work: it lives, so that the app is its own."""
    stranger = strangers[COMPOSE]
    arguments = ("playbooks/adopt_update.yml", APPS, "-e", json.dumps({"adopt_guests": [{"vmid": COMPOSE}]}))
    first = site.begin(*arguments)
    try:
        deadline = time.monotonic() + 120
        while _record(stranger)["status"] != "updating":
            assert first.poll() is None and time.monotonic() < deadline
            time.sleep(0.05)
        os.killpg(first.pid, signal.SIGSTOP)
        second = site.play(*arguments)
        assert second.status != 0 and "is updating:" in " ".join(second.output.split()), second.output[-3000:]
    finally:
        os.killpg(first.pid, signal.SIGCONT)
        output, _none = first.communicate(timeout=120)
    assert first.returncode == 0, output[-3000:]
    assert (_record(stranger)["status"], _record(stranger)["lease"]) == ("running", None)


def test_killed_update_is_finished_by_running_again(site: Site, strangers: dict[int, Stranger]) -> None:
    stranger = strangers[COMPOSE]
    site.play_until("Pull its images", "playbooks/adopt_update.yml", APPS, "-e", json.dumps({"adopt_guests": [{"vmid": COMPOSE}]}))
    assert _record(stranger)["status"] == "updating"
    again = _update(site)
    assert again.status == 0, again.output[-3000:]
    assert (_record(stranger)["status"], _record(stranger)["lease"]) == ("running", None)
    assert _differing(stranger) == {"tags", "description"}


def test_what_has_no_project_is_not_updated(site: Site, strangers: dict[int, Stranger]) -> None:
    played = _update(site, vmid=WEB)
    assert played.status != 0
    assert f"Guest {WEB} is not updated: no Compose project was found in it" in " ".join(played.output.split())


def test_removing_one_forgets_it(site: Site, strangers: dict[int, Stranger]) -> None:
    apps = {**APPS, f"box-{WEB}": {}}
    played = site.play("playbooks/remove.yml", apps, "--limit", f"box-{WEB}")
    assert played.status == 0, played.output[-3000:]
    assert strangers[WEB].config() == strangers[WEB].before
    assert strangers[WEB].run("echo here").strip() == "here"
    again = site.play("playbooks/remove.yml", apps, "--limit", f"box-{WEB}")
    assert (again.status, again.recap(f"box-{WEB}")["changed"]) == (0, 0), again.output[-3000:]


def test_forgetting_brings_back_every_byte(site: Site, strangers: dict[int, Stranger]) -> None:
    played = _adopt(site, adopt_state="absent")
    assert played.status == 0, played.output[-3000:]
    assert {vmid: stranger.config() for vmid, stranger in strangers.items()} == {vmid: each.before for vmid, each in strangers.items()}
    again = _adopt(site, adopt_state="absent")
    assert (again.status, again.recap("lab")["changed"]) == (0, 0)
    assert "@" not in site.get("/cluster/mapping/dir/proximity-ports")["description"], "no claim is left"
