"""The files of docs/schedules, copied as they say and run as cron, systemd, AWX (by ansible-runner, which it uses) and Semaphore do."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ansible_runner
import lab as labs
import pytest
import yaml
from integration.planting import ago, plant_app
from integration.pve import Pve
from integration.schedulers import TOKEN, Awx, Semaphore, serving

ROOT = Path(__file__).parents[2]
FILES = ROOT / "docs/schedules"
BIN = Path(sys.executable).parent
HOME = "/srv/infrastructure"
SECRETS = "/etc/proximity.env"
JOBS = ("janitor", "reconcile")


@pytest.fixture
def repository(connection: dict[str, Any], tmp_path: Path) -> Path:
    """A user's repository with its inventory, the playbooks of one line that the docs show, and `schedules`; the secret is not in it."""
    about = {f"proximity_{key if key.startswith('api') else 'api_' + key}": value for key, value in connection.items()}
    secret = about.pop("proximity_api_token_secret")
    folder = tmp_path / "infrastructure"
    shutil.copytree(FILES, folder / "schedules")
    (folder / "playbooks").mkdir()
    for name in JOBS:
        (folder / f"playbooks/{name}.yml").write_text(yaml.safe_dump([{"import_playbook": f"proximity.platform.{name}"}]))
    groups = {"proximity_clusters": {"hosts": {"home": about}}, "proximity_apps": {"hosts": {}}}
    (folder / "hosts.yml").write_text(yaml.safe_dump(groups))
    (folder / "ansible.cfg").write_text(f"[defaults]\ninventory = hosts.yml\ncollections_path = {ROOT}/.ansible/collections\n")
    (tmp_path / "proximity.env").write_text(f"export PROXIMITY_API_TOKEN_SECRET={secret}\n")
    return folder


@pytest.fixture
def stuck(lab: labs.Lab) -> int:
    """A first deployment that nobody works on any more: the janitor's settings have it cleaned up."""
    plant_app(lab, 8200, "one", status="deploying", revision="", changed=ago(hours=3))
    return 8200


def secret_of(repository: Path) -> str:
    return (repository.parent / "proximity.env").read_text().strip().partition("=")[2]


def environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "ANSIBLE_CONFIG")}
    return {**kept, "PATH": f"{BIN}:{os.environ['PATH']}", "ANSIBLE_NOCOLOR": "1", **more}


def run(words: list[str], folder: Path, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, cwd=folder, env=environment(**more), capture_output=True, text=True, timeout=200, check=False)


def is_tidy(done: subprocess.CompletedProcess[str], pve: Pve, stuck: int) -> None:
    assert done.returncode == 0, done.stdout + done.stderr
    assert stuck not in pve.vmids()


def test_cron(repository: Path, pve: Pve, stuck: int) -> None:
    lines = re.findall(r"^(\S+ \S+ \S+ \S+ \S+) +automation +(.*)$", (FILES / "proximity.cron").read_text(), re.MULTILINE)
    assert [when for when, _command in lines] == ["7 * * * *", "23 */6 * * *", "37 * * * *"]
    for _when, command in lines:
        here = command.replace(HOME, shlex.quote(str(repository))).replace(SECRETS, shlex.quote(str(repository.parent / "proximity.env")))
        done = run(["sh", "-c", here], repository.parent)
        is_tidy(done, pve, stuck)


