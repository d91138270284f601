"""Who we are, and whether a run is still there."""

from __future__ import annotations

import os
import subprocess
import sys

from ansible_collections.proximity.platform.plugins.module_utils import controller

SAY = """
import sys
from ansible_collections.proximity.platform.plugins.module_utils.controller import identify
print(identify().run, flush=True)
sys.stdin.read()
"""


def _child(*above: str) -> subprocess.Popen[str]:
    """A process that says its run, under programs of these names."""
    command = [*above, sys.executable, "-c", SAY]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)


def test_run_without_ansible_is_this_process() -> None:
    run = controller.identify().run
    assert int(run.split(":")[1]) == os.getpid()
    assert not controller.run_has_ended(run)


def test_run_is_the_topmost_ansible_command(tmp_path: object) -> None:
    playbook = f"{tmp_path}/ansible-playbook"
    with open(playbook, "w") as script:  # noqa: PTH123
        script.write('#!/bin/sh\n"$@"\n')
    os.chmod(playbook, 0o755)  # noqa: PTH101
    with _child(playbook, playbook) as child:
        assert child.stdout
        assert child.stdin
        assert int(child.stdout.readline().split(":")[1]) == child.pid
        child.stdin.close()


def test_run_that_lost_its_parent_is_left_over(tmp_path: object) -> None:
    reaper = f"{tmp_path}/tini"
    with open(reaper, "w") as script:  # noqa: PTH123
        script.write('#!/bin/sh\n"$@"\n')
    os.chmod(reaper, 0o755)  # noqa: PTH101
    with _child(reaper) as adopted, _child() as owned:
        for child, left_over in ((adopted, True), (owned, False)):
            assert child.stdout
            assert child.stdin
            assert controller.run_is_left_over(child.stdout.readline().strip()) is left_over
            child.stdin.close()
    assert not controller.run_is_left_over("elsewhere:1:1")


def test_run_has_ended_with_its_process() -> None:
    with _child() as child:
        assert child.stdout
        run = child.stdout.readline().strip()
        assert not controller.run_has_ended(run)
        child.kill()
    assert controller.run_has_ended(run)


def test_process_that_inherited_the_number_is_another_run() -> None:
    machine, pid, ticks = controller.identify().run.split(":")
    assert controller.run_has_ended(f"{machine}:{pid}:{int(ticks) - 1}")


def test_runs_of_other_machines_and_of_unknown_form_are_left_alone() -> None:
    machine = controller.identify().run.split(":")[0]
    for run in ("elsewhere:1:1", "", "nonsense", f"{machine}:x:y", f"{machine}:99999999:0"):
        assert not controller.run_has_ended(run)


def test_seeds_differ() -> None:
    assert controller.identify().seed != controller.identify().seed
