"""The programs that a guest has of ours: functions of its process, which are called as if they were started."""

from __future__ import annotations

import os
import re
import stat
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NoReturn

from lab.light import client, docker
from lab.light.progress import Progress

MODULE = re.compile(r"ansible_module='(?:\w+\.)*(\w+)'")


def make_scripts(folder: Path) -> Path:
    """A folder with a script for each of them, and for ssh, whose calls go to where LIGHT_DOOR says."""
    folder.mkdir(parents=True, exist_ok=True)
    python = Path(getattr(sys, "_base_executable", sys.executable)).resolve()
    text = f"#!{python} -IS\n{Path(client.__file__).read_text()}"
    for name in (*PROGRAMS, "ssh"):
        script = folder / name
        script.write_text(text)
        script.chmod(stat.S_IRWXU | stat.S_IRGRP | stat.S_IXGRP | stat.S_IROTH | stat.S_IXOTH)
    return folder


def run(name: str, words: list[str], progress: Progress) -> NoReturn:
    """Be that program to its end."""
    status = 1
    try:
        sys.stdin, sys.stdout, sys.stderr = (os.fdopen(number, "w" if number else "r", closefd=False) for number in range(3))
        sys.argv = [name, *words]
        status = PROGRAMS[name](words, progress)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    finally:
        if error := sys.exc_info()[1]:
            traceback.print_exception(error)  # as an interpreter does
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def _python(words: list[str], progress: Progress) -> int:
    """An interpreter with a program on its standard input or in a file."""
    source = Path(words[0]).read_text() if words else sys.stdin.read()
    module = MODULE.search(source)
    progress.call_it(module[1] if module else "python3")
    sys.argv = words or [""]
    sys.dont_write_bytecode = True
    main = sys.modules["__main__"] = ModuleType("__main__")
    code = compile(source, words[0] if words else "<stdin>", "exec", dont_inherit=True)
    progress.watch()
    exec(code, main.__dict__)
    return 0


def _docker(words: list[str], progress: Progress) -> int:
    progress.call_it("docker")
    progress.watch()
    return docker.main(words)


def _systemctl(words: list[str], progress: Progress) -> int:
    progress.call_it("systemctl")
    progress.watch()
    return docker.systemctl(words)


PROGRAMS: dict[str, Callable[[list[str], Progress], int]] = {"python3": _python, "docker": _docker, "systemctl": _systemctl}
