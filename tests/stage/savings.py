"""What a run of `ansible-playbook` is spared on the stage: work that every process of every run would do anew, with the same outcome."""

from __future__ import annotations

import hashlib
import importlib
import marshal
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

import ansible.cli
import ansible.executor.playbook_executor
import ansible.plugins.strategy.linear
import jinja2
import proxmoxer.backends.https  # noqa: F401
from ansible import constants
from ansible._internal._templating import _jinja_bits
from ansible.executor.process import worker
from ansible.module_utils import _internal
from ansible.plugins import loader
from ansible.plugins.connection import local
from lab.light import programs
from lab.light.progress import Progress

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
PAYLOAD = b"_ansiballz_main("

Outcome = tuple[int, bytes, bytes]


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


def keep_compiled_templates() -> None:
    """Each task is a process of its own, and compiles the templates that the one before has compiled."""
    folder = Path(os.environ["ANSIBLE_HOME"], "templates")  # which goes with the stage
    folder.mkdir(parents=True)
    compiled: Callable[..., CodeType] = jinja2.Environment.compile

    def looked_up(self: jinja2.Environment, source: Any, *arguments: Any, **options: Any) -> CodeType:
        syntax = (type(self), self.trim_blocks, self.lstrip_blocks, self.variable_start_string, self.block_start_string)
        about = repr((source, _escapes(), syntax, arguments, options))
        file = folder / hashlib.sha256(about.encode()).hexdigest()
        with suppress(FileNotFoundError):
            return marshal.loads(file.read_bytes())  # type: ignore[no-any-return]
        code = compiled(self, source, *arguments, **options)
        fresh = file.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(marshal.dumps(code))
        fresh.rename(file)
        return code

    jinja2.Environment.compile = looked_up  # type: ignore[assignment]


def _escapes() -> bool:
    """What Ansible tells its compiler besides the template."""
    context = _jinja_bits._TemplateCompileContext.current(optional=True)
    return bool(context and context.escape_backslashes)


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


def fork_modules() -> None:
    """A module that runs on the controller is forked from the worker that would start it."""
    started: Callable[..., Outcome] = local.Connection.exec_command

    def forked(self: Any, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> Outcome:
        return _run_module(in_data) if in_data and PAYLOAD in in_data else started(self, cmd, in_data, sudoable)

    local.Connection.exec_command = forked


def _run_module(source: bytes) -> Outcome:
    outputs = [os.memfd_create(name) for name in ("out", "err")]
    child = os.fork()
    if not child:
        _be_module(source, outputs)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    told = []
    for file in outputs:
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(file, "rb") as text:
            told.append(text.read())
    return status, told[0], told[1]


def _be_module(source: bytes, outputs: list[int]) -> NoReturn:
    """What tells a module's process from the controller's is as in a new one."""
    _internal.is_controller = False
    _internal.get_controller_serialize_map = dict
    _internal.import_controller_module = lambda _name: None
    given = os.memfd_create("in")
    with os.fdopen(given, "wb", closefd=False) as file:
        file.write(source)
    os.lseek(given, 0, os.SEEK_SET)
    for number, descriptor in enumerate((given, *outputs)):
        os.dup2(descriptor, number)
    programs.run("python3", [], Progress())
