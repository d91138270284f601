"""The playbooks that read logs find the container of an app, whoever made it, and say to its node what they should."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lab as labs
import pytest
import yaml
from integration.fleet import plant_app
from lab.seeding import plant_guest
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
FALSE_SSH = """#!/bin/sh
for last; do :; done
echo "$last" >> "$GUEST/commands"
case $last in
    *log.jsonl*) cat "$GUEST/log.jsonl";;
    *) echo "web-1  | hello";;
esac
"""
LINES = [
    {"time": "2026-01-01T00:00:00Z", "level": "info", "step": "create", "message": "Done: create guest 8100"},
    {"time": "2026-01-01T00:00:09Z", "level": "error", "step": "failed", "message": "It's {{ broken }}"},
]
Play = Callable[..., str]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    ssh, hosts = tmp_path / "ssh", tmp_path / "hosts.yml"
    ssh.write_text(FALSE_SSH)
    ssh.chmod(0o700)
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in LINES))

    def run(playbook: str, app: str, variables: dict[str, Any], *options: str) -> str:
        variables = {"ansible_ssh_executable": str(ssh), **variables}
        hosts.write_text(yaml.safe_dump({"proximity_apps": {"hosts": {app: variables}}}))
        done = run_playbook("-i", str(hosts), f"playbooks/{playbook}.yml", *options, GUEST=str(tmp_path))
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


@pytest.fixture
def cluster(connection: dict[str, Any]) -> dict[str, Any]:
    return {key if key.startswith("api_") else f"api_{key}": value for key, value in connection.items()}


def api(cluster: dict[str, Any]) -> dict[str, Any]:
    return {f"proximity_{key}": value for key, value in cluster.items()}


def test_the_step_log_of_an_app(lab: labs.Lab, play: Play, cluster: dict[str, Any], tmp_path: Path) -> None:
    plant_app(lab, 8100, "feeds")
    shown = play("logs", "feeds", api(cluster), "-e", "logs_level=error", "-e", f"logs_folder={tmp_path}")
    assert "It's {{ broken }}" in shown
    assert "create guest" not in shown
    (command,) = (line for line in (tmp_path / "commands").read_text().splitlines() if "pct exec" in line)
    assert "pct exec 8100 " in command
    assert "/opt/proximity/feeds/log.jsonl" in command
    assert json.loads((tmp_path / "feeds.jsonl").read_text()) == LINES[1]


def test_a_host_that_is_known_is_not_looked_for(play: Play, tmp_path: Path) -> None:
    known = {"ansible_connection": "proximity.platform.pct", "proximity_vmid": 8150, "proximity_node": "pve1"}
    assert "web-1  | hello" in play("service_logs", "code", known)
    assert "pct exec 8150 " in (tmp_path / "commands").read_text()


def test_an_adopted_app_has_the_project_that_was_found(lab: labs.Lab, play: Play, cluster: dict[str, Any], tmp_path: Path) -> None:
    record = {"app": "1", "changed": "2026-01-01T00:00:00Z", "entry": "miniflux", "entry_version": "", "name": "old", "nonce": "n"}
    record |= {"owner": "", "ports": {"public": 8150, "internal": 9150}, "revision": "", "schema": 1, "status": "running", "vmid": 105}
    record["adopted"] = {"at": "2026-01-01T00:00:00Z", "slot": 8150, "project": "reader", "tags": [], "description": ""}
    notes = f"<!-- proximity {json.dumps(record, separators=(',', ':'))} -->"
    config = {
        "hostname": "old",
        "net0": "name=eth0,bridge=vmbr0,ip=dhcp",
        "memory": 512,
        "tags": "proximity;slot-8150",
        "description": notes,
    }
    plant_guest(lab.cluster, 105, "pve1", "local-lxc", 2, config, running=True)
    assert "web-1  | hello" in play("service_logs", "old", api(cluster), "-e", "service_logs_since=2h", "-e", "service_logs_services=web")
    command = (tmp_path / "commands").read_text()
    assert "pct exec 105 " in command
    assert "docker compose --project-name reader logs --no-color --tail=100 --since=2h -- web" in command
