"""Callback trial: a line per entry that was tried, and all of it as JSON in the file that TRIAL_OUTCOMES names."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

LAST_TASK = "Take it down"
SECOND_RUN = "Bring its stack up again"

DOCUMENTATION = """
name: trial
type: stdout
short_description: A line per entry
description: A line per entry that was tried.
"""


class CallbackModule(CallbackBase):
    """Adds up the time of each host's tasks, and keeps what failed."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "trial"

    def __init__(self) -> None:
        super().__init__()
        self.outcomes: dict[str, dict[str, Any]] = {}
        self.began: dict[str, float] = {}

    def _outcome(self, host: str) -> dict[str, Any]:
        return self.outcomes.setdefault(host, {"seconds": 0.0, "failures": [], "again": None})

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self.began[host.get_name()] = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        host = self._timed(result)
        outcome = self._outcome(host)
        if outcome["again"] is not None and result._result.get("changed") and result._task.get_name() != LAST_TASK:
            outcome["again"].append(result._task.get_name())
        if result._task.get_name() == LAST_TASK:
            self._tell(host)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        host = self._timed(result)
        if not ignore_errors:
            told = result._result.get("msg") or result._result.get("stderr") or json.dumps(result._result, default=str)[:300]
            self._outcome(host)["failures"].append(f"{result._task.get_name().rpartition(' : ')[2]}: {told}")

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._timed(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        host = self._timed(result)
        self._outcome(host)["failures"].append(f"unreachable: {result._result.get('msg')}")
        self._tell(host)

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if included_file._task.get_name() == SECOND_RUN:
            for host in included_file._hosts:
                self._outcome(host.get_name())["again"] = []

    def v2_playbook_on_stats(self, stats: Any) -> None:
        Path(os.environ["TRIAL_OUTCOMES"]).write_text(json.dumps(self.outcomes, indent=1, sort_keys=True) + "\n")

    def _timed(self, result: Any) -> str:
        host: str = result._host.get_name()
        self._outcome(host)["seconds"] += time.monotonic() - self.began.get(host, time.monotonic())
        return host

    def _tell(self, host: str) -> None:
        outcome = self._outcome(host)
        if outcome["again"]:
            outcome["failures"].append(f"a second run changed: {', '.join(outcome['again'])}")
        word = "FAILED" if outcome["failures"] else "ok    "
        self._display.display(
            f"{word} {outcome['seconds']:6.1f} s  {host}{''.join(f'{chr(10)}    | {line}' for line in outcome['failures'])}"
        )
