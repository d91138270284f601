"""Apps that are made ready before their backup: dumps, pause, backup, and on with them, whatever happens."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from integration.fleet import plant_app, plant_nodes
from integration.pve import Pve
from integration.standins import StandIns

ROOT = Path(__file__).parents[2]
COUNT, NODES = 4, 2
APPS = {8100 + number: (f"app-{number}", f"pve{number % NODES + 1}") for number in range(COUNT)}


class Play:
    """Playbook backup for apps whose containers have insides; and plays of one's own."""

    def __init__(self, lab: labs.Lab, folder: Path) -> None:
        (token, secret), url = lab.token.split("="), urlsplit(lab.url)
        given = {"host": "127.0.0.1", "port": url.port, "token_id": token, "token_secret": secret, "ca_path": str(lab.ca_path)}
        self.inside, self._folder = StandIns(folder, APPS), folder
        self._shared = {f"proximity_api_{key}": value for key, value in given.items()} | self.inside.variables
        plant_nodes(lab, NODES)
        for vmid, (name, node) in APPS.items():
            plant_app(lab, vmid, name, node=node)

    def begin(self, *options: str, book: list[dict[str, Any]] | None = None, **more: Any) -> subprocess.Popen[str]:
        hosts, own = self._folder / "hosts.yml", self._folder / "book.yml"
        names = {name: {} for name, _node in APPS.values()}
        hosts.write_text(yaml.safe_dump({"proximity_apps": {"hosts": names, "vars": self._shared | more}}))
        own.write_text(yaml.safe_dump(book))
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"} | self.inside.environment
        environment |= {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
        words = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            "-i",
            str(hosts),
            str(own) if book else "playbooks/backup.yml",
            *options,
        ]
        return subprocess.Popen(
            words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
        )

    def __call__(self, *options: str, **more: Any) -> tuple[int, str]:
        process = self.begin(*options, **more)
        output, _none = process.communicate(timeout=280)
        return process.returncode, output


@pytest.fixture
def play(lab: labs.Lab, tmp_path: Path) -> Play:
    return Play(lab, tmp_path)


def archives(lab: labs.Lab) -> Counter[int]:
    with lab.cluster.lock:
        return Counter(volume.vmid for volume in lab.cluster.volumes.values() if volume.content == "backup")


def recap(output: str, key: str) -> set[str]:
    """Hosts of which the recap counts one or more of these."""
    return set(re.findall(rf"^(\S+)\s+: ok=.*\b{key}=[1-9]", output, re.MULTILINE))


def test_each_is_dumped_and_backed_up_once(lab: labs.Lab, play: Play) -> None:
    names = {name for name, _node in APPS.values()}
    status, output = play("--check")
    assert (status, recap(output, "changed"), archives(lab), play.inside.dumped()) == (0, names, Counter(), []), output[-3000:]
    status, output = play()
    assert (status, recap(output, "changed"), archives(lab)) == (0, names, Counter(APPS.keys())), output[-3000:]
    assert (sorted(play.inside.dumped()), play.inside.left()) == (sorted(names), [])
    for options in (("--check",), ()):
        status, output = play(*options)
        assert (status, recap(output, "changed"), archives(lab)) == (0, set(), Counter(APPS.keys())), output[-3000:]
    assert len(play.inside.dumped()) == COUNT


def test_a_dump_or_a_backup_that_fails_stops_no_other(lab: labs.Lab, play: Play) -> None:
    """On its node or elsewhere; and no half of a dump is left."""
    play.inside.break_("app-0")
    lab.fault("task-fails", method="POST", path="/nodes/pve2/vzdump", text="No space left on device", at="work")
    status, output = play()
    assert (status, recap(output, "failed")) == (2, {"app-0", "app-1"}), output[-3000:]
    said = " ".join(output.split())  # older Ansible breaks long lines
    assert (
        "The backup of app app-0 failed: Cannot dump service db (pg_dump) for a backup of app app-0, in container 8100 on node pve1" in said
    )
    assert "the database is on fire" in said and "The backup of app app-1 failed: " in said and "No space left on device" in said
    assert (archives(lab), recap(output, "changed"), play.inside.left()) == (Counter([8102, 8103]), {"app-2", "app-3"}, [])


