"""Updates of a real app: one that works keeps its data, one that never becomes healthy comes back, and one that is killed is finished."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
import requests
import yaml
from e2e.site import CHECKOUT, Played, Site
from faults.choice import chosen

pytestmark = pytest.mark.timeout(1200)  # several plays in one test, on machines that have other things to do
DEPLOY = "playbooks/update.yml"
CATALOG = CHECKOUT / "tests/lab_catalog/lab-notes"
STORAGES = {"snapshot": "local-lvm", "backup": "local-lxc"}


def _entry(version: str = "1.0", **images: str) -> dict[str, Any]:
    """The entry lab-notes, in another version and with other images."""
    definition = {**yaml.safe_load((CATALOG / "entry.yml").read_text()), "version": version}
    compose = yaml.safe_load((CATALOG / "compose.yml").read_text())
    for service, image in images.items():
        compose["services"][service]["image"] = image
    definition["health"]["start_period_s"] = 20
    return {**definition, "compose": yaml.safe_dump(compose, sort_keys=False)}


def _app(kind: str, definition: dict[str, Any], **more: Any) -> dict[str, Any]:
    name = f"e2e-{kind}"
    return {name: {"app_definition": definition, "app_storage": STORAGES[kind], **more}}


class Watch:
    """Asks an app's page ten times a second; `outage_s` is the longest time without an answer."""

    def __init__(self, address: str) -> None:
        self.outage_s = 0.0
        self._url, self._stop = f"http://{address}:8080/", threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        answered = time.monotonic()
        while not self._stop.wait(0.1):
            try:
                requests.get(self._url, timeout=1).raise_for_status()
            except requests.RequestException:
                continue
            now = time.monotonic()
            self.outage_s, answered = max(self.outage_s, now - answered), now


def _write_note(site: Site, guest: dict[str, Any], text: str) -> None:
    requests.post(f"http://{site.address(guest)}:8080/api/note", data=text, timeout=10).raise_for_status()


def _note(site: Site, guest: dict[str, Any]) -> str:
    return site.page_soon(guest, "/api/note").strip()


def _version(site: Site, guest: dict[str, Any]) -> str:
    return site.page_soon(guest, "/version").strip()


def _snapshots(site: Site, guest: dict[str, Any]) -> list[str]:
    rows = site.get(f"/nodes/{guest['node']}/lxc/{guest['vmid']}/snapshot")
    return [row["name"] for row in rows if row["name"] != "current"]


def _services(site: Site, guest: dict[str, Any]) -> list[str]:
    """Which containers run in the guest, and since when."""
    told = site.inside(guest, "docker ps --quiet --no-trunc | xargs docker inspect --format '{{.Id}} {{.State.StartedAt}}'")
    return sorted(told.splitlines())


def _fine(played: Played) -> Played:
    assert played.status == 0, played.output[-4000:]
    return played


@pytest.mark.parametrize("kind", ["snapshot", "backup"])
def test_an_update_that_works_keeps_the_data(thin: Site, kind: str) -> None:
    _fine(thin.play(DEPLOY, _app(kind, _entry())))
    guest = thin.guest(f"e2e-{kind}")
    _write_note(thin, guest, "mine")
    check = _fine(thin.play(DEPLOY, _app(kind, _entry("1.1", web="lab/web:1.1")), "--check", "--diff"))
    assert "lab/web:1.0 -> lab/web:1.1" in check.output
    assert "-    image: lab/web:1.0" in check.output and "+    image: lab/web:1.1" in check.output
    assert (_version(thin, guest), thin.record(guest)["status"]) == ("1.0", "running")
    with Watch(thin.address(guest)) as watch:
        _fine(thin.play(DEPLOY, _app(kind, _entry("1.1", web="lab/web:1.1"))))
    print(f"\nAn update that works ({kind}): {watch.outage_s:.1f} s without an answer.")
    record = thin.record(guest)
    assert (record["status"], record["entry_version"], record["lease"], record.get("failed")) == ("running", "1.1", None, None)
    assert [point["kind"] for point in record["safety"]] == [kind] and "open" not in record["safety"][0]
    assert _version(thin, guest) == "1.1"
    assert _note(thin, guest) == "mine"
    assert _fine(thin.play(DEPLOY, _app(kind, _entry("1.1", web="lab/web:1.1")))).recap(f"e2e-{kind}")["changed"] == 0


