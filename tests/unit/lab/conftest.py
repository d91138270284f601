"""A lab for tests, and clients that trust its certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import lab
import pytest
from lab.client import Client


@pytest.fixture
def server() -> Iterator[lab.Lab]:
    with lab.start(seed="conformance") as running:
        yield running


@pytest.fixture
def client(server: lab.Lab) -> Iterator[Client]:
    found = Client(server.url, server.token, server.ca_path)
    yield found
    found.close()


@pytest.fixture
def limited(server: lab.Lab) -> Iterator[Client]:
    found = Client(server.url, server.tokens["alice@pve!t1"], server.ca_path)
    yield found
    found.close()


@pytest.fixture
def hurried(server: lab.Lab, client: Client) -> Callable[[str], str]:
    """Wait for a task by turning the clock; the answer is its exit status."""

    def wait(upid: str) -> str:
        while client.data(f"GET /nodes/{upid.split(':')[1]}/tasks/{upid}/status")["status"] == "running":
            server.advance(60)
            time.sleep(0.01)
        return client.wait(upid)

    return wait
