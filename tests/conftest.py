"""What tests of all kinds leave behind."""

from __future__ import annotations

from stage.playbooks import end_stage


def pytest_sessionfinish() -> None:
    end_stage()
