"""The daemons' workers: three calls at a time, the fourth waits; what one daemon does holds up no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import lab
import pytest
import requests
from lab.client import Client
from lab.web.workers import Workers

CURRENT = "/nodes/pve/lxc/100/status/current"


@contextmanager
def all_busy(workers: Workers, asked: str, method: str, path: str, count: int = 3) -> Iterator[None]:
    """So many calls that do not end."""
    if not count:
        yield
        return
    with workers.busy(asked, method, path), all_busy(workers, asked, method, path, count - 1):
        yield


def waits(ask: Callable[[], object]) -> bool:
    """Whether a call waits; it is left to itself then."""
    done = threading.Event()

    def run() -> None:
        with suppress(requests.RequestException):  # the lab may be gone before it is answered
            ask()
        done.set()

    threading.Thread(target=run, daemon=True).start()
    return not done.wait(0.2)


def test_the_fourth_call_waits_for_a_worker(server: lab.Lab, client: Client) -> None:
    workers = server.sites[0].workers
    with all_busy(workers, "pve", "GET", "/cluster/resources", 2):
        client.data("GET /cluster/resources")
    with all_busy(workers, "pve", "GET", "/cluster/resources"):
        assert waits(lambda: client.data("GET /cluster/resources"))


@pytest.mark.parametrize(
    ("busy", "free"),
    [
        (("GET", "/version"), f"GET {CURRENT}"),
        (("GET", CURRENT), "GET /version"),
        (("PUT", "/nodes/pve/lxc/100/config"), "GET /nodes/pve/lxc/100/config"),
        (("GET", "/nodes/other/lxc"), "GET /nodes/pve/lxc"),
    ],
)
def test_what_another_daemon_or_node_does_holds_nothing_up(server: lab.Lab, client: Client, busy: tuple[str, str], free: str) -> None:
    with all_busy(server.sites[0].workers, "pve", *busy):
        client.data(free)


def test_calls_for_another_node_are_done_by_its_workers() -> None:
    with lab.start(seed="cluster") as server:
        here, there = (Client(server.urls[node], server.token, server.ca_path) for node in ("pve-c1", "pve-c2"))
        with all_busy(server.sites[0].workers, "pve-c1", "GET", "/nodes/pve-c2/lxc"):
            assert waits(lambda: there.data("GET /nodes/pve-c2/lxc"))
            here.data("GET /nodes/pve-c1/lxc")
        here.close()


def test_a_call_that_takes_longer_keeps_its_worker_busy(server: lab.Lab, client: Client) -> None:
    fault = server.fault("latency", path="/version", seconds=3600)
    with all_busy(server.sites[0].workers, "pve", "GET", "/version", 2):
        assert waits(lambda: client.data("GET /version"))
        assert fault.struck
        assert waits(lambda: client.data("GET /cluster/nextid"))
    server.advance(3600)


def test_each_call_takes_longer_by_the_labs_clock() -> None:
    with lab.start(seed="demo", latency_s=3600) as server:
        client = Client(server.url, server.token, server.ca_path)
        began = server.clock.now()
        assert waits(lambda: client.data("GET /version"))
        server.advance(3600)
        end = time.monotonic() + 5
        while not server.journal():
            assert time.monotonic() < end
            time.sleep(0.01)
        assert server.clock.now() - began >= 3600


def test_as_many_as_it_takes() -> None:
    with lab.start(seed="demo", workers=0) as server:
        client = Client(server.url, server.token, server.ca_path)
        with all_busy(server.sites[0].workers, "pve1", "GET", "/version", 30):
            client.data("GET /version")
        client.close()
