"""A run of Ansible, as far as the module sees it: a process of its own that holds leases, and tasks that are modules."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as module_warnings
from ansible_collections.proximity.platform.plugins.module_utils import controller, module, nouns
from ansible_collections.proximity.platform.plugins.module_utils.api import Client, Clock, Connection
from ansible_collections.proximity.platform.plugins.module_utils.model import Controller
from ansible_collections.proximity.platform.plugins.modules import proximity_app
from faults.hurried import Hurry

Result = dict[str, Any]
IMPATIENT_S = 0.4
"""How long a client waits for an answer while faults are about: what comes later is an answer that was lost."""
PATIENT_S = 60.0
SHORT = {"create_s": 40, "start_s": 20, "shutdown_s": 10, "address_s": 20, "copy_s": 60}
"""Seconds of the hurried clock after which a run with faults gives up."""


def connection_to(lab: labs.Lab) -> dict[str, Any]:
    """The parameters of a module that reach the lab."""
    url, (token_id, _sign, secret) = urlsplit(lab.url), lab.token.partition("=")
    return {
        "api_host": url.hostname,
        "api_port": url.port,
        "api_token_id": token_id,
        "api_token_secret": secret,
        "ca_path": str(lab.ca_path),
    }


class Play:
    """One run: `play(name="x")` is a task of it, and answers the module's result, `failed` included.

    `connection` holds the parameters that reach the lab; `run` is what it calls itself in leases, this very process unless given.
    """

    def __init__(self, connection: Mapping[str, Any], clock: Clock, patient: bool, run: str = "") -> None:
        self._connection, self._clock, self.patient, self._run = connection, clock, patient, run

    def __call__(self, **params: Any) -> Result:
        given = {"name": "hello", **params}
        if not self.patient:
            given["timeouts"] = {**SHORT, **params.get("timeouts", {})}
        return self.task(proximity_app, **given)

    def task(self, ansible_module: ModuleType, **params: Any) -> Result:
        """A task with any module."""
        given = {**self._connection, **params}
        with pytest.MonkeyPatch.context() as patch, redirect_stdout(io.StringIO()) as told:
            self._patch(patch, given)
            with pytest.raises(SystemExit):
                ansible_module.main()
        return dict(json.loads(told.getvalue().strip().splitlines()[-1]))

    def _patch(self, patch: pytest.MonkeyPatch, given: dict[str, Any]) -> None:
        """What surrounds a module: its arguments, the time, and the run that it belongs to."""
        arguments = {"ANSIBLE_MODULE_ARGS": {key: value for key, value in given.items() if value is not None}}
        patch.setattr(basic, "_ANSIBLE_ARGS", json.dumps(arguments).encode())
        patch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        if hasattr(module_warnings, "_internal"):
            patch.setattr(module_warnings._internal, "is_controller", False)
        for place in (module, nouns):
            patch.setattr(place, "Client", self._client)
        own = controller.identify()
        patch.setattr(nouns, "identify", lambda: Controller(own.holder, self._run or own.run, own.seed))

    def _client(self, connection: Connection, read_only: bool = False) -> Client:
        timeout_s = PATIENT_S if self.patient else IMPATIENT_S
        return Client(replace(connection, timeout_s=timeout_s), read_only, self._clock)


@contextmanager
def run_of_ansible(lab: labs.Lab, patient: bool = True) -> Iterator[Play]:
    """A run whose process ends with the `with`: its leases are free from then on, as after any end of it."""
    process = subprocess.Popen(["sleep", "600"])
    machine = controller.identify().run.split(":")[0]
    try:
        run = f"{machine}:{process.pid}:{controller._started(process.pid)}"
        yield Play(connection_to(lab), Hurry(lab, speed=20 if patient else 100).clock(), patient, run)
    finally:
        process.kill()
        process.wait()
