"""Modules run as Ansible runs them, against a lab of their own with simulated guests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import requests
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as module_warnings
from ansible_collections.proximity.platform.plugins.modules import proximity_app
from integration.definition import DEFINITION
from integration.pve import Pve, Result, Run


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    with labs.start(seed="demo", guests="simulated") as server:
        yield server


def _connection(lab: labs.Lab) -> dict[str, Any]:
    url = urlsplit(lab.url)
    token_id, _sign, secret = lab.token.partition("=")
    return {
        "api_host": url.hostname,
        "api_port": url.port,
        "api_token_id": token_id,
        "api_token_secret": secret,
        "ca_path": str(lab.ca_path),
        "api_retry_s": 5,
    }


@pytest.fixture
def connection(lab: labs.Lab) -> dict[str, Any]:
    """The parameters that reach the lab."""
    return _connection(lab)


@pytest.fixture
def three_nodes() -> Iterator[labs.Lab]:
    with labs.start(seed="fleet", guests="simulated") as server:
        yield server


@pytest.fixture
def connection_of() -> Callable[[labs.Lab], dict[str, Any]]:
    """The parameters that reach a lab."""
    return _connection


@pytest.fixture
def app(connection: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run proximity_app: `app(name="x", check=True)` returns its result, `failed` included."""

    def run(check: bool = False, entry: bool = True, **params: Any) -> Result:
        given = {**connection, "name": "hello", **({"definition": DEFINITION} if entry else {}), **params}
        arguments = {**given, "_ansible_check_mode": check, "_ansible_diff": True}
        monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        # Since 2.19: where a test of this process has loaded a plugin, a module's warnings would go to the screen.
        if hasattr(module_warnings, "_internal"):
            monkeypatch.setattr(module_warnings._internal, "is_controller", False)
        with pytest.raises(SystemExit):
            proximity_app.main()
        return dict(json.loads(capsys.readouterr().out.strip().splitlines()[-1]))

    return run


@pytest.fixture
def process(connection: dict[str, Any]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Begin a run of proximity_app in a process of its own, as another controller on this machine would."""
    started: list[subprocess.Popen[str]] = []

    def begin(**params: Any) -> subprocess.Popen[str]:
        script = Path(__file__).with_name("run_module.py")
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        child = subprocess.Popen([sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        started.append(child)
        assert child.stdin
        json.dump({**connection, "name": "hello", "definition": DEFINITION, **params}, child.stdin)
        child.stdin.close()
        return child

    yield begin
    for child in started:
        child.kill()
        child.wait()
        if child.stdout:
            child.stdout.close()


@pytest.fixture
def deployed(app: Run) -> Result:
    """The app `hello`, deployed and reported healthy; its `app`."""
    made = app()["app"]
    return dict(app(report={"vmid": made["vmid"], "node": made["node"], "healthy": True, "address": made["address"]})["app"])


@pytest.fixture
def pve(lab: labs.Lab) -> Iterator[Pve]:
    with requests.Session() as session:
        yield Pve(lab, session)
