"""How many cases have been run, of how many; told at the end, whoever of several processes has run them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Sequence
from typing import cast

import pytest
from faults.backup_deeds import backup_states
from faults.backup_moments import cases as backup_cases
from faults.execs.moments import enumerate_cases as enumerate_exec_cases
from faults.execs.site import place
from faults.moments import enumerate_cases, shared_file
from faults.world import states

TABLES: dict[str, tuple[str, Callable[[], Sequence[object]]]] = {
    "test_fault": ("faults of calls", lambda: enumerate_cases("faults")),
    "test_kill": ("kills at calls", lambda: enumerate_cases("kills")),
    "test_backup_fault": ("faults of calls about backups", lambda: backup_cases("faults")),
    "test_backup_kill": ("kills at calls about backups", lambda: backup_cases("kills")),
    "test_exec_fault": ("faults of commands in guests, kills among them", enumerate_exec_cases),
}

_run: Counter[tuple[str, str]] = Counter()
_all: dict[str, int] = {}


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """What the process that tells of it needs to know of a case."""
    if request.function.__name__ in TABLES:
        what, cases = TABLES[request.function.__name__]
        record_property("case", [what, request.getfixturevalue("case").deed, len(cases())])


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    for name, value in report.user_properties if report.when == "call" else ():
        if name == "case":
            what, deed, every = cast(tuple[str, str, int], value)
            _run[what, deed] += 1
            _all[what] = every


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for what, every in sorted(_all.items()):
        by_deed = {deed: count for (each, deed), count in _run.items() if each == what}
        told = ", ".join(f"{deed} {count}" for deed, count in by_deed.items())
        terminalreporter.write_line(f"{what}: {sum(by_deed.values())} of {every} cases ({told})")


def pytest_sessionfinish() -> None:
    for name in ("calls", "backups"):
        shared_file(name).unlink(missing_ok=True)
    for folder in (each for each in (states, backup_states) if each.cache_info().currsize):
        shutil.rmtree(folder(), ignore_errors=True)
    if place.cache_info().currsize:
        place().close()
