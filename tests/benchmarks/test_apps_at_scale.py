"""Five hundred declared apps on a cluster of 5,000 guests, and nothing to do: CPU and calls beside the bare call.

Prints calls, seconds and ratios, and fails on none of the times: `python -m pytest -s tests/benchmarks`.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.api import Client
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.controller import identify
from ansible_collections.proximity.platform.plugins.module_utils.fleet_spec import desired_fleet
from ansible_collections.proximity.platform.plugins.module_utils.nouns.fleet import FLEET
from ansible_collections.proximity.platform.plugins.module_utils.session import Session
from integration.definition import DEFINITION
from integration.fleet import grow_fleet
from integration.planting import plant_app

ROOT = Path(__file__).parents[2]
APPS, OTHERS, ROUNDS = 500, 4500, 3
DEPTHS = ("tags", "record", "full")


@pytest.fixture(scope="module")
def fleet() -> Iterator[labs.Lab]:
    """The apps bear the revision that their definition has, as after a first roll-out."""
    with labs.start(seed="demo", guests="simulated") as server:
        grow_fleet(server, OTHERS)
        names = [f"declared-{number}" for number in range(APPS)]
        wish = desired_fleet({"apps": [{"name": name, "definition": DEFINITION} for name in names], "depth": "tags", "threads": 8})
        for number, app in enumerate(wish.apps):
            assert app.release
            plant_app(
                server, 20000 + number, app.name, node=f"pve{number % 16 + 1}", revision=app.release.revision, wanted=app.release.revision
            )
        yield server


@pytest.fixture
def connection(fleet: labs.Lab) -> dict[str, Any]:
    (name, secret), url = fleet.token.split("="), urlsplit(fleet.url)
    given = {
        "api_host": url.hostname,
        "api_port": url.port,
        "api_token_id": name,
        "api_token_secret": secret,
        "ca_path": str(fleet.ca_path),
    }
    return {name: spec.get("default") for name, spec in connection_arguments().items()} | given


def _params(depth: str) -> dict[str, Any]:
    ports = {"public": "20000-29999", "internal": "30000-39999", "first_vmid": 20000}
    apps = [{"name": f"declared-{number}", "catalog_id": "hello"} for number in range(APPS)]
    return {"apps": apps, "definitions": {"hello": DEFINITION}, "common": {"port_range": ports}, "depth": depth, "threads": 8}


def _cpu_s(work: Callable[[], Any]) -> float:
    """The best of some rounds, of this thread only: the lab works in others."""

    def once() -> float:
        started = time.thread_time()
        work()
        return time.thread_time() - started

    return min(once() for _round in range(ROUNDS))


@pytest.mark.parametrize("depth", DEPTHS)
def test_nothing_to_do_beside_the_bare_call(fleet: labs.Lab, connection: dict[str, Any], depth: str) -> None:
    """Of the deeper ones, the reading goes on in threads, whose CPU is not counted here but in the whole run below."""

    def ours() -> dict[str, Any]:
        session, wish = Session(Client(connection_of(connection)), identify()), desired_fleet(_params(depth))
        plan, observed = FLEET.look(session, wish)
        assert not plan.steps
        assert not [each for each in plan.apps if each.refusal or each.converge]
        return {**FLEET.describe(wish, plan, observed), "calls": dict(session.client.calls)}

    bare_s = _cpu_s(lambda: Client(connection_of(connection)).get("/cluster/resources"))
    ours_s = _cpu_s(ours)
    calls = ours()["calls"]["reads"]
    told = f"{ours_s * 1000:.0f} ms of CPU; the bare call: {bare_s * 1000:.0f} ms; x {ours_s / bare_s:.1f}"
    print(f"\n{APPS} apps, nothing to do, depth {depth}: {calls} calls, {told}")
    assert calls == {"tags": 1, "record": 1 + APPS, "full": 1 + 2 * APPS}[depth]


@pytest.mark.parametrize("depth", DEPTHS)
def test_the_module_as_a_process(fleet: labs.Lab, connection: dict[str, Any], depth: str) -> None:
    """All of it: the start of Python, reading the arguments, writing the result."""
    script = ROOT / "tests/integration/run_apps.py"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    given = json.dumps({key: value for key, value in connection.items() if value is not None} | _params(depth))
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run([sys.executable, str(script)], input=given, capture_output=True, text=True, env=environment, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    result = json.loads(done.stdout.splitlines()[-1])
    assert not result.get("failed"), result["msg"]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"\nthe module, depth {depth}: {result['calls']['reads']} calls, {cpu_s:.2f} s of CPU, {time.monotonic() - started:.1f} s")
    assert (result["changed"], result["counts"]["apps"]) == (False, APPS)


def test_the_site_as_a_playbook(fleet: labs.Lab, connection: dict[str, Any], tmp_path: Path) -> None:
    """With an inventory of as many hosts, and Ansible around it."""
    catalog = tmp_path / "catalog" / "hello"
    catalog.mkdir(parents=True)
    entry = {key: value for key, value in DEFINITION.items() if key not in ("compose", "services")}
    (catalog / "entry.yml").write_text(yaml.safe_dump(entry))
    (catalog / "compose.yml").write_text(DEFINITION["compose"])
    hosts = {f"declared-{number}": {"app_catalog_id": "hello"} for number in range(APPS)}
    reach = {f"proximity_{key}": connection[key] for key in ("api_host", "api_port", "api_token_id", "api_token_secret")}
    shared = {**reach, "proximity_api_ca_path": connection["ca_path"], "app_port_range": _params("tags")["common"]["port_range"]}
    shared |= {"app_catalog_paths": [str(catalog.parent)]}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"proximity_apps": {"hosts": hosts, "vars": shared}}))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}
    environment.pop("PYTHONPATH", None)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    words = [program, "-i", str(tmp_path / "hosts.yml"), "playbooks/site.yml"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"\nplaybook site, {APPS} hosts, nothing to do: {cpu_s:.1f} s of CPU, {time.monotonic() - started:.1f} s")
