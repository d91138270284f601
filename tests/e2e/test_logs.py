"""The step log of one app in a real container: written on failure and success, read by playbooks, and its services' logs."""

from __future__ import annotations

import json
import re
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from e2e.site import Played, Site

NAME = "e2e-logged"
APP = {NAME: {"app_catalog_id": "lab-notes", "app_on_failure": "keep"}}
BROKEN = ("-e", json.dumps({"docker_storage_drivers": ["none"]}))
FILE = f"/opt/proximity/{NAME}/log.jsonl"
STEPS = ["enter", "docker", "images", "files", "services", "answer", "running"]
SECOND = "%Y-%m-%dT%H:%M:%SZ"


@pytest.fixture(autouse=True)
def callback(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The callback, beside the usual one, keeps its lines here."""
    folder = tmp_path_factory.getbasetemp() / "step-logs"
    monkeypatch.setenv("ANSIBLE_CALLBACKS_ENABLED", "proximity.platform.steps")
    monkeypatch.setenv("PROXIMITY_LOG_FOLDER", str(folder))
    return folder


def kept(site: Site) -> list[dict[str, Any]]:
    return [json.loads(line) for line in site.inside(site.guest(NAME), f"cat {FILE}").splitlines()]


def round_trips(played: Played) -> int:
    """How often a shell in the container was given the log."""
    return len(re.findall(rf"EXEC .*pct exec .*{re.escape(FILE)}", played.output))


def in_order(lines: list[dict[str, Any]], begun: datetime) -> bool:
    times = [line["time"] for line in lines]
    return times == sorted(times) and begun.strftime(SECOND) <= times[0] and times[-1] <= datetime.now(UTC).strftime(SECOND)


def test_a_failed_deployment_leaves_its_log(site: Site) -> None:
    begun = datetime.now(UTC)
    played = site.play("playbooks/deploy.yml", APP, "-vvv", *BROKEN)
    assert played.status == 2, played.output[-3000:]
    lines = kept(site)
    assert in_order(lines, begun)
    assert [line["step"] for line in lines if line["step"] != "update"][:2] == ["create", "enter"]
    assert (lines[-1]["level"], lines[-1]["step"]) == ("error", "failed")
    assert "Refuse a storage driver that does not last: Docker uses the storage driver overlay2" in lines[-1]["message"]
    assert round_trips(played) == 1


def test_the_log_goes_on_with_the_deployment_that_succeeds(site: Site, callback: Path) -> None:
    before, begun = kept(site), datetime.now(UTC)
    played = site.play("playbooks/deploy.yml", APP, "-vvv")
    assert played.status == 0, played.output[-3000:]
    lines = kept(site)
    assert lines[: len(before)] == before
    added = lines[len(before) :]
    assert in_order(added, begun)
    steps = [line["step"] for line in added]
    assert [step for step in steps if step != "update"] == STEPS
    assert "Up: api, web." in [line["message"] for line in added]
    assert round_trips(played) == 1
    assert site.inside(site.guest(NAME), f"stat -c '%a %U' {FILE} && ls {FILE}*").split() == ["600", "root", FILE]
    assert re.search(rf"^\d\d:\d\d:\d\d {NAME}  services: Up: api, web\.$", played.output, re.MULTILINE)
    (file,) = callback.glob(f"*/{NAME}.jsonl")
    told = [json.loads(line) for line in file.read_text().splitlines()]
    assert {line["message"] for line in added if line["step"] != "enter"} <= {line["message"] for line in told}
    secrets = re.findall("=(.+)", site.inside(site.guest(NAME), f"cat /opt/proximity/{NAME}/secrets.env"))
    assert secrets
    assert [secret for secret in secrets if secret.strip("'") in played.output + file.read_text() + json.dumps(lines)] == []


def test_a_run_that_finds_all_well_writes_nothing(site: Site) -> None:
    before = kept(site)
    for words in ((), ("-e", "proximity_verify=true"), ("--check",)):
        played = site.play("playbooks/deploy.yml", APP, "-vvv", *words)
        assert played.status == 0, played.output[-3000:]
        assert (round_trips(played), played.changed_tasks()) == (0, [])
    assert kept(site) == before


def test_the_file_keeps_its_last_thousand_lines(site: Site) -> None:
    line = json.dumps({"time": "2026-01-01T00:00:00Z", "level": "info", "step": "old", "message": "x"})
    site.inside(
        site.guest(NAME), f"cp {FILE} {FILE}.kept; for n in $(seq 1500); do echo '{line}'; done > {FILE}; cat {FILE}.kept >> {FILE}"
    )
    assert site.play("playbooks/deploy.yml", APP, "-e", "proximity_verify=true", *BROKEN).status == 2
    lines = kept(site)
    assert len(lines) == 1000
    assert (lines[0]["step"], lines[-1]["step"]) == ("old", "failed")
    assert site.play("playbooks/deploy.yml", APP, "-e", "proximity_verify=true").status == 0


def test_the_playbook_shows_and_chooses(site: Site, tmp_path: Path) -> None:
    began = time.monotonic()
    table = site.play("playbooks/logs.yml", APP)
    print(f"logs.yml took {time.monotonic() - began:.1f} s")
    assert table.status == 0, table.output[-3000:]
    assert re.search(r"TIME +LEVEL +STEP +MESSAGE", table.output)
    assert re.search(rf"error +failed +Refuse a storage driver .*\n(.*\n)*.*info +running +App {NAME} runs", table.output)
    words = ("-e", "logs_raw=true", "-e", "logs_level=error", "-e", "logs_last=1", "-e", "logs_contains=OVERLAY2", "-e", "logs_since=1h")
    chosen = site.play("playbooks/logs.yml", APP, *words, "-e", f"logs_folder={tmp_path}")
    assert chosen.status == 0, chosen.output[-3000:]
    assert '"step": "failed"' in chosen.output
    assert "running" not in chosen.output
    (line,) = (tmp_path / f"{NAME}.jsonl").read_text().splitlines()
    assert json.loads(line)["step"] == "failed"
    nothing = site.play("playbooks/logs.yml", APP, "-e", "logs_step=nothing")
    assert (nothing.status, "There is no such line." in nothing.output) == (0, True)


def test_logs_of_services(site: Site) -> None:
    for service in ("web", "api"):
        site.inside(site.guest(NAME), f"docker exec {NAME}-{service}-1 sh -c 'echo first > /proc/1/fd/1; echo last > /proc/1/fd/1'")
    words = ("-e", "service_logs_services=web", "-e", "service_logs_tail=1", "-e", "service_logs_timestamps=true")
    played = site.play("playbooks/service_logs.yml", APP, *words)
    assert played.status == 0, played.output[-3000:]
    shown = re.findall(r"^\s*- .*(web-1 +\|.*)$", played.output, re.MULTILINE)
    assert len(shown) == 1
    assert re.search(r"\| 20\d\d-\d\d-\d\dT\S+ last\b", shown[0])
    assert "api-1" not in played.output
    for wrong in ("web; touch /root/came", "--help"):
        assert site.play("playbooks/service_logs.yml", APP, "-e", json.dumps({"service_logs_services": [wrong]})).status == 2
    assert "came" not in site.inside(site.guest(NAME), "ls /root")


def test_it_ends_with_the_app(site: Site) -> None:
    assert site.play("playbooks/remove.yml", APP, "--limit", NAME).status == 0
    gone = site.play("playbooks/logs.yml", APP)
    assert (gone.status, f"There is no app {NAME}" in gone.output) == (2, True)
