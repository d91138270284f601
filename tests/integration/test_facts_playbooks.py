"""The playbooks over several clusters, one of which is dead, as a user runs them."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from integration.fleet import plant_app
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def play(lab: labs.Lab, tmp_path: Path) -> Play:
    """Run a playbook over the clusters `home`, which is the lab, and `dead`; `home` is the default of apps."""
    plant_app(lab, 8100, "feeds")
    plant_app(lab, 8101, "code", running=False)
    token_id, _sign, secret = lab.token.partition("=")
    home = {"host": "127.0.0.1", "port": urlsplit(lab.url).port, "token_id": token_id, "token_secret": secret, "ca_path": str(lab.ca_path)}
    dead = {"host": "127.0.0.1", "port": 1, "token_id": "x@pve!y", "token_secret": "z"}
    clusters = {name: {f"proximity_api_{key}": value for key, value in about.items()} for name, about in (("dead", dead), ("home", home))}
    apps = {"hosts": {"feeds": {"app_catalog_id": "miniflux", "app_resources": {"memory_mb": 700}}}, "vars": {"proximity_cluster": "home"}}
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"proximity_clusters": {"hosts": clusters}, "proximity_apps": apps}))

    def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return run_playbook("-i", str(hosts), f"playbooks/{name}.yml", *options, "-e", "proximity_api_retry_s=0")

    return run


def test_status_shows_the_living_and_fails_for_the_dead(play: Play) -> None:
    done = play("status")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "dead" in done.stdout
    assert "not reached" in done.stdout
    assert "Connection refused" in done.stdout
    row = next(line for line in done.stdout.splitlines() if "feeds" in line)
    assert {"home", "pve1", "8100", "running", "miniflux"} <= set(row.strip(" -").split())
    assert re.search(r"^home +: .*failed=0", done.stdout, re.MULTILINE)
    assert re.search(r"^dead +: .*failed=1", done.stdout, re.MULTILINE)


def test_status_of_one_cluster(play: Play) -> None:
    done = play("status", "--limit", "home", "-e", "proximity_records=true")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "anna" in done.stdout


def test_connection(play: Play) -> None:
    done = play("test_connection")
    assert done.returncode == 2
    assert "token proximity@pve!demo" in done.stdout
    assert "cannot reach https://127.0.0.1:1: Connection refused" in done.stdout + done.stderr
    assert play("test_connection", "--limit", "home").returncode == 0


def test_settings_and_where_they_come_from(play: Play) -> None:
    done = play("settings")
    assert done.returncode == 0, done.stdout + done.stderr
    lines = {line.strip(" -'").split()[0]: line for line in done.stdout.splitlines() if "app_" in line or "proximity_" in line}
    assert "hosts.yml" in lines["app_resources"]
    assert "700" in lines["app_resources"]
    assert "default" in lines["app_template"]
