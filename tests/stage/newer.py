"""What a run is spared besides, from Ansible 2.19 on: templates are compiled once, and modules for the controller are forked."""

from __future__ import annotations

import hashlib
import marshal
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import CodeType
from typing import Any, NoReturn

import jinja2
from ansible._internal._templating import _jinja_bits
from ansible.module_utils import _internal
from ansible.plugins.connection import local
from lab.light import programs
from lab.light.progress import Progress

PAYLOAD = b"_ansiballz_main("

Outcome = tuple[int, bytes, bytes]


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
