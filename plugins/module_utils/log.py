# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a run tells of what it does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from .wire.times import format_time


@dataclass
class Log:
    """What happened, for people: a list of time, level, step and message."""

    lines: list[dict[str, str]] = field(default_factory=list)

    def add(self, level: str, step: str, message: str) -> None:
        self.lines.append({"time": format_time(datetime.now(UTC)), "level": level, "step": step, "message": message})
