"""The lab's API past our own code, for tests to look at what our code did."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from typing import Any

import lab as labs
import requests

Result = dict[str, Any]
Run = Callable[..., Result]


class Pve:
    """Calls as root; whatever is not answered with 200 fails the test."""

    def __init__(self, lab: labs.Lab, session: requests.Session) -> None:
        self._url, self._session = f"{lab.url}/api2/json", session
        session.trust_env = False  # a bundle of the environment would win over ours
        session.verify = str(lab.ca_path)
        session.headers["Authorization"] = f"PVEAPIToken={lab.tokens['root@pam!test']}"

    def get(self, path: str, **params: Any) -> Any:
        return self._answer(self._session.get(self._url + path, params=params))

    def post(self, path: str, /, **data: Any) -> Any:
        return self._answer(self._session.post(self._url + path, data=data))

    def put(self, path: str, /, **data: Any) -> Any:
        return self._answer(self._session.put(self._url + path, data=data))

    def delete(self, path: str, **params: Any) -> Any:
        return self._answer(self._session.delete(self._url + path, params=params))

    def config(self, vmid: int) -> dict[str, Any]:
        return dict(self.get(f"/nodes/pve1/lxc/{vmid}/config"))

    def status(self, vmid: int) -> str:
        return str(self.get(f"/nodes/pve1/lxc/{vmid}/status/current")["status"])

    def record(self, vmid: int) -> dict[str, Any]:
        return dict(json.loads(re.search(r"<!-- proximity (\{.*\}) -->", self.config(vmid)["description"])[1]))  # type: ignore[index]

    def vmids(self) -> list[int]:
        return sorted(row["vmid"] for row in self.get("/cluster/resources", type="vm"))

    def make_guest(self, vmid: int, **form: Any) -> None:
        """A container that is none of ours."""
        template = self.get("/nodes/pve1/storage/local/content", content="vztmpl")[0]["volid"]
        self.wait(self.post("/nodes/pve1/lxc", vmid=vmid, ostemplate=template, rootfs="local-lxc:1", **form))

    def wait(self, upid: str) -> None:
        while self.get(f"/nodes/pve1/tasks/{upid}/status")["status"] == "running":
            time.sleep(0.01)

    def _answer(self, response: requests.Response) -> Any:
        assert response.status_code == 200, response.reason
        return response.json()["data"]