def test_systemd(repository: Path, pve: Pve, stuck: int) -> None:
    unit = (FILES / "proximity@.service").read_text()
    (command,) = re.findall(r"^ExecStart=/usr/bin/(.*)$", unit, re.MULTILINE)
    for job in JOBS:
        done = run(shlex.split(command.replace("%i", job)), repository, PROXIMITY_API_TOKEN_SECRET=secret_of(repository))
        is_tidy(done, pve, stuck)


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed here")
    for path in FILES.glob("proximity*"):
        if path.suffix in (".service", ".timer"):
            text = path.read_text().replace("/usr/bin/ansible-playbook", "/bin/true").replace("automation", "root")
            (tmp_path / path.name).write_text(text)
    (tmp_path / "proximity@janitor.service").symlink_to("proximity@.service")
    (tmp_path / "proximity@reconcile.service").symlink_to("proximity@.service")
    units = [str(tmp_path / f"proximity-{job}.timer") for job in JOBS]
    done = run(["systemd-analyze", "verify", *units], tmp_path, SYSTEMD_UNIT_PATH=f"{tmp_path}:")
    told = [line for line in (done.stdout + done.stderr).splitlines() if "proximity" in line]
    assert told == []
    for unit in units:
        (calendar,) = re.findall(r"^OnCalendar=(.*)$", Path(unit).read_text(), re.MULTILINE)
        assert run(["systemd-analyze", "calendar", calendar], tmp_path).returncode == 0


def set_up(name: str, repository: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    done = run(["ansible-playbook", f"schedules/{name}.yml"], repository, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def changed(done: subprocess.CompletedProcess[str]) -> int:
    found = re.search(r"changed=(\d+)", done.stdout)
    assert found
    return int(found[1])


def test_semaphore(repository: Path, pve: Pve, stuck: int) -> None:
    server = Semaphore()
    with serving(server) as url:
        access = {"SEMAPHORE_URL": url, "SEMAPHORE_TOKEN": TOKEN}
        assert changed(set_up("semaphore", repository, **access)) == 2
        assert changed(set_up("semaphore", repository, **access)) == 0
    templates = {row["id"]: row for row in server.rows["templates"]}
    assert {(templates[row["template_id"]]["playbook"], row["cron_format"], row["active"]) for row in server.rows["schedules"]} == {
        ("playbooks/janitor.yml", "7 * * * *", True),
        ("playbooks/reconcile.yml", "23 */6 * * *", True),
    }
    for template in templates.values():
        words = ["ansible-playbook", template["playbook"], *json.loads(template["arguments"])]
        is_tidy(run(words, repository, PROXIMITY_API_TOKEN_SECRET=secret_of(repository)), pve, stuck)


def test_awx(repository: Path, pve: Pve, stuck: int) -> None:
    server = Awx()
    with serving(server) as url:
        access = {"CONTROLLER_HOST": url, "CONTROLLER_OAUTH_TOKEN": TOKEN, "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections")}
        assert changed(set_up("awx", repository, **access)) == 2
        assert changed(set_up("awx", repository, **access)) == 0
    assert all(row["allow_simultaneous"] for row in server.rows["job_templates"])
    assert [len(server.associated[row["id"]]) for row in server.rows["job_templates"]] == [2, 2]
    assert sorted(row["rrule"].split()[1] for row in server.rows["schedules"]) == [
        "RRULE:FREQ=HOURLY;INTERVAL=1",
        "RRULE:FREQ=HOURLY;INTERVAL=6",
    ]
    for template in server.rows["job_templates"]:
        assert _job(template, repository) == "successful"
    assert stuck not in pve.vmids()


def _job(template: Mapping[str, Any], repository: Path) -> str:
    """Run a job template as AWX does: ansible-runner with the project's checkout, its extra variables and the credential's environment."""
    variables = template["extra_vars"]
    folder = repository.parent / "runner"
    folder.mkdir(exist_ok=True)
    ended = ansible_runner.run(
        private_data_dir=str(folder),
        project_dir=str(repository),
        inventory=str(repository / "hosts.yml"),
        playbook=template["playbook"],
        extravars=json.loads(variables) if isinstance(variables, str) else variables,
        envvars=environment(PROXIMITY_API_TOKEN_SECRET=secret_of(repository), ANSIBLE_CONFIG=str(repository / "ansible.cfg")),
        quiet=True,
    )
    return str(ended.status) if ended.status == "successful" else ended.stdout.read()
