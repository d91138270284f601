"""The callback, fed with events that are hard to bring about in a run."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from ansible import context
from ansible_collections.proximity.platform.plugins.callback.steps import DOCUMENTATION, CallbackModule
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.lines import HIDDEN, make_line

SECRET = "planted-1"


class Driver:
    """Calls the callback as Ansible would, for one host, and remembers what it shows and sends."""

    def __init__(self, plugin: Any) -> None:
        self.plugin = plugin
        self.shown: list[str] = []
        self.sent: list[dict[str, Any]] = []
        # Plugin loaders, which would compute the options, change this process for tests of modules.
        plugin.set_options = lambda var_options: None
        plugin._plugin_options = {name: option.get("default") for name, option in yaml.safe_load(DOCUMENTATION)["options"].items()}
        plugin._display = SimpleNamespace(display=lambda text, color=None: self.shown.append(text), warning=self.shown.append)
        plugin._send = self.sent.extend
        variables = SimpleNamespace(get_vars=lambda play, host=None: {"proximity_cluster": "home"})
        plugin.v2_playbook_on_start(SimpleNamespace(_loader=None, _file_name="/somewhere/deploy.yml"))
        plugin.v2_playbook_on_play_start(SimpleNamespace(get_variable_manager=lambda: variables))
        self.host = SimpleNamespace(get_name=lambda: "feeds")

    def task(self, name: str, role: str | None = "proximity.platform.docker", action: str = "ansible.builtin.command", **more: Any) -> Any:
        owner = SimpleNamespace(get_name=lambda: role) if role else None
        return SimpleNamespace(name=name, _role=owner, action=action, resolved_action=action, _uuid=name, **more)

    def run(self, event: str, task: Any, result: dict[str, Any], **more: Any) -> None:
        self.plugin.v2_runner_on_start(self.host, task)
        told = SimpleNamespace(_host=self.host, _task=task, _result=result, _task_fields={"name": task.name})
        getattr(self.plugin, f"v2_runner_on_{event}")(told, **more)

    def end(self, failures: int = 0, unreachable: int = 0) -> list[dict[str, Any]]:
        self.plugin.v2_playbook_on_stats(SimpleNamespace(summarize=lambda host: {"failures": failures, "unreachable": unreachable}))
        return self.sent


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Driver:
    monkeypatch.setattr(context, "CLIARGS", {})
    return Driver(CallbackModule())


def test_changes_are_told_and_what_is_as_it_was_is_not(driver: Driver) -> None:
    driver.run("ok", driver.task("Install Docker"), {"changed": True, "invocation": {"module_args": {"x": SECRET}}, "stdout": SECRET})
    driver.run("ok", driver.task("Look"), {"changed": False})
    driver.run("skipped", driver.task("Skip"), {"skipped": True})
    driver.run("ok", driver.task("Somebody else's", role="theirs.things.role"), {"changed": True})
    driver.run("ok", driver.task("Of no role", role=None), {"changed": True})
    (line,) = driver.shown
    assert "feeds  docker: Install Docker: changed, after 0." in line
    assert driver.end() == []


def test_lines_of_our_modules_are_told_wherever_they_run(driver: Driver) -> None:
    log = [make_line("info", "create", "Done: create guest 8123")]
    driver.run("ok", driver.task("Of no role", role=None, action="proximity.platform.proximity_app"), {"changed": True, "log": log})
    driver.run("ok", driver.task("Not ours", role=None, action="other.things.module"), {"changed": True, "log": log})
    assert [line.partition("  ")[2] for line in driver.shown] == ["create: Done: create guest 8123"]
    driver.end()


def test_what_no_log_hides_is_told_nowhere(driver: Driver) -> None:
    task = driver.task("Write options")
    driver.run("failed", task, {"censored": "hidden", "_ansible_no_log": True, "msg": SECRET, "log": [make_line("info", "x", SECRET)]})
    (sent,) = driver.end(failures=1)
    assert sent["error"] == HIDDEN
    assert SECRET not in str(sent) + str(driver.shown)


def test_a_failure_that_was_mended_is_not_sent(driver: Driver) -> None:
    driver.run("failed", driver.task("Start"), {"msg": "It broke"})
    assert driver.end(failures=0) == []
    assert "docker: Start: It broke" in driver.shown[0]


def test_all_that_failed_is_sent_as_one(driver: Driver) -> None:
    driver.run("ok", driver.task("Install Docker"), {"changed": True})
    driver.run("failed", driver.task("Start"), {"msg": "It broke"})
    driver.run("failed", driver.task("Fail with what failed", role="proximity.platform.app"), {"msg": "App feeds failed: It broke"})
    (sent,) = driver.end(failures=1)
    assert (sent["app"], sent["cluster"], sent["step"], sent["task"]) == ("feeds", "home", "docker", "Start")
    assert sent["error"] == "App feeds failed: It broke"
    assert [line["message"] for line in sent["log"]][1:] == ["Start: It broke", "Fail with what failed: App feeds failed: It broke"]


@pytest.mark.parametrize("ignored", [True, False])
def test_unreachable(driver: Driver, ignored: bool) -> None:
    driver.run("unreachable", driver.task("Knock", ignore_unreachable=ignored), {"msg": "No route", "unreachable": True})
    sent = driver.end(unreachable=int(not ignored))
    assert [failure["error"] for failure in sent] == ([] if ignored else ["Unreachable: No route"])


def test_an_error_that_is_ignored_is_a_warning(driver: Driver) -> None:
    driver.run("failed", driver.task("Try"), {"msg": "No"}, ignore_errors=True)
    assert driver.end(failures=1) == []


def test_a_task_that_lasts_is_told_while_it_runs(driver: Driver) -> None:
    driver.plugin._plugin_options["quiet_s"] = 0.1
    task = driver.task("Install Docker")
    driver.plugin.v2_runner_on_start(driver.host, task)
    driver.plugin._over.wait(0.8)
    assert [line.partition("  ")[2] for line in driver.shown] == ["docker: Install Docker ..."]
    driver.end()
