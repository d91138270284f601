"""Playbooks of the collection, run to their end."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from stage.runs import CHECKOUT, Stage

ANSIBLE_PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
LIMIT_S = 1500
USUAL = {"ANSIBLE_CONFIG": str(CHECKOUT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1"}


def run_playbook(*words: str, merged: bool = False, **environment: str) -> subprocess.CompletedProcess[str]:
    """`ansible-playbook` with these words, in the checkout. `merged`: errors stand among the output, in their order.

    It is forked from a process that has imported Ansible, which takes a third of the time; where there are variables of Ansible's in the
    environment, which it reads when it is imported, it is started.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | environment
    if not any(name.startswith("ANSIBLE_") for name in kept):
        ended = _stage().end(_stage().begin(words, kept, merged))
        return subprocess.CompletedProcess(words, ended.status, ended.output, ended.errors)
    command, given = [ANSIBLE_PLAYBOOK, *words], USUAL | kept
    errors = subprocess.STDOUT if merged else subprocess.PIPE
    return subprocess.run(command, cwd=CHECKOUT, env=given, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=LIMIT_S, check=False)


@cache
def _stage() -> Stage:
    return Stage(_folder(), {**os.environ, **USUAL, "ANSIBLE_PIPELINING": "1"})


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix="stage-"))


def end_stage() -> None:
    """Of this process of tests, where it has one."""
    if _stage.cache_info().currsize:
        _stage().close()
        shutil.rmtree(_folder(), ignore_errors=True)
