"""The lab's time: real, or turned by tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(eq=False)
class Alarm:
    """What is to be done at a Unix time of the lab's clock, unless it is cancelled before."""

    when: float
    action: Callable[[], None]


class Clock:
    """Unix time that tests can move on; whoever sleeps by it wakes when it is moved past the end."""

    def __init__(self, frozen_at: float | None = None) -> None:
        """With `frozen_at` (Unix time) the clock stands still until it is moved."""
        self._frozen, self._offset = frozen_at, 0.0
        self._moved = threading.Condition()
        self._alarms: list[Alarm] = []
        self._watched = False

    @property
    def frozen(self) -> bool:
        return self._frozen is not None

    def now(self) -> float:
        return (time.time() if self._frozen is None else self._frozen) + self._offset

    def advance(self, seconds: float) -> None:
        """Move the time on (or back, for a clock jump); alarms that are due then have rung when this returns."""
        with self._moved:
            self._offset += seconds
            self._moved.notify_all()
        self._ring()

    def sleep(self, seconds: float, stopped: Callable[[], bool] = lambda: False) -> bool:
        """Wait that long by this clock; True when `stopped` (looked at ten times a second) ended it early."""
        end = self.now() + seconds
        with self._moved:
            while not (early := stopped()) and self.now() < end:
                self._moved.wait(0.1 if self._frozen is not None else min(0.1, max(0.001, end - self.now())))
        return early

    def ring_in(self, seconds: float, action: Callable[[], None]) -> Alarm:
        """Do something once so many seconds have passed."""
        alarm = Alarm(self.now() + seconds, action)
        with self._moved:
            self._alarms.append(alarm)
            if not self._watched and not self.frozen:
                self._watched = True
                threading.Thread(target=self._watch, name="lab-clock", daemon=True).start()
            self._moved.notify_all()
        return alarm

    def cancel(self, alarm: Alarm) -> None:
        with self._moved:
            if alarm in self._alarms:
                self._alarms.remove(alarm)
            self._moved.notify_all()

    def _ring(self) -> None:
        """Do what is due, in its order, in the thread that noticed."""
        with self._moved:
            due = sorted((alarm for alarm in self._alarms if alarm.when <= self.now()), key=lambda alarm: alarm.when)
            self._alarms = [alarm for alarm in self._alarms if alarm not in due]
        for alarm in due:
            alarm.action()

    def _watch(self) -> None:
        """Ring the alarms for which real time comes; ends with the last of them."""
        try:
            while self._await_next():
                self._ring()
        except BaseException:
            self._watched = False  # the next alarm is watched again
            raise

    def _await_next(self) -> bool:
        """Wait until the next alarm may be due; False when there is none."""
        with self._moved:
            if not self._alarms:
                self._watched = False
                return False
            self._moved.wait(max(0.0, min(alarm.when for alarm in self._alarms) - self.now()))
            return True
