"""Proxmox VE as an LXC provisioning client sees it, for tests: `with lab.start(seed="demo") as server: server.url`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lab.server import Lab, Settings

__all__ = ["Lab", "Settings", "start"]


@contextmanager
def start(seed: str | tuple[str, ...] = "demo", guests: str = "simulated", folder: Path | None = None, **options: Any) -> Iterator[Lab]:
    """A lab on free ports for the length of a `with`; several seeds make several clusters.

    Without a `folder` its state is forgotten afterwards. Further options are those of `lab.server.Settings`.
    Real guests come from the command line (`python -m lab up --guests real`), because they need root.
    """
    if guests != "simulated":
        raise ValueError(f"guests={guests!r}: only simulated ones start within a test's process")
    seeds = (seed,) if isinstance(seed, str) else seed
    with tempfile.TemporaryDirectory(prefix="lab-") as temporary:
        server = Lab(Settings(folder or Path(temporary), seeds, **options))
        try:
            yield server
        finally:
            server.close()
