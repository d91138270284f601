# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a running guest takes over only when it starts again, and the restart that this needs.

Source: pve-container, PVE/LXC/Config.pm, `vmconfig_hotplug_pending`: description, onboot, startup, protection, hostname, tags,
cores, memory, swap and network interfaces are taken over at once, and everything else waits. Of what is managed here, that is name
servers and search domain.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..desired import DesiredApp
from ..model import GuestConfig, Live
from ..plans import Step

WAITING = frozenset({"nameservers", "search_domain"})
"""By the names of GuestConfig."""


@dataclass(frozen=True)
class Restart:
    """`wished` is what may be written; `steps` restart the guest, `rest` are the other steps for its power."""

    wished: dict[str, Any]
    steps: tuple[Step, ...] = ()
    rest: tuple[Step, ...] = ()
    warnings: tuple[str, ...] = ()


def plan_restart(app: DesiredApp, config: GuestConfig, wished: Mapping[str, Any], live: Live, power: Sequence[Step]) -> Restart:
    """Restart once for all that waits, where that is allowed; else leave it, and say so. Another stop or restart will do."""
    managed = {key for key in WAITING if wished.get(key) is not None}
    waiting = sorted(key for key in managed if wished[key] != getattr(config, key) or key in config.pending)
    restarts = tuple(step for step in power if step.verb == "restart")
    rest = tuple(step for step in power if step.verb != "restart")
    if not waiting or not live.running or restarts or any(step.verb == "stop" for step in rest):
        return Restart(dict(wished), restarts, rest)
    if app.restart == "allowed":
        step = Step("restart", "guest", config.vmid, {"pending": tuple(waiting)}, {"pending": ()})
        return Restart(dict(wished), (step,), rest)
    left = {key: None if key in waiting and key not in config.pending else wish for key, wish in wished.items()}
    warning = (
        f"App {app.name} (guest {config.vmid}) runs, and {' and '.join(waiting)} can only change by a restart: "
        "not done. Set restart: allowed (role variable app_restart), or stop the app first."
    )
    return Restart(left, (), rest, (warning,))
