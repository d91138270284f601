"""No secret of the user's or of the connection's shows anywhere but where it is used."""

from __future__ import annotations

import json
from typing import Any

import lab as labs
from integration.pve import Pve, Result, Run

HUSH = "correct-horse-battery-staple"
PIN = "4711-very-secret"


def _everything(result: Result, lab: labs.Lab, pve: Pve) -> str:
    """All that somebody could read: the result with its invocation, what was sent, and what stands in the cluster."""
    sent = [entry.shown() for entry in lab.journal()]
    return json.dumps([result, sent, pve.get("/cluster/resources"), [pve.config(vmid) for vmid in pve.vmids()]])


def test_values_of_environment_and_password_options_show_nowhere(app: Run, pve: Pve, lab: labs.Lab, connection: dict[str, Any]) -> None:
    result = app(environment={"EXTRA": HUSH}, options={"pin": PIN})
    text = _everything(result, lab, pve)
    for secret in (HUSH, PIN, connection["api_token_secret"]):
        assert secret not in text
    assert result["app"]["record"]["environment"] == ["EXTRA"]


def test_values_show_in_no_failure(app: Run, pve: Pve, lab: labs.Lab, connection: dict[str, Any]) -> None:
    for broken in ({"storage": "nope"}, {"api_token_id": "proximity@pve!other"}, {"ca_path": None}, {"environment": {"NOPE": HUSH}}):
        result = app(**{"environment": {"EXTRA": HUSH}, "options": {"pin": PIN}, **broken})
        assert result["failed"]
        text = _everything(result, lab, pve)
        for secret in (HUSH, PIN, connection["api_token_secret"]):
            assert secret not in text


def test_short_values_do_not_black_out_the_result(app: Run) -> None:
    result = app(environment={"EXTRA": "8"}, options={"pin": "hello"})
    assert isinstance(result["app"]["vmid"], int)
    assert result["app"]["name"] == "hello"
    assert "*" not in json.dumps(result["app"])
