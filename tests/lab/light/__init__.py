"""Light guests: simulated ones that can be entered, for tests of what happens in them.

A guest is a folder for its disk and, while it runs, a process in namespaces of its own (users see their processes, files, ports and
nothing else), which runs shell commands on that disk with the programs of this machine. There is no dockerd in it: `docker`,
`systemctl` and `python3` are stand-ins that answer in the guest's process without a start of their own, so that a command costs
milliseconds. Needs root on Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

TRY = "from lab.light import namespaces; namespaces.leave_host()"


def hindrance() -> str:
    """Why there can be no light guests on this machine; empty when there can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "light guests need root on Linux"
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    tried = subprocess.run([sys.executable, "-c", TRY], env=environment, capture_output=True, text=True)
    return f"light guests need namespaces: {tried.stderr.strip().splitlines()[-1]}" if tried.returncode else ""
