# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Callback steps: what happens to each app, line by line, shown, kept, and sent where it failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: steps
type: notification
short_description: Log the steps of each app
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Shows a line for each step of each app while a play runs, beside whatever the stdout callback shows.
  - Steps are what modules of this collection tell in RV(ignore:log), tasks of its roles that change something or last longer than
    O(quiet_s), and what fails.
  - With O(folder), the lines are kept on the controller. With O(webhook_url) or O(sentry_dsn), the failures of a run are sent at its end,
    once for each app. One that a C(rescue) has mended is not sent.
  - What cannot be written or sent is told in one warning, and the play goes on.
  - It tells names of tasks, lines of modules, and messages of failed tasks. Arguments and other results are not told, nor is anything of
    a task with C(no_log). In messages, logins in addresses and values of names such as C(PASSWORD) are masked.
  - In check mode lines are shown, and neither kept nor sent.
requirements:
  - enabling it by C(callbacks_enabled = proximity.platform.steps), or with C(ANSIBLE_CALLBACKS_ENABLED)
  - sentry-sdk on the controller, for O(sentry_dsn) only
options:
  live:
    description: Whether lines are shown.
    type: bool
    default: true
    ini:
      - section: callback_steps
        key: live
    env:
      - name: PROXIMITY_LOG_LIVE
    vars:
      - name: proximity_log_live
  quiet_s:
    description: A task that changes nothing gets a line if it lasts so many seconds, and a longer one gets a line while it runs.
    type: float
    default: 1
    ini:
      - section: callback_steps
        key: quiet_s
    env:
      - name: PROXIMITY_LOG_QUIET_S
    vars:
      - name: proximity_log_quiet_s
  folder:
    description:
      - Folder on the controller for files with JSON lines, C(CLUSTER/APP.jsonl). Only their owner can read them.
      - The cluster is the host's variable C(proximity_cluster), else C(proximity_api_host).
    type: path
    ini:
      - section: callback_steps
        key: folder
    env:
      - name: PROXIMITY_LOG_FOLDER
    vars:
      - name: proximity_log_folder
  max_kib:
    description: Size at which a file is set aside, in KiB. V(0) for no limit.
    type: int
    default: 1024
    ini:
      - section: callback_steps
        key: max_kib
    env:
      - name: PROXIMITY_LOG_MAX_KIB
    vars:
      - name: proximity_log_max_kib
  kept:
    description: How many files that were set aside are kept for each app.
    type: int
    default: 3
    ini:
      - section: callback_steps
        key: kept
    env:
      - name: PROXIMITY_LOG_KEPT
    vars:
      - name: proximity_log_kept
  webhook_url:
    description:
      - Address that the failures of a run are sent to, in one POST of JSON.
      - Certificates are verified. Redirections are not followed.
    type: str
    ini:
      - section: callback_steps
        key: webhook_url
    env:
      - name: PROXIMITY_WEBHOOK_URL
    vars:
      - name: proximity_webhook_url
  webhook_token:
    description: Token for the webhook. Better in the environment or a vaulted variable than in a file.
    type: str
    ini:
      - section: callback_steps
        key: webhook_token
    env:
      - name: PROXIMITY_WEBHOOK_TOKEN
    vars:
      - name: proximity_webhook_token
  webhook_token_header:
    description: The header that carries the token, after C(Bearer) if it is V(Authorization), and alone in any other.
    type: str
    default: Authorization
    ini:
      - section: callback_steps
        key: webhook_token_header
    env:
      - name: PROXIMITY_WEBHOOK_TOKEN_HEADER
    vars:
      - name: proximity_webhook_token_header
  webhook_timeout_s:
    description: How long the webhook may take to answer, in seconds.
    type: int
    default: 5
    ini:
      - section: callback_steps
        key: webhook_timeout_s
    env:
      - name: PROXIMITY_WEBHOOK_TIMEOUT_S
    vars:
      - name: proximity_webhook_timeout_s
  webhook_ca_path:
    description: File with the certificates that vouch for the webhook's, besides those that the controller trusts.
    type: path
    ini:
      - section: callback_steps
        key: webhook_ca_path
    env:
      - name: PROXIMITY_WEBHOOK_CA_PATH
    vars:
      - name: proximity_webhook_ca_path
  sentry_dsn:
    description: DSN of a Sentry project that failures are sent to, an event each.
    type: str
    ini:
      - section: callback_steps
        key: sentry_dsn
    env:
      - name: PROXIMITY_SENTRY_DSN
    vars:
      - name: proximity_sentry_dsn
  sentry_environment:
    description: The environment that Sentry lists them under.
    type: str
    ini:
      - section: callback_steps
        key: sentry_environment
    env:
      - name: PROXIMITY_SENTRY_ENVIRONMENT
    vars:
      - name: proximity_sentry_environment
