"""The callback in real runs over the lab: lines shown and kept, failures sent once, secrets nowhere.

Containers are simulated. A false ssh stands for the way into them: it takes the log, and refuses what Docker's role asks.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lab as labs
import pytest
import yaml
from integration.receiver import PATH, Receiver

ROOT = Path(__file__).parents[2]
FALSE_SSH = """#!/bin/sh
for last; do :; done
case $last in
    *log.jsonl*)
        if [ -e "$GUEST/full" ]; then echo "No space left on device" >&2; exit 1; fi
        cat >> "$GUEST/log.jsonl"; echo entered >> "$GUEST/entries";;
    *os-release*) echo "psql: DB_PASSWORD=planted-stderr was refused" >&2; exit 1;;
esac
"""
FALSE_SENTRY = """
import json, os
class Client:
    def __init__(self, **options): pass
    def capture_event(self, event):
        with open(os.environ["GUEST"] + "/events.jsonl", "a") as file:
            file.write(json.dumps(event) + chr(10))
    def close(self, timeout): pass
"""
APP = {"app_catalog_id": "lab-web", "app_on_failure": "keep", "app_environment": {"DB_URL": "planted-environment"}}
Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    yield receiver
    receiver.close()


@pytest.fixture
def play(lab: labs.Lab, connection: dict[str, Any], tmp_path: Path) -> Play:
    ssh, sentry, hosts = tmp_path / "ssh", tmp_path / "python/sentry_sdk.py", tmp_path / "hosts.yml"
    ssh.write_text(FALSE_SSH)
    ssh.chmod(0o700)
    sentry.parent.mkdir()
    sentry.write_text(FALSE_SENTRY)
    catalog = tmp_path / "catalog"
    shutil.copytree(ROOT / "tests/lab_catalog/lab-web", catalog / "lab-web")
    compose = catalog / "lab-web/compose.yml"
    compose.write_text(compose.read_text().replace("APP_NAME: ${APP_NAME}", "APP_NAME: ${APP_NAME}\n      DB_URL: ${DB_URL:-}"))
    cluster = {f"proximity_{key}" if key.startswith("api_") else f"proximity_api_{key}": value for key, value in connection.items()}
    common = {"proximity_cluster": "home", "proximity_catalog_paths": [str(catalog)], "ansible_ssh_executable": str(ssh)}

    def run(apps: dict[str, Any], *options: str, **environment: str) -> subprocess.CompletedProcess[str]:
        hosts.write_text(yaml.safe_dump({"proximity_apps": {"hosts": apps, "vars": {**cluster, **common}}}))
        given = {
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "GUEST": str(tmp_path),
            "PYTHONPATH": str(sentry.parent),
        }
        given |= {"ANSIBLE_CALLBACKS_ENABLED": "proximity.platform.steps", "ANSIBLE_LOCAL_TEMP": str(tmp_path / "tmp"), **environment}
        words = [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(hosts), str(ROOT / "playbooks/deploy.yml"), *options]
        return subprocess.run(words, cwd=ROOT, env={**os.environ, **given}, capture_output=True, text=True, timeout=240, check=False)

    return run


def jsonl(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_steps_are_shown_and_kept(play: Play, tmp_path: Path) -> None:
    apps = {name: {**APP, "app_stack": False} for name in ("hello", "notes")}
    folder = tmp_path / "logs"
    done = play(apps, PROXIMITY_LOG_FOLDER=str(folder))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(re.findall(r"^\d\d:\d\d:\d\d (?:hello|notes)  create: Done: create guest \d+", done.stdout, re.MULTILINE)) == 2
    assert sorted(path.name for path in folder.rglob("*.jsonl")) == ["hello.jsonl", "notes.jsonl"]
    lines = jsonl(folder / "home/hello.jsonl")
    assert {(line["app"], line["cluster"]) for line in lines} == {("hello", "home")}
    assert len({line["run"] for line in lines}) == 1
    assert "create" in [line["step"] for line in lines]
    again = play(apps, PROXIMITY_LOG_FOLDER=str(folder))
    assert again.returncode == 0
    assert {line["level"] for line in jsonl(folder / "home/hello.jsonl")[len(lines) :]} <= {"debug"}


def test_a_failure_is_sent_and_no_secret_with_it(play: Play, receiver: Receiver, tmp_path: Path, connection: dict[str, Any]) -> None:
    variables = {
        "proximity_log_folder": str(tmp_path / "logs"),
        "proximity_webhook_url": f"http://127.0.0.1:{receiver.port}{PATH}",
        "proximity_webhook_token": "planted-token",
    }
    dsn = "http://planted-dsn@127.0.0.1:9/1"
    hidden = tmp_path / "variables.yml"
    hidden.write_text(yaml.safe_dump(variables))
    apps = {"hello": APP, "fine": {**APP, "app_stack": False}}
    done = play(apps, "-vvv", "-e", f"@{hidden}", PROXIMITY_SENTRY_DSN=dsn)
    assert done.returncode == 2, done.stdout + done.stderr
    ((path, headers, body),) = receiver.got
    assert (path, headers["Authorization"]) == (PATH, "Bearer planted-token")
    report = json.loads(body)
    assert (report["source"], report["playbook"]) == ("proximity.platform", "deploy.yml")
    (failure,) = report["failures"]
    assert (failure["app"], failure["cluster"], failure["step"], failure["task"]) == (
        "hello",
        "home",
        "docker",
        "Look at what the guest has",
    )
    assert failure["error"].startswith("App hello failed in container ")
    assert [error["step"] for error in failure["errors"]] == ["docker", "app"]
    assert "create" in [line["step"] for line in failure["log"]]
    (event,) = jsonl(tmp_path / "events.jsonl")
    assert event["tags"]["app"] == "hello"
    guest = jsonl(tmp_path / "log.jsonl")
    assert [line["step"] for line in guest if line["step"] != "update"] == ["create", "enter", "failed"]
    assert (tmp_path / "entries").read_text() == "entered\n"
    kept = "".join(path.read_text() for path in (tmp_path / "logs").rglob("*.jsonl"))
    ours = {"files": kept, "webhook": body.decode(), "sentry": json.dumps(event), "guest": json.dumps(guest)}
    assert all("was refused" in text for text in ours.values())
    shown = {**ours, "output": done.stdout + done.stderr}
    secrets = ["planted-environment", "planted-token", "planted-path", "planted-dsn", connection["api_token_secret"]]
    assert [(secret, place) for secret in secrets for place, text in shown.items() if secret in text] == []
    assert [place for place, text in ours.items() if "planted-stderr" in text] == []


def test_what_cannot_be_sent_or_kept_is_told_once_and_the_play_goes_on(play: Play, receiver: Receiver, tmp_path: Path) -> None:
    receiver.status = 500
    for name in ("file", "full"):
        (tmp_path / name).write_text("")
    settings = tmp_path / "ansible.cfg"
    text = f"[callback_steps]\nwebhook_url = {receiver.url}\nsentry_dsn = http://key@127.0.0.1:9/1\nfolder = {tmp_path}/file/logs\n"
    settings.write_text((ROOT / "ansible.cfg").read_text().replace(".ansible/", f"{ROOT}/.ansible/") + text)
    (tmp_path / "python/sentry_sdk.py").write_text("raise ImportError('as if it were not installed')\n")
    apps = {name: {**APP, "app_stack": name == "hello"} for name in ("hello", "fine")}
    done = play(apps, ANSIBLE_CONFIG=str(settings))
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(r"^fine +: .*failed=0", done.stdout, re.MULTILINE)
    told = " ".join((done.stdout + done.stderr).split())
    for warning in ("it answered 500", "sentry-sdk is not installed", "Cannot keep the log in", "in the container: No space left"):
        assert told.count(warning) == 1, done.stdout + done.stderr
    assert len(receiver.got) == 1


def test_a_check_sends_and_keeps_nothing(play: Play, receiver: Receiver, tmp_path: Path) -> None:
    apps = {"hello": {**APP, "app_catalog_id": "not-there"}}
    done = play(apps, "--check", PROXIMITY_WEBHOOK_URL=receiver.url, PROXIMITY_LOG_FOLDER=str(tmp_path / "logs"))
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(r"^\d\d:\d\d:\d\d hello  app: See to the container: .*not-there", done.stdout, re.MULTILINE)
    assert (receiver.got, (tmp_path / "logs").exists()) == ([], False)


def test_without_it_nothing_is_shown(play: Play) -> None:
    done = play({"hello": {**APP, "app_stack": False}}, ANSIBLE_CALLBACKS_ENABLED="ansible.builtin.oneline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "hello  create" not in done.stdout
