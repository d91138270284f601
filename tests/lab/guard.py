"""The lock of a cluster's state."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from lab.current import current_task
from lab.errors import WorkerGone


class Guard(threading.Condition):
    """A condition whose lock may be taken several times over; `leaving` is called by whoever is about to let go of it for good.

    The worker of a task whose node has lost power does not get it any more, and so changes nothing.
    """

    def __init__(self) -> None:
        super().__init__(threading.RLock())
        self._depth = 0
        self.leaving: Callable[[], None] | None = None

    def __enter__(self) -> bool:
        taken = super().__enter__()
        if _is_gone():
            super().__exit__(None, None, None)
            raise WorkerGone
        self._depth += 1
        return taken

    def __exit__(self, *failure: Any) -> None:
        try:
            if self._depth == 1 and self.leaving:
                self.leaving()
        finally:
            self._depth -= 1
            super().__exit__(*failure)

    def wait(self, timeout: float | None = None) -> bool:
        """Lets go of the lock, however often it is taken."""
        depth = self._depth
        if self.leaving:
            self.leaving()
        self._depth = 0
        try:
            woken = super().wait(timeout)
        finally:
            self._depth = depth
        if _is_gone():
            raise WorkerGone
        return woken


def _is_gone() -> bool:
    task = current_task()
    return task is not None and task.gone
