"""What has been called, with what effect; tests read it."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

SECRET = {"password", "ssh-public-keys", "otp", "tfa-challenge"}


@dataclass(frozen=True)
class Entry:
    """One call; `time` by the lab's clock, `effect` is the task that it started, `changed` for other writes, or empty.

    `status` is 0 where the client got no answer; the effect is what the call has had nevertheless. `fault` names the faults that
    struck it, with commas. `took_ms` is what the server needed. `changes`: option of the guest in the path -> [before, after].
    """

    time: float
    cluster: str
    node: str
    user: str
    method: str
    path: str
    params: dict[str, Any]
    status: int
    reason: str
    effect: str = ""
    fault: str = ""
    took_ms: float = 0.0
    changes: dict[str, list[Any]] = field(default_factory=dict)

    def shown(self) -> dict[str, Any]:
        return asdict(self)


class Journal:
    """The last calls, oldest first."""

    def __init__(self, kept: int = 100_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=kept)
        self._lock = threading.Lock()

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def entries(self) -> list[Entry]:
        with self._lock:
            return list(self._entries)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()


def without_secrets(params: dict[str, Any]) -> dict[str, Any]:
    return {name: "***" if name in SECRET else value for name, value in params.items()}
