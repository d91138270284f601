"""How many cases a run of the tests takes: all with FAULTS=all, else a random choice that is the same each time."""

from __future__ import annotations

import os
import random
from collections.abc import Sequence
from typing import TypeVar

SEED = 20_261_121
FEW = 120
Each = TypeVar("Each")


def chosen(cases: Sequence[Each], few: int = FEW) -> list[Each]:
    """FAULTS=all, a number, or nothing for `few`."""
    wanted = os.environ.get("FAULTS", str(few))
    if wanted == "all" or int(wanted) >= len(cases):
        return list(cases)
    picked = random.Random(SEED).sample(range(len(cases)), int(wanted))
    return [cases[number] for number in sorted(picked)]
