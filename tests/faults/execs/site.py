"""A lab with light guests, and `ansible-playbook` on the stage against it; the states in which jobs begin, made once for all processes."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import lab as labs
import yaml
from faults.deeds import NODE
from faults.execs.jobs import JOBS, PLAIN, STORAGE, Job
from faults.play import connection_to, run_of_ansible
from faults.world import AGO_S, MINE, NEIGHBOUR, SEED, SINCE_S, _snapshot, app_of
from integration.definition import DEFINITION
from lab.light.door import Door
from lab.light.keeping import Keeping
from lab.light.roots import copy_tree
from lab.light.runtime import LightRuntime, make_light
from lab.light.strikes import DIES, Strike
from lab.seeding import plant_guest
from stage.playbooks import USUAL
from stage.runs import Ended, Stage, kill_all_of

PRELOAD = ("basic", "urls", "service", "facts.system.chroot")
FAILED = re.compile(r"^fatal: \[([^\] ]+)[^\]]*\]: (?:FAILED|UNREACHABLE)! => (\{.*\})$", re.MULTILINE)
CHANGED = re.compile(r"^\S+ +: ok=\d+ +changed=(\d+)", re.MULTILINE)
LOOKED_AT_S = 0.05
MINE_INSIDE = "Written by the owner.\n"


@dataclass(frozen=True)
class Played:
    """The outcome of a run: `failure` is what its last failed task says, empty when it went well."""

    status: int
    failure: str
    changed: int
    output: str
    killed: bool = False


@dataclass
class Site:
    lab: labs.Lab
    runtime: LightRuntime
    door: Door
    stage: Stage
    folder: Path

    def play(self, job: Job, strike: Strike | None = None) -> Played:
        """Run a job to its end, or kill it where the strike says so."""
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(self._inventory(job)))
        self.door.set(strike)
        words = ["-i", str(self.folder / "hosts.yml"), f"playbooks/{job.playbook}.yml", *job.words]
        pid = self.stage.begin(words, {"LIGHT_DOOR": self.door.address}, merged=True)
        with _killed_when_struck(pid, strike) if strike and strike.kind in DIES else nullcontext():
            return _played(self.stage.end(pid))

    def _inventory(self, job: Job) -> dict[str, Any]:
        api = {f"proximity_{key if key.startswith('api') else f'api_{key}'}": value for key, value in connection_to(self.lab).items()}
        common = {"ansible_connection": "proximity.platform.pct", "app_python": "/usr/local/bin/python3", **api}
        return {"proximity_apps": {"hosts": job.hosts(), "vars": common}}

    def save(self, place: Path) -> None:
        copy_tree(self.folder / "disks", place.with_suffix(".disks"))
        self.lab.save(place.with_suffix(".json"))

    def load(self, place: Path) -> None:
        copy_tree(place.with_suffix(".disks"), self.folder / "disks")
        self.lab.load(place.with_suffix(".json"))


def _played(run: Ended) -> Played:
    failures = [json.loads(told) for _host, told in FAILED.findall(run.output)] if run.status else []
    failure = str(failures[-1]["msg"]) if failures else run.output[-2000:] if run.status else ""
    return Played(run.status, failure, sum(map(int, CHANGED.findall(run.output))), run.output, run.status < 0)


@contextmanager
def _killed_when_struck(pid: int, strike: Strike) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            if strike.struck.wait(LOOKED_AT_S):
                kill_all_of(pid)
                return

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


class Place:
    """What a process of tests has once: a folder, a keeper and a stage; `shared` is for all processes of a run of the tests."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="execs-"))
        run = os.environ.get("PYTEST_XDIST_TESTRUNUID", f"{os.getpid()}")
        self.shared = Path(tempfile.gettempdir(), f"execs-of-{run}")
        self.shared.mkdir(exist_ok=True)
        self._users = (self.shared / "users.lock").open("w")
        fcntl.flock(self._users, fcntl.LOCK_SH)
        self.keeping = Keeping(self.folder, tuple(f"ansible.module_utils.{name}" for name in PRELOAD))
        self.stage = Stage(self.folder, _environment(self.keeping.tools), hurried=True)

    def close(self) -> None:
        self.stage.close()
        self.keeping.close()
        shutil.rmtree(self.folder, ignore_errors=True)
        with self._users, suppress(BlockingIOError):
            fcntl.flock(self._users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(self.shared, ignore_errors=True)  # nobody else uses it

    @contextmanager
    def site(self, state: str) -> Iterator[Site]:
        """A lab in that state. Its clock is behind that of controllers, as in `faults.world`."""
        with self._lab(self.states() / state, SINCE_S) as site:
            yield site

    @contextmanager
    def _lab(self, load: Path | None, behind_s: int) -> Iterator[Site]:
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        (folder / "disks").mkdir()
        with labs.start(seed=SEED, folder=self.folder / "lab") as lab:
            runtime = make_light(lab.cluster, folder / "disks", self.keeping)
            door = Door(lab, runtime, f"@{folder.name}-{os.getpid()}")
            site = Site(lab, runtime, door, self.stage, folder)
            if load:
                site.load(load)
            lab.advance(-behind_s)
            try:
                yield site
            finally:
                door.close()
                self.keeping.end_all()
        shutil.rmtree(folder, ignore_errors=True)

    def states(self) -> Path:
        """A folder with a file and the disks for each state."""
        made = self.shared / "states.made"
        if not made.exists():
            with self.alone("states"):
                if not made.exists():
                    with self._lab(None, AGO_S) as site:
                        _make_states(site, self.shared)
                    made.touch()
        return self.shared

    @contextmanager
    def alone(self, what: str, wait: bool = True) -> Iterator[bool]:
        """No other process is here meanwhile; where one is, answers False at once unless it is waited for."""
        with (self.shared / f"{what}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield False
                return
            yield True


def _environment(tools: Path) -> dict[str, str]:
    """`tools` has the ssh that runs call."""
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        **USUAL,
        "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        "ANSIBLE_CALLBACK_FORMAT_PRETTY": "0",
        "ANSIBLE_PIPELINING": "1",
        "ANSIBLE_SSH_ARGS": "",
        "ANSIBLE_SSH_EXECUTABLE": str(tools / "ssh"),
    }


def _make_states(site: Site, shared: Path) -> None:
    lab = site.lab
    options = {"hostname": "mine", "net0": "name=eth0,bridge=vmbr0,ip=dhcp", "onboot": 1, "description": "Mine."}
    with lab.cluster.lock:
        _snapshot(plant_guest(lab.cluster, MINE, NODE, "local-btrfs", 1, options, running=True))
    with run_of_ansible(lab) as play:
        neighbour = {"name": NEIGHBOUR, "definition": {**DEFINITION, "id": NEIGHBOUR}, "node": NODE, "storage": "local-btrfs"}
        made = play(**neighbour)["app"]
        report = {"vmid": made["vmid"], "node": made["node"], "healthy": True, "address": made["address"]}
        assert play(name=NEIGHBOUR, definition=neighbour["definition"], report=report)["app"]["status"] == "running"
    site.save(shared / "empty")
    deploy = JOBS["deploy"]
    for state, storage in (("plain", PLAIN), ("settled", STORAGE)):
        site.load(shared / "empty")
        played = site.play(replace(deploy, deed=replace(deploy.deed, wish={**deploy.deed.wish, "storage": storage})))
        assert not played.failure, played.output[-3000:]
        guest = app_of(lab, "hello")
        (site.runtime.root(guest.vmid) / "root/mine.txt").write_text(MINE_INSIDE)
        if storage == STORAGE:
            _snapshot(guest)
            lab.cluster.runtime.snapshot(guest.node, guest.vmid, guest.config["parent"])
        site.save(shared / state)
    assert not site.play(JOBS["stop"]).failure
    site.save(shared / "stopped")


@cache
def place() -> Place:
    return Place()
