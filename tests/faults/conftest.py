"""How many cases have been run, of how many; told at the end, whoever of several processes has run them."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from typing import cast

import pytest
from faults.moments import Case, enumerate_cases, shared_file
from faults.world import states

_run: Counter[tuple[str, str]] = Counter()
_all: dict[str, int] = {}


@pytest.fixture(autouse=True)
def counted(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> None:
    """What the process that tells of it needs to know of a case."""
    what = {"test_fault": "faults", "test_kill": "kills"}.get(request.function.__name__)
    if what:
        case: Case = request.getfixturevalue("case")
        record_property("case", [what, case.deed, len(enumerate_cases(what))])


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
    shared_file().unlink(missing_ok=True)
    if states.cache_info().currsize:
        shutil.rmtree(states(), ignore_errors=True)