@pytest.mark.parametrize("kind", ["snapshot", "backup"])
def test_an_update_that_never_becomes_healthy_comes_back(thin: Site, kind: str) -> None:
    guest = thin.guest(f"e2e-{kind}")
    before = thin.record(guest)
    _write_note(thin, guest, "before the update")
    secrets = thin.inside(guest, f"cat /opt/proximity/e2e-{kind}/secrets.env")
    broken = _app(kind, _entry("2.0", web="lab/broken:1.0"))
    with Watch(thin.address(guest)) as watch:
        played = thin.play(DEPLOY, broken)
        page = _note(thin, guest)
    print(f"\nAn update that never becomes healthy ({kind}), and the way back: {watch.outage_s:.1f} s without an answer.")
    assert played.status != 0
    said = " ".join(played.output.split())
    assert f"Update to 2.0 ({thin.record(guest)['failed']}) failed in step 'Start the services and wait for them'" in said
    assert f"It came back to 1.1 ({before['revision']})." in said
    record = thin.record(guest)
    assert (record["status"], record["revision"], record["wanted"]) == ("running", before["revision"], before["revision"])
    assert (record["lease"], record["entry_version"]) == (None, "1.1")
    assert page == "before the update"
    assert _version(thin, guest) == "1.1"
    assert thin.inside(guest, f"cat /opt/proximity/e2e-{kind}/secrets.env") == secrets
    assert f"rev-{before['revision']}" in thin.config(guest)["tags"] and "px-rollback" not in thin.config(guest)["tags"]
    assert _fine(thin.play(DEPLOY, _app(kind, _entry("1.1", web="lab/web:1.1")))).recap(f"e2e-{kind}")["changed"] == 0


def test_an_image_that_cannot_be_had_is_missed_before_anything_is_touched(thin: Site) -> None:
    guest = thin.guest("e2e-snapshot")
    snapshots = _snapshots(thin, guest)
    services = _services(thin, guest)
    played = thin.play(DEPLOY, _app("snapshot", _entry("2.1", web="lab/web:9.9")))
    assert played.status != 0
    assert "Nothing was changed, and the app runs as before." in " ".join(played.output.split())
    assert services and _services(thin, guest) == services
    record = thin.record(guest)
    assert (record["status"], record["entry_version"], record["lease"]) == ("running", "1.1", None)
    assert len(_snapshots(thin, guest)) <= 2 and snapshots


MOMENTS = {
    "while the safety point is made": "See to the container",
    "while the new services start": "Start the services and wait for them",
    "while it goes back": "Record what failed, and go back",
    "while the previous revision is proven": "Wait for Docker",
}


@pytest.mark.parametrize("moment", chosen(list(MOMENTS), few=2), ids=lambda moment: moment.replace(" ", "-"))
def test_a_killed_update_is_finished_by_running_again(thin: Site, moment: str) -> None:
    """To its end, one way or the other: the record is true, the data are there, and there is one container."""
    guest = thin.guest("e2e-snapshot")
    _write_note(thin, guest, moment)
    broken = _app("snapshot", _entry(f"3.{list(MOMENTS).index(moment)}", web="lab/broken:1.0"))
    thin.play_until(MOMENTS[moment], DEPLOY, broken)
    played = thin.play(DEPLOY, broken)
    assert played.status != 0 and "It came back to 1.1" in " ".join(played.output.split()), played.output[-4000:]
    record = thin.record(guest)
    assert (record["status"], record["entry_version"], record["lease"]) == ("running", "1.1", None)
    assert (_version(thin, guest), _note(thin, guest)) == ("1.1", moment)
    assert sorted(point["name"] for point in record["safety"]) == sorted(_snapshots(thin, guest))


def test_a_lab_is_left_clean(thin: Site) -> None:
    for kind in STORAGES:
        _fine(thin.play("playbooks/remove.yml", _app(kind, _entry()), "--limit", f"e2e-{kind}"))
    assert not {f"e2e-{kind}" for kind in STORAGES} & {guest["name"] for guest in thin.guests()}
