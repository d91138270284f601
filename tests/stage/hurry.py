"""Time that goes on while nobody waits."""

from __future__ import annotations

import time

SPEED = 20.0
"""Whoever waits, for an app to answer or before another attempt, loses so many times less."""
WAITED_FOR_S = 0.1


def hurry() -> None:
    """The time that everybody is told goes on as if waits had not been shorter."""
    sleep, now, skipped = time.sleep, time.monotonic, [0.0]

    def sleep_less(seconds: float) -> None:
        less = seconds / SPEED if seconds >= WAITED_FOR_S else seconds
        sleep(less)
        skipped[0] += seconds - less

    time.sleep = sleep_less  # type: ignore[assignment]
    time.monotonic = lambda: now() + skipped[0]
