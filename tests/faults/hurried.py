"""The controller's time, which goes faster than real time and takes the lab's clock along: whoever waits loses little."""

from __future__ import annotations

import random
import time

import lab as labs
from ansible_collections.proximity.platform.plugins.module_utils.api import Clock


class Hurry:
    """Each second that is waited for takes a `speed`-th of one. A jump of the lab's clock is not one of the controller's."""

    def __init__(self, lab: labs.Lab, speed: float = 50) -> None:
        self._lab, self.speed, self._skipped = lab, speed, 0.0

    def clock(self) -> Clock:
        return Clock(now=self._now, sleep=self._sleep, random=random.Random(7).random)

    def _now(self) -> float:
        return time.monotonic() + self._skipped

    def _sleep(self, seconds: float) -> None:
        real = seconds / self.speed
        time.sleep(real)
        self._skipped += seconds - real
        self._lab.advance(seconds - real)
