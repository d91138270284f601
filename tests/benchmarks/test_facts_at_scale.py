"""Facts and inventory of 5,000 guests on 16 nodes, beside the bare calls and beside community.proxmox's inventory.

Prints calls, seconds and ratios, and fails where ours take more than three times the bare calls: `python -m pytest -s tests/benchmarks`.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.api import Client, Connection
from ansible_collections.proximity.platform.plugins.module_utils.errors import ApiError
from ansible_collections.proximity.platform.plugins.module_utils.facts import Question, gather
from ansible_collections.proximity.platform.plugins.plugin_utils.hosts import Style, hosts_of
from integration.fleet import grow_fleet

ROOT = Path(__file__).parents[2]
GUESTS, ROUNDS = 5000, 5
BARE = ("/version", "/cluster/resources", "/cluster/status", "/access/permissions")


@pytest.fixture(scope="module")
def fleet() -> Iterator[labs.Lab]:
    with labs.start(seed="demo", guests="simulated") as server:
        grow_fleet(server, GUESTS)
        yield server


@pytest.fixture
def connection(fleet: labs.Lab) -> Connection:
    (name, secret), url = fleet.token.split("="), urlsplit(fleet.url)
    user, token_id = name.split("!")
    return Connection(str(url.hostname), int(url.port or 0), user, token_id, secret, ca_path=str(fleet.ca_path))


def _cpu_s(work: Callable[[], Any]) -> float:
    """The best of some rounds: of this thread only, since the lab works in others."""

    def once() -> float:
        started = time.thread_time()
        work()
        return time.thread_time() - started

    return min(once() for _round in range(ROUNDS))


def _wall_s(work: Callable[[], Any]) -> float:
    """The best of some rounds, as a user waits for it."""

    def once() -> float:
        started = time.perf_counter()
        work()
        return time.perf_counter() - started

    return min(once() for _round in range(ROUNDS))


def _compare(what: str, ours: Callable[[], Any], bare: Callable[[], Any]) -> None:
    """Print both times; ours may be three times that of the bare calls."""
    cpu_s, bare_cpu_s, wall_s, bare_wall_s = _cpu_s(ours), _cpu_s(bare), _wall_s(ours), _wall_s(bare)
    print(f"\n{what} of {GUESTS} guests: {wall_s * 1000:.0f} ms, bare calls {bare_wall_s * 1000:.0f} ms: x {wall_s / bare_wall_s:.1f}")
    print(f"of which CPU of ours {cpu_s * 1000:.0f} ms, bare calls {bare_cpu_s * 1000:.0f} ms: x {cpu_s / bare_cpu_s:.1f}")
    assert wall_s <= 3 * bare_wall_s


def _bare(connection: Connection, paths: tuple[str, ...]) -> None:
    client = Client(connection)
    for path in paths:
        with suppress(ApiError):  # the token may not ask for the cluster's status
            client.get(path)


def test_facts_beside_the_bare_calls(fleet: labs.Lab, connection: Connection) -> None:
    fleet.journal_book.clear()
    gather(Client(connection), Question())
    assert len(fleet.journal()) <= 5
    _compare("facts", lambda: gather(Client(connection), Question()), lambda: _bare(connection, BARE))


def test_hosts_beside_the_bare_calls(fleet: labs.Lab, connection: Connection) -> None:
    question = Question(parts=frozenset({"apps", "unmanaged", "quorum"}))

    def hosts() -> None:
        facts = gather(Client(connection), question)
        list(hosts_of({"home": {"guests": [*facts["apps"], *facts["unmanaged"]]}}, Style(entries=("miniflux", "gitea"))))

    _compare("hosts, groups and variables", hosts, lambda: _bare(connection, ("/cluster/resources", "/cluster/status")))


def test_inventory_beside_community_proxmox(fleet: labs.Lab, connection: Connection, tmp_path: Path) -> None:
    us = {"name": "home", "api_host": connection.host, "api_port": connection.port, "ca_path": connection.ca_path}
    us |= {"api_token_id": f"{connection.user}!{connection.token_id}", "api_token_secret": connection.token_secret}
    them = {"url": fleet.url, "user": connection.user, "token_id": connection.token_id, "token_secret": connection.token_secret}
    sources: dict[str, dict[str, Any]] = {
        "empty": {"all": {"hosts": {"one": None}}},
        "proximity": {"plugin": "proximity.platform.proximity", "clusters": [us], "unmanaged": True},
        "community.proxmox": {"plugin": "community.proxmox.proxmox", **them, "want_facts": False},
        "community.proxmox, want_facts": {"plugin": "community.proxmox.proxmox", **them, "want_facts": True},
    }
    files = ("hosts.yml", "home.proximity.yml", "one.proxmox.yml", "two.proxmox.yml")
    measured: dict[str, tuple[int, float, float]] = {}
    for (name, source), file in zip(sources.items(), files, strict=True):
        (tmp_path / file).write_text(yaml.safe_dump(source))
        fleet.journal_book.clear()
        seconds, cpu_s = _run_inventory(tmp_path / file, fleet.ca_path)
        measured[name] = len(fleet.journal()), seconds, cpu_s
    base_s, base_cpu_s = measured["empty"][1:]
    print()
    for name, (calls, seconds, cpu_s) in measured.items():
        more = f"beyond an empty inventory {seconds - base_s:.1f} and {cpu_s - base_cpu_s:.1f}"
        print(f"{name:30} {calls:6} calls {seconds:6.1f} s {cpu_s:6.1f} s of CPU, {more}")
    ours = measured["proximity"]
    for name in ("community.proxmox", "community.proxmox, want_facts"):
        calls, seconds, _cpu_s = measured[name]
        print(f"{name}: {calls / ours[0]:.0f} x the calls, {seconds / ours[1]:.1f} x the seconds of ours")
    assert ours[0] <= 5


def _run_inventory(source: Path, ca_path: Path) -> tuple[float, float]:
    """Wall-clock and CPU seconds of `ansible-inventory --graph`."""
    program = str(Path(sys.executable).with_name("ansible-inventory"))
    environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "REQUESTS_CA_BUNDLE": str(ca_path)}
    environment.pop("PYTHONPATH", None)
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run([program, "-i", str(source), "--graph"], cwd=ROOT, env=environment, capture_output=True, check=True, timeout=900)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.monotonic() - started, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
