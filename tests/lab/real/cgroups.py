"""Control groups: where LXC puts guests, whether one lives, what it uses; versions 1, 2 and both at once.

LXC starts from the group of the node's PID 1. That one sits in `<node group>/init.scope` of version 2 (LXC drops a trailing
`init.scope`), so that in version 2 a guest's place is known, and the node group itself holds no process, as version 2 demands.
In version 1 guests land below the group of whoever started the node.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from lab.guests.runtime import RuntimeFailure

DELEGATED = ("cpuset", "cpu", "io", "memory", "pids")


def lab_group(state_root: Path) -> str:
    """The name below which all guests of a lab are, in every hierarchy."""
    return f"proximity-lab-{hashlib.sha256(str(state_root).encode()).hexdigest()[:8]}"


def guest_group(state_root: Path, vmid: int) -> str:
    """A guest's `lxc.cgroup.dir`; the same on every node."""
    return f"{lab_group(state_root)}/{vmid}"


@cache
def hierarchies() -> dict[str, Path]:
    """Where each controller of version 1 is mounted, and version 2 under the name ""."""
    found: dict[str, Path] = {}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        kind, _, options = tail.split(" ", 2)
        if kind == "cgroup2":
            found.setdefault("", Path(fields.split()[4]))
        elif kind == "cgroup":
            for option in options.split(","):
                found.setdefault(option, Path(fields.split()[4]))
    return found


def unified_root() -> Path:
    root = hierarchies().get("")
    if root is None:
        raise RuntimeFailure("control groups of version 2 are mounted nowhere on this machine")
    return root


@cache
def limits_are_unified() -> bool:
    """Whether memory and cpu are in version 2."""
    return "memory" in (unified_root() / "cgroup.controllers").read_text().split()


def node_group(state_root: Path, node: str) -> Path:
    return unified_root() / f"{lab_group(state_root)}.{node}"


def make_node_group(state_root: Path, node: str) -> Path:
    """The node's group with what guests' groups need enabled in it; returns the place for the node's PID 1."""
    group = node_group(state_root, node)
    (group / "init.scope").mkdir(parents=True, exist_ok=True)
    offered = (unified_root() / "cgroup.controllers").read_text().split()
    for controller in filter(offered.__contains__, DELEGATED):
        for directory in (unified_root(), group):
            try:
                (directory / "cgroup.subtree_control").write_text(f"+{controller}")
            except OSError:
                break  # it may not be handed on here; a limit that needs it then fails by name when a guest starts
    return group / "init.scope"


def populated_group(place: Path, kind: str) -> Path | None:
    """LXC's `payload` or `monitor` group below a guest's, if it has processes. LXC adds a number when a dead one is in the way."""
    for group in place.glob(f"lxc.{kind}.*"):
        try:
            if "populated 1" in (group / "cgroup.events").read_text():
                return group
        except OSError:
            continue
    return None


def init_of(group: Path) -> int | None:
    """The guest's PID 1, by its number here: three pid namespaces deep (machine, node, guest), and 1 in the last."""
    for directory in (group / "init.scope", group, *_below(group)):
        try:
            pids = (directory / "cgroup.procs").read_text().split()
        except OSError:
            continue
        for pid in pids:
            numbers = _namespace_numbers(pid)
            if len(numbers) == 3 and numbers[-1] == "1":
                return int(pid)
    return None


def _below(group: Path) -> Iterator[Path]:
    for directory, _, _ in os.walk(group):
        yield Path(directory)


def _namespace_numbers(pid: str) -> list[str]:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return []
    for line in status.splitlines():
        if line.startswith("NSpid:"):
            return line.split()[1:]
    return []


def group_of(pid: int, controller: str) -> Path | None:
    """The guest's group in the hierarchy of a controller, from its init; version 2 where the controller is there."""
    wanted = controller if controller in hierarchies() else ""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if wanted in controllers.split(","):
            parts = path.strip("/").split("/")
            while parts and not parts[-1].startswith("lxc.payload."):
                parts.pop()
            return hierarchies()[wanted].joinpath(*parts) if parts else None
    return None


def remove_groups(state_root: Path, node: str) -> None:
    """Remove the groups that dead guests and their node left behind; those with processes cannot be removed, and stay."""
    lab = lab_group(state_root)
    for root in dict.fromkeys(hierarchies().values()):
        for place in list(_named(root, lab)):
            _remove_tree(place)
    _remove_tree(node_group(state_root, node))


def _named(root: Path, name: str) -> Iterator[Path]:
    """Groups of that name anywhere below a hierarchy's root."""
    for directory, children, _ in os.walk(root):
        if name in children:
            children.remove(name)
            yield Path(directory, name)


def _remove_tree(group: Path) -> None:
    if group.is_dir():
        for directory, _, _ in os.walk(group, topdown=False):
            _remove_empty(Path(directory))


def _remove_empty(group: Path) -> None:
    try:
        group.rmdir()
    except OSError:
        return  # in use, or gone: a living guest's group may stay