def test_one_that_is_stopped_has_nothing_to_dump(lab: labs.Lab, play: Play, pve: Pve) -> None:
    pve.post("/nodes/pve1/lxc/8100/status/stop")
    while pve.get("/nodes/pve1/lxc/8100/status/current")["status"] != "stopped":
        time.sleep(0.02)
    status, output = play()
    assert (status, archives(lab)) == (0, Counter(APPS.keys())), output[-3000:]
    assert sorted(play.inside.dumped()) == ["app-1", "app-2", "app-3"]


def test_killed_in_the_midst_and_run_again(lab: labs.Lab, play: Play) -> None:
    lab.fault("task-hangs", type="vzdump", seconds=2, times=2)
    process = play.begin()
    while not lab.journal("POST", "/vzdump"):
        assert process.poll() is None
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert play.inside.left(), "a dump of the killed run lies there"
    status, output = play()
    assert (status, archives(lab)) == (0, Counter(APPS.keys())), output[-3000:]
    with lab.cluster.lock:
        assert not any(guest.config.get("lock") for guest in lab.cluster.guests.values())


def test_each_app_has_its_own_lines_in_its_own_log(lab: labs.Lab, play: Play, tmp_path: Path) -> None:
    """Although one task did the work for all of a node."""
    play.inside.environment |= {"ANSIBLE_CALLBACKS_ENABLED": "proximity.platform.steps", "PROXIMITY_LOG_FOLDER": str(tmp_path / "logs")}
    status, output = play(proximity_cluster="home")
    assert status == 0, output[-3000:]
    for vmid, (name, node) in APPS.items():
        lines = (tmp_path / "logs" / "home" / f"{name}.jsonl").read_text()
        told = (f"Done: create archive {vmid} on node {node}", "Dumped service db (pg_dump).", "Services go on")
        assert all(text in lines for text in told), lines
        assert not [other for other in APPS if other != vmid and f"archive {other}" in lines]


HOOKS = {
    "dumps": [{"service": "db", "type": "pg_dump", "file": "", "script": "echo dump >> {log}"}],
    "pause": "echo pause >> {log}",
    "resume": "echo resume >> {log}",
}


@pytest.mark.parametrize("broken", ["", "dump", "pause", "backup", "resume"])
def test_services_go_on_whatever_fails(lab: labs.Lab, play: Play, tmp_path: Path, broken: str) -> None:
    log = tmp_path / "log"

    def script(text: str) -> str:
        return text.format(log=log) + ("; echo it broke >&2; exit 4" if broken and f"echo {broken} " in text else "")

    dumps = [{**dump, "script": script(dump["script"])} for dump in HOOKS["dumps"]]
    hooks = {"dumps": dumps, "pause": script(HOOKS["pause"]), "resume": script(HOOKS["resume"])}
    if broken == "backup":
        lab.fault("task-fails", type="vzdump", text="No space left on device", at="work")
    task = {"proximity.platform.proximity_hooked_backup": {"host": "app-0", "hooks": hooks}, "delegate_to": "app-0", "register": "done"}
    tell = {"proximity.platform.proximity_outcome": {"what": "The backup", "outcome": "{{ done.outcome }}"}}
    status, output = play(book=[{"hosts": "app-1", "gather_facts": False, "tasks": [task, tell]}], ansible_connection="local")
    done = {"dump": ["dump", "resume"], "pause": ["dump", "pause", "resume"]}.get(broken, ["dump", "pause", "resume"])
    assert log.read_text().split() == done, output[-3000:]
    assert (status, archives(lab)) == (2 if broken else 0, Counter([8100] if broken in ("", "resume") else [])), output[-3000:]
    said = " ".join(output.split())
    assert broken in ("", "backup") or "it broke" in said
    assert recap(output, "changed") == ({"app-1"} if broken == "" else set())
    assert broken != "resume" or "What is paused goes on by itself, 15 minutes after it was paused." in said
