"""What an end-to-end test does to a lab, and how it looks at the outcome without the code under test."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import yaml
from stage.playbooks import run_playbook

CHECKOUT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


@dataclass(frozen=True)
class Played:
    """The outcome of one `ansible-playbook`: exit status, all output, and per host the recap's numbers."""

    status: int
    output: str

    def recap(self, host: str) -> dict[str, int]:
        found = {
            m[0]: dict(zip(("ok", "changed", "unreachable", "failed"), map(int, m[1:]), strict=True)) for m in RECAP.findall(self.output)
        }
        assert host in found, self.output[-3000:]
        return found[host]

    def changed_tasks(self) -> list[str]:
        """Names of the tasks that reported a change, in order."""
        names, task = [], ""
        for line in self.output.splitlines():
            if match := re.match(r"(?:TASK|RUNNING HANDLER) \[(.*)\]", line):
                task = match[1]
            elif line.startswith("changed:"):
                names.append(task)
        return names


@dataclass(frozen=True)
class Site:
    """A running lab with real guests, as `.lab/env` describes it."""

    env_file: Path
    env: Mapping[str, str]

    def play(self, playbook: str, apps: Mapping[str, Any], *args: str) -> Played:
        """Run a playbook of the collection over these apps (host name -> host variables) to its end."""
        done = run_playbook(*self._words(playbook, apps, *args), merged=True, PATH=self.environment()["PATH"])
        return Played(done.returncode, done.stdout)

    def begin(self, playbook: str, apps: Mapping[str, Any], *args: str) -> subprocess.Popen[str]:
        """The same in a process of its own, which goes on meanwhile."""
        return subprocess.Popen(
            [str(BIN / "ansible-playbook"), *self._words(playbook, apps, *args)],
            cwd=CHECKOUT,
            env=self.environment(),
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _words(self, playbook: str, apps: Mapping[str, Any], *args: str) -> list[str]:
        return ["-i", str(self.inventory(apps)), playbook, "-e", f"lab_file={self.env_file}", *args]

    def play_until(self, task: str, playbook: str, apps: Mapping[str, Any], *args: str) -> None:
        """Start a playbook and kill it, with all its processes and without warning, a moment after a task has begun."""
        with self.begin(playbook, apps, *args) as process:
            assert process.stdout is not None
            seen = []
            for line in process.stdout:
                seen.append(line)
                if re.match(rf"TASK \[.*{task}", line):
                    break
            else:
                raise AssertionError(f"The play ended before a task like {task!r}:\n{''.join(seen)[-3000:]}")
            time.sleep(0.7)
            os.killpg(process.pid, signal.SIGKILL)

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"),
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_FORCE_COLOR": "0",
        }

    def inventory(self, apps: Mapping[str, Any]) -> Path:
        """The lab's inventory with other apps; its group variables look for the catalog two levels up."""
        source, target = CHECKOUT / "inventories/lab", CHECKOUT / ".ansible" / f"inventory-{'-'.join(apps)}"[:80]
        shutil.copytree(source, target, dirs_exist_ok=True)
        (target / "hosts.yml").write_text(yaml.safe_dump({"proximity_apps": {"hosts": dict(apps)}}))
        return target

    def get(self, path: str) -> Any:
        """Read from the lab's API with the administrator's token."""
        answer = requests.get(
            f"{self.env['URL']}/api2/json{path}",
            headers={"Authorization": f"PVEAPIToken={self.env['ROOT_TOKEN']}"},
            verify=self.env["CA"],
            timeout=20,
        )
        answer.raise_for_status()
        return answer.json()["data"]

    def guests(self) -> list[dict[str, Any]]:
        return [guest for guest in self.get("/cluster/resources?type=vm") if "proximity" in (guest.get("tags") or "").split(";")]

    def config(self, guest: Mapping[str, Any]) -> dict[str, Any]:
        config: dict[str, Any] = self.get(f"/nodes/{guest['node']}/lxc/{guest['vmid']}/config")
        return config

    def record(self, guest: Mapping[str, Any]) -> dict[str, Any]:
        match = re.search(r"<!-- proximity (\{.*\}) -->", self.config(guest)["description"])
        assert match, self.config(guest)
        record: dict[str, Any] = json.loads(match[1])
        return record

    def guest(self, name: str) -> dict[str, Any]:
        """The one container whose record bears this name."""
        found = [guest for guest in self.guests() if self.record(guest)["name"] == name]
        assert len(found) == 1, f"{len(found)} containers for {name}"
        return found[0]

    def address(self, guest: Mapping[str, Any]) -> str:
        for interface in self.get(f"/nodes/{guest['node']}/lxc/{guest['vmid']}/interfaces") or ():
            if interface["name"] == "eth0" and interface.get("inet"):
                return str(interface["inet"]).split("/", maxsplit=1)[0]
        raise AssertionError(f"{guest['vmid']} has no address")

    def inside(self, guest: Mapping[str, Any], command: str) -> str:
        """Run a shell command in a container by the node's own pct."""
        remote = f"pct exec {guest['vmid']} -- /bin/sh -c {shlex.quote(command)}"
        words = ["ssh", "-F", self.env["SSH_CONFIG"], str(guest["node"]), remote]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
        return done.stdout

    def page(self, guest: Mapping[str, Any], path: str = "/", port: int = 8080) -> str:
        answer = requests.get(f"http://{self.address(guest)}:{port}{path}", timeout=10)
        answer.raise_for_status()
        return answer.text

    def page_soon(self, guest: Mapping[str, Any], path: str = "/", port: int = 8080, limit_s: float = 60) -> str:
        """The page of a container that has just started; its services come up by themselves."""
        end = time.monotonic() + limit_s
        while True:
            try:
                return self.page(guest, path, port)
            except (requests.RequestException, AssertionError):
                if time.monotonic() > end:
                    raise
            time.sleep(0.5)