notes:
  - Variables are those of the play and of C(--extra-vars), since a callback belongs to no host.
"""

import threading
import uuid
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.errors import AnsibleError
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.files import LogFolder
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.lines import (
    Line,
    failure_text,
    lines_of,
    make_line,
    scrubbed,
    write_lines,
)
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.reports import NotSent, Sentry, Webhook

OURS = "proximity.platform."
VARIABLES = ("proximity_log_", "proximity_webhook_", "proximity_sentry_")
COLOURS = {
    "debug": constants.COLOR_VERBOSE,
    "info": constants.COLOR_OK,
    "warning": constants.COLOR_WARN,
    "error": constants.COLOR_ERROR,
}
REMEMBERED_LINES = 50
LOOK_EVERY_S = 0.25


@dataclass
class App:
    """What the run knows of a host: whose log it is, its last lines, and what failed."""

    name: str
    cluster: str
    lines: deque[Line] = field(default_factory=lambda: deque(maxlen=REMEMBERED_LINES))
    errors: list[dict[str, str]] = field(default_factory=list)


@dataclass
class Doing:
    """A task that runs for a host."""

    host: Any
    step: str
    task: str
    since: datetime
    told: bool = False

    def seconds(self) -> float:
        return (datetime.now(UTC) - self.since).total_seconds()


class CallbackModule(CallbackBase):
    """Turns events into lines."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "notification"
    CALLBACK_NAME = "proximity.platform.steps"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self._run = uuid.uuid4().hex[:8]
        self._playbook: Any = None
        self._play: Any = None
        self._apps: dict[str, App] = {}
        self._doing: dict[tuple[str, str], Doing] = {}
        self._folder: LogFolder | None = None
        self._warned: set[str] = set()
        self._lock = threading.RLock()
        self._over = threading.Event()
        self._watcher: threading.Thread | None = None

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = playbook

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play
        variables = play.get_variable_manager().get_vars(play=play)
        given = {key: value for key, value in variables.items() if key.startswith(VARIABLES)}
        self.set_options(var_options={key: self._filled(value, variables) for key, value in given.items()})
        if (path := self.get_option("folder")) and not context.CLIARGS.get("check"):
            self._folder = LogFolder(Path(path), self.get_option("max_kib") * 1024, self.get_option("kept"))
        if not self._watcher:
            self._watcher = threading.Thread(target=self._watch, daemon=True)
            self._watcher.start()

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        if role := _role_of(task):
            self._app(host)  # here, since the watcher's thread must not ask for variables
            with self._lock:
                self._doing[host.get_name(), task._uuid] = Doing(host, role, task.name or task.action, datetime.now(UTC))

    def v2_runner_on_ok(self, result: Any) -> None:
        doing = self._end(result)
        if lines := self._told_by(result):
            self._say(result._host, lines)
        elif doing and (result._result.get("changed") or doing.seconds() >= self.get_option("quiet_s")):
            changed = bool(result._result.get("changed"))
            message = f"{doing.task}: {'changed' if changed else 'as it was'}, after {doing.seconds():.1f} s"
            self._say(result._host, [make_line("info" if changed else "debug", doing.step, message)])

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._end(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._fail(result, failure_text(result._result), ignore_errors)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._fail(result, f"Unreachable: {failure_text(result._result)}", bool(getattr(result._task, "ignore_unreachable", False)))

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._over.set()
        if self._watcher:
            self._watcher.join()
        failed = [host for host, app in self._apps.items() if app.errors and _has_failed(stats.summarize(host))]
        if failed and not context.CLIARGS.get("check"):
            self._send([self._failure(host) for host in failed])

    def _end(self, result: Any) -> Doing | None:
        with self._lock:
            return self._doing.pop((result._host.get_name(), result._task._uuid), None)

    def _told_by(self, result: Any) -> list[Line]:
        return lines_of(result._result) if _is_ours(result._task) else []

    def _fail(self, result: Any, text: str, ignored: bool) -> None:
        doing, role = self._end(result), _role_of(result._task)
        lines = self._told_by(result)
        if not (role or lines or _is_ours(result._task)):
            return  # a task of somebody else
        name = str(result._task_fields.get("name") or result._task.name or result._task.action)
        step = doing.step if doing else role or str(result._task.action).rpartition(".")[2]
        line = make_line("warning" if ignored else "error", step, self._masked(f"{name}: {text}"))
        self._say(result._host, [*lines, line])
        if not ignored:
            error = {"time": line["time"], "step": step, "task": name, "message": self._masked(text)}
            self._app(result._host).errors.append(error)

    def _watch(self) -> None:
        """Tell of tasks that last, while they do. What changes or fails is told at its end."""
        while not self._over.wait(LOOK_EVERY_S):
            with self._lock:
                lasting = [doing for doing in self._doing.values() if not doing.told and doing.seconds() >= self.get_option("quiet_s")]
                for doing in lasting:
                    doing.told = True
                    self._say(doing.host, [make_line("debug", doing.step, f"{doing.task} ...", doing.since)])

    def _say(self, host: Any, lines: list[Line]) -> None:
        with self._lock:
            self._put(self._app(host), lines)

    def _put(self, app: App, lines: list[Line]) -> None:
        app.lines.extend(lines)
        if self.get_option("live"):
            for line in lines:
                moment = datetime.fromisoformat(line["time"]).astimezone()
                text = f"{moment:%H:%M:%S} {app.name}  {line['step']}: {line['message']}"
                self._display.display(text, color=COLOURS.get(line["level"]))
        if self._folder:
            about = {"app": app.name, "cluster": app.cluster, "run": self._run}
            try:
                self._folder.append(app.cluster, app.name, write_lines({**line, **about} for line in lines))
            except OSError as error:
                self._warn(f"Cannot keep the log in {self._folder.path}: {error.strerror}.")

    def _app(self, host: Any) -> App:
        """Whose log a host's lines belong to. What its variables cannot tell yet is told by its name."""
        name = host.get_name()
        with self._lock:
            if name not in self._apps:
                variables = self._play.get_variable_manager().get_vars(play=self._play, host=host)
                cluster = next((variables[key] for key in ("proximity_cluster", "proximity_api_host") if variables.get(key)), "")
                app = self._filled(variables.get("app_name") or name, variables)
                self._apps[name] = App(str(app or name), str(self._filled(cluster, variables) or "default"))
            return self._apps[name]

    def _filled(self, value: Any, variables: Mapping[str, Any]) -> Any:
        try:
            return Templar(loader=self._playbook._loader, variables=variables).template(value)
        except AnsibleError:
            return None

    def _failure(self, host: str) -> dict[str, Any]:
        app = self._apps[host]
        first, last = app.errors[0], app.errors[-1]
        about = {"app": app.name, "cluster": app.cluster, "host": host, "time": last["time"], "step": first["step"], "task": first["task"]}
        return {**about, "error": last["message"], "errors": app.errors, "log": list(app.lines)}

    def _send(self, failures: list[dict[str, Any]]) -> None:
        run = {"source": "proximity.platform", "run": self._run, "playbook": Path(self._playbook._file_name).name}
        option = self.get_option
        try:
            if option("webhook_url"):
                names = ("url", "token", "token_header", "timeout_s", "ca_path")
                given = {name: option(f"webhook_{name}") for name in names}
                Webhook(**{name: value for name, value in given.items() if value}).send({**run, "failures": failures})
        except NotSent as error:
            self._warn(str(error))
        try:
            if option("sentry_dsn"):
                Sentry(option("sentry_dsn"), option("sentry_environment") or "").send(run, failures)
        except NotSent as error:
            self._warn(str(error))

    def _masked(self, text: str) -> str:
        return scrubbed(text, filter(None, map(self.get_option, ("webhook_token", "webhook_url", "sentry_dsn"))))

    def _warn(self, text: str) -> None:
        if text not in self._warned:
            self._warned.add(text)
            self._display.warning(text)


def _role_of(task: Any) -> str:
    """The short name of the role of ours that a task belongs to."""
    role = task._role.get_name() if task._role else ""
    return str(role)[len(OURS) :] if str(role).startswith(OURS) else ""


def _is_ours(task: Any) -> bool:
    return str(getattr(task, "resolved_action", None) or task.action).startswith(OURS)


def _has_failed(summary: Mapping[str, int]) -> bool:
    return bool(summary["failures"] or summary["unreachable"])
