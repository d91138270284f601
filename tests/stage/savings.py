"""What a run of `ansible-playbook` is spared on the stage: work that every process of every run would do anew, with the same outcome."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import ansible.cli
import ansible.executor.playbook_executor
import ansible.plugins.strategy.linear
import proxmoxer.backends.https  # noqa: F401
from ansible import constants
from ansible.executor.process import worker
from ansible.plugins import loader

OURS = "proximity.platform"
ACTIONS = (
    *("add_host", "assert", "command", "copy", "debug", "fail", "normal", "raw", "service", "set_fact", "shell", "uri"),
    "validate_argument_spec",
)
PLUGINS = {
    loader.connection_loader: (f"{OURS}.pct", "local"),
    loader.shell_loader: ("sh",),
    loader.strategy_loader: ("linear",),
    loader.action_loader: (f"{OURS}.proximity_app", f"{OURS}.proximity_log", *(f"ansible.builtin.{name}" for name in ACTIONS)),
    loader.lookup_loader: (f"{OURS}.catalog", f"{OURS}.settings", "items"),
    loader.callback_loader: ("default",),
    loader.inventory_loader: ("host_list", "auto", "yaml", "ini", "constructed"),
    loader.filter_loader: (f"{OURS}.stack", f"{OURS}.dotenv"),
}
MODULES = tuple(f"proximity_{name}" for name in ("app", "apps", "backup", "backups", "facts", "janitor", "job", "moves", "reconcile"))
POLL_S = 0.01


def load_plugins() -> None:
    """And the places of collections; a run that asks for these again finds them known."""
    loader.init_plugin_loader()
    for kind, names in PLUGINS.items():
        for name in names:
            found = kind.get_with_context(name, class_only=True)
            assert found.object, f"there is no plugin {name}"
    for kind in (loader.filter_loader, loader.test_loader):
        list(kind.all())
    for kind in (loader.connection_loader, loader.shell_loader, loader.become_loader):
        list(kind.all(class_only=True))  # each run looks at all of these
    ansible.cli.init_plugin_loader = lambda *_places: None


def load_our_modules() -> None:
    """What modules that run on the controller import; a module itself is run anew each time."""
    for name in MODULES:
        importlib.import_module(f"ansible_collections.{OURS}.plugins.modules.{name}")
        del sys.modules[f"ansible_collections.{OURS}.plugins.modules.{name}"]


def look_less_often() -> None:
    """A run asks a thousand times a second whether its tasks have ended."""
    constants.DEFAULT_INTERNAL_POLL_INTERVAL = POLL_S


def tell_tasks() -> None:
    """The name of its task stands in the environment of whatever a worker starts."""
    run: Callable[[Any], None] = worker.WorkerProcess._run

    def told(self: Any) -> None:
        os.environ["LIGHT_TASK"] = self._task.name
        run(self)

    worker.WorkerProcess._run = told
