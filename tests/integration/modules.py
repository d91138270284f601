"""Any module of the collection, run in this process as Ansible runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import basic
from ansible.module_utils.common import warnings as module_warnings
from integration.pve import Result


class Runner:
    """`Runner(proximity_port, connection, ...)(name="x", check=True)` returns the module's result, `failed` included."""

    def __init__(self, module: Any, given: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._module, self._given, self._capsys, self._monkeypatch = module, given, capsys, monkeypatch

    def __call__(self, check: bool = False, **params: Any) -> Result:
        arguments = {**self._given, **params, "_ansible_check_mode": check, "_ansible_diff": True}
        self._monkeypatch.setattr(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode())
        self._monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
        if hasattr(module_warnings, "_internal"):
            self._monkeypatch.setattr(module_warnings._internal, "is_controller", False)
        with pytest.raises(SystemExit):
            self._module.main()
        return dict(json.loads(self._capsys.readouterr().out.strip().splitlines()[-1]))

    def four_times(self, **params: Any) -> Result:
        """Check, real, check again, real again: only the first two change anything, and both tell the same plan."""
        check, real, check_again, real_again = (self(check=check, **params) for check in (True, False, True, False))
        assert not [result["msg"] for result in (check, real, check_again, real_again) if result.get("failed")]
        assert (check["changed"], real["changed"], check_again["changed"], real_again["changed"]) == (True, True, False, False)
        assert (check["plan"], check["diff"]) == (real["plan"], real["diff"])
        assert check_again["plan"] == real_again["plan"] == []
        return real


def begin_module(name: str, params: dict[str, Any]) -> subprocess.Popen[str]:
    """Begin a run of a module in a process of its own, as another controller on this machine would."""
    script = Path(__file__).with_name("run_any.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    child = subprocess.Popen(
        [sys.executable, str(script), name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,
    )
    assert child.stdin
    json.dump(params, child.stdin)
    child.stdin.close()
    child.stdin = None
    return child
