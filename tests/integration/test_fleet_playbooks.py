"""Playbooks site, janitor and reconcile as a user or a scheduler runs them, on simulated guests."""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lab as labs
import pytest
import yaml
from integration.definition import DEFINITION
from integration.planting import ago, plant_app
from integration.pve import Pve
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
Play = Callable[..., subprocess.CompletedProcess[str]]
MAPPING = "/cluster/mapping/dir/proximity-jobs"


def _catalog(folder: Path) -> Path:
    entry = folder / "catalog" / "hello"
    entry.mkdir(parents=True)
    written = {key: value for key, value in DEFINITION.items() if key not in ("compose", "services")}
    (entry / "entry.yml").write_text(yaml.safe_dump(written))
    (entry / "compose.yml").write_text(DEFINITION["compose"])
    return entry.parent


@pytest.fixture
def play(connection: dict[str, Any], tmp_path: Path) -> Play:
    """Run a playbook over the cluster `home`, which is the lab, and three apps on it; one more on a cluster that is not reached."""
    about = {f"proximity_{key if key.startswith('api') else 'api_' + key}": value for key, value in connection.items()}
    shared = {**about, "app_catalog_id": "hello", "app_catalog_paths": [str(_catalog(tmp_path))], "app_stack": False}
    away = {"proximity_cluster": "away", "proximity_api_port": 1, "proximity_api_retry_s": 0}
    apps: dict[str, Any] = {"one": {}, "two": {"app_resources": {"memory_mb": 300}}, "three": {"app_tags": ["blue"]}, "far": away}
    hosts = tmp_path / "hosts.yml"
    hosts.write_text(yaml.safe_dump({"proximity_clusters": {"hosts": {"home": about}}, "proximity_apps": {"hosts": apps, "vars": shared}}))

    def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        return run_playbook("-i", str(hosts), f"playbooks/{name}.yml", *options)

    return run


def _recap(done: subprocess.CompletedProcess[str]) -> dict[str, dict[str, int]]:
    lines = re.findall(r"^(\S+) +: (ok=.*)$", done.stdout, re.MULTILINE)
    return {host: {key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", text)} for host, text in lines}


def test_site_deploys_what_is_declared_and_then_leaves_it_alone(lab: labs.Lab, play: Play, pve: Pve) -> None:
    """The app of a cluster that is not reached fails alone, at the end."""
    done = play("site")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "cannot reach https://" in done.stdout + done.stderr
    recap = _recap(done)
    assert {host: row["failed"] for host, row in recap.items() if host in ("one", "two", "three", "far")} == {
        **dict.fromkeys(("one", "two", "three"), 0),
        "far": 1,
    }
    records = {pve.record(vmid)["name"]: pve.record(vmid) for vmid in pve.vmids()}
    assert {name: record["status"] for name, record in records.items()} == dict.fromkeys(("one", "two", "three"), "running")
    assert pve.config(records["two"]["vmid"])["memory"] == 300
    lab.advance(15)
    lab.journal_book.clear()
    again = play("site", "--limit", "one,two,three")
    assert again.returncode == 0, again.stdout + again.stderr
    assert all(row["changed"] == 0 for row in _recap(again).values()), again.stdout
    assert len(lab.journal("GET")) == 2, "the list, and the configuration of the one whose size is managed"
    assert not lab.journal("PUT")


def test_site_in_check_mode_touches_nothing(play: Play, pve: Pve) -> None:
    done = play("site", "--check", "--diff", "--limit", "one,two,three")
    assert done.returncode == 0, done.stdout + done.stderr
    assert pve.vmids() == []
    assert "hostname: one" in done.stdout


def test_reconcile_tells_repairs_and_fails_by_choice(lab: labs.Lab, play: Play, pve: Pve, tmp_path: Path) -> None:
    plant_app(lab, 8950, "stranger")
    report = tmp_path / "report.json"
    told = play("reconcile", "-e", json.dumps({"reconcile_fail_on": ["missing"], "reconcile_report_file": str(report)}))
    assert told.returncode == 2, told.stdout + told.stderr
    assert re.search(r"missing +one ", told.stdout)
    assert re.search(r"unexpected +stranger +8950", told.stdout)
    assert "Not as declared (reconcile_fail_on): missing" in told.stdout + told.stderr
    assert json.loads(report.read_text())["counts"] == {"missing": 3, "unexpected": 1}
    assert pve.vmids() == [8950]
    assert pve.get(MAPPING)["description"] == "proximity jobs 1:", "the job has ended although it failed"
    repaired = play("reconcile", "-e", json.dumps({"reconcile_repair": ["missing"], "reconcile_fail_on": ["missing"]}))
    assert repaired.returncode == 0, repaired.stdout + repaired.stderr
    assert {pve.record(vmid)["status"] for vmid in pve.vmids()} == {"running"}
    assert len(pve.vmids()) == 4
    quiet = play("reconcile", "-e", json.dumps({"reconcile_fail_on": ["missing", "drifted"]}))
    assert quiet.returncode == 0, quiet.stdout + quiet.stderr
    assert all(row["changed"] == 0 for row in _recap(quiet).values())


def test_janitor_shows_the_same_in_a_check_and_skips_while_another_is_at_it(lab: labs.Lab, play: Play, pve: Pve) -> None:
    plant_app(lab, 8200, "one", status="deploying", revision="", changed=ago(hours=3))
    until = int(time.time()) + 600
    text = f"proximity jobs 1: janitor@{until}=awx@runner/0123456789ab:1:1"
    pve.post("/cluster/mapping/dir", id="proximity-jobs", map="node=jobs,path=/jobs", description=text)
    skipped = play("janitor")
    assert skipped.returncode == 0, skipped.stdout + skipped.stderr
    assert "Skipped: awx@runner runs janitor on this cluster, until " in skipped.stdout
    assert _recap(skipped)["home"]["changed"] == 0
    assert pve.get(MAPPING)["description"] == text
    pve.put(MAPPING, map="node=jobs,path=/jobs", description="")
    check = play("janitor", "--check", "-e", "janitor_first_deployments=cleanup")
    assert check.returncode == 0, check.stdout + check.stderr
    assert pve.vmids() == [8200]
    real = play("janitor", "-e", "janitor_first_deployments=cleanup")
    assert real.returncode == 0, real.stdout + real.stderr
    rows = [next(line for line in done.stdout.splitlines() if re.search(r"stuck +one +8200", line)) for done in (check, real)]
    assert rows[0] == rows[1]
    assert pve.vmids() == []
    assert "There is nothing to tidy up." in play("janitor").stdout
