"""A small client for the lab's own tests: call it with `GET /path`, wait for tasks."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import requests

TASK_S = 20.0


class Client:
    """Calls to the lab as whoever holds the token."""

    def __init__(self, url: str, token: str, ca_path: Path) -> None:
        self.base, self.token = f"{url}/api2/json", token
        self.http = requests.Session()
        self.http.verify, self.http.trust_env = str(ca_path), False

    def __call__(self, call: str, **data: Any) -> requests.Response:
        method, path = call.split()
        in_query = method in {"GET", "DELETE"}
        params, form = (data, None) if in_query else (None, data)
        headers = {"Authorization": f"PVEAPIToken={self.token}"} if self.token else {}
        return self.http.request(method, self.base + path, params=params, data=form, headers=headers, timeout=30)

    def data(self, call: str, **data: Any) -> Any:
        reply = self(call, **data)
        assert reply.status_code == 200, f"{call}: {reply.status_code} {reply.reason} {reply.text}"
        return reply.json()["data"]

    def done(self, call: str, **data: Any) -> str:
        """Start a task and wait for it; the answer is its exit status."""
        return self.wait(self.data(call, **data))

    def wait(self, upid: str) -> str:
        """The exit status of a task, once it has one."""
        node, end = upid.split(":")[1], time.monotonic() + TASK_S
        while time.monotonic() < end:
            status = self.data(f"GET /nodes/{node}/tasks/{upid}/status")
            if status["status"] == "stopped":
                return str(status["exitstatus"])
            time.sleep(0.01)
        raise AssertionError(f"{upid} still runs")

    def close(self) -> None:
        self.http.close()
