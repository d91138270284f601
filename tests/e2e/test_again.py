"""The fleet once more, in real containers: from an inventory that was made of what runs, and from nothing but backups."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from e2e.site import Played, Site

# The lab's host for its cluster takes its address from the host of this name.
FIRST, SECOND = "hello", "e2e-again"
APPS: dict[str, Any] = {
    FIRST: {"app_catalog_id": "lab-notes", "app_owner": "lab", "app_options": {"greeting": "It's {{ '{{' }} 6 * 7 }}, \"again\""}},
    SECOND: {"app_catalog_id": "lab-web", "app_resources": {"memory_mb": 300}, "app_tags": ["kept"]},
}


def played(site: Site, playbook: str, apps: dict[str, Any], *args: str) -> Played:
    done = site.play(playbook, apps, *args)
    assert done.status == 0, done.output[-6000:]
    return done


@pytest.fixture(scope="module")
def apps(site: Site) -> Iterator[dict[str, Any]]:
    played(site, "playbooks/deploy.yml", APPS)
    yield APPS
    played(site, "playbooks/remove.yml", APPS, "--limit", f"{FIRST},{SECOND}")


def test_what_runs_is_exported_and_deploying_that_changes_nothing(site: Site, apps: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "exported.yml"
    words = ("-e", f"export_file={file}", "-e", f'{{"export_names": ["{FIRST}", "{SECOND}"]}}')
    done = played(site, "playbooks/export.yml", {FIRST: {}}, *words)
    secrets = site.inside(site.guest(FIRST), f"cat /opt/proximity/{FIRST}/secrets.env")
    generated = secrets.strip().partition("=")[2]
    assert len(generated) == 32 and generated not in file.read_text() + done.output
    assert "greeting: !unsafe" in file.read_text()
    again = played(site, "playbooks/export.yml", {FIRST: {}}, *words)
    assert again.recap("lab")["changed"] == 0
    # All that these hosts know of their apps is what the file says; every task in their containers is checked, too.
    bare: dict[str, Any] = {FIRST: {}, SECOND: {}}
    checked = played(site, "playbooks/deploy.yml", bare, "-i", str(file), "--check", "-e", "proximity_verify=true")
    assert [checked.recap(name)["changed"] for name in bare] == [0, 0], checked.changed_tasks()
    wrong = yaml.safe_dump({"app_options": {"greeting": "another"}}, default_flow_style=True).strip()
    other = played(site, "playbooks/deploy.yml", bare, "-i", str(file), "--check", "--limit", FIRST, "-e", wrong)
    assert other.recap(FIRST)["changed"] > 0


def test_an_app_is_rebuilt_from_its_backup_alone(site: Site, apps: dict[str, Any]) -> None:
    address = f"http://{site.address(site.guest(FIRST))}:8080/api/data/blob"
    assert requests.put(address, data=b"before the end", timeout=30).ok
    before, guest = site.record(site.guest(FIRST)), site.guest(FIRST)
    played(site, "playbooks/backup.yml", apps, "--limit", FIRST, "-e", "backup_force=true")
    played(site, "playbooks/remove.yml", apps, "--limit", FIRST)
    dry = played(site, "playbooks/rebuild.yml", {FIRST: {}}, "--check")
    assert FIRST in dry.output and guest["vmid"] not in [each["vmid"] for each in site.guests()]
    played(site, "playbooks/rebuild.yml", {FIRST: {}})
    after, back = site.record(site.guest(FIRST)), site.guest(FIRST)
    keys = ("app", "name", "vmid", "owner", "ports", "entry", "revision", "status")
    assert {key: after[key] for key in keys} == {key: before[key] for key in keys}
    assert site.page_soon(back, "/api/data/blob") == "before the end"
    again = played(site, "playbooks/rebuild.yml", {FIRST: {}})
    assert again.recap("lab")["changed"] == 0


def test_a_backup_that_does_not_come_up_fails_its_trial(site: Site, apps: dict[str, Any]) -> None:
    """What is in it starts nothing that answers: that is told, kept with it, and its container is gone."""
    guests = sorted(guest["vmid"] for guest in site.guests())
    compose = f"/opt/proximity/{FIRST}/compose.yml"
    site.inside(site.guest(FIRST), f"sed -i s,lab/web:1.0,lab/broken:1.0, {compose}")
    played(site, "playbooks/backup.yml", apps, "--limit", FIRST, "-e", "backup_force=true")
    site.inside(site.guest(FIRST), f"sed -i s,lab/broken:1.0,lab/web:1.0, {compose}")
    done = site.play("playbooks/verify_backups.yml", apps, "--limit", FIRST)
    assert done.status != 0 and "did not stand its trial" in done.output, done.output[-4000:]
    assert sorted(guest["vmid"] for guest in site.guests()) == guests
    vmid = site.guest(FIRST)["vmid"]
    newest = max(site.get(f"/nodes/pve1/storage/local/content?content=backup&vmid={vmid}"), key=lambda row: row["ctime"])
    assert "verdict=failed" in newest["notes"] and "verdict=ok" not in newest["notes"]
