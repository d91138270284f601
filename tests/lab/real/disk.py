"""A disk of its own for a lab's guests, where the machine's file system would be slow.

On ext4 without a journal the kernel gives no inode out again for minutes (`recently_deleted` in fs/ext4/ialloc.c), and looks
at each of them for every new file: after a guest or two have been destroyed, creating one takes ten seconds instead of one.
A journalled file system in a sparse file has no such trouble.
"""

from __future__ import annotations

import os
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real.layout import StateDir
from lab.real.shell import Say, run, succeeds

SIZE_LIMIT = 64 << 30
MKFS = ("mkfs.ext4", "-q", "-F", "-m", "0", "-E", "lazy_itable_init=1,lazy_journal_init=1,nodiscard")


def image(state: StateDir) -> Path:
    return state.root / "nodes.img"


def reuses_inodes_late(path: Path) -> bool:
    """Whether a directory is on ext4 without a journal."""
    device = path.stat().st_dev
    name = Path(f"/sys/dev/block/{os.major(device)}:{os.minor(device)}").resolve().name
    journal = Path("/sys/fs/ext4", name, "journal_task")
    return journal.exists() and journal.read_text().strip() == "<none>"


def attach(state: StateDir, say: Say) -> None:
    """Have the lab's `nodes` directory on a disk of its own if that is of use. No node of the lab may live yet."""
    nodes, file = state.root / "nodes", image(state)
    nodes.mkdir(parents=True, exist_ok=True)
    if nodes.is_mount() or (not file.exists() and (any(nodes.iterdir()) or not reuses_inodes_late(state.root))):
        return
    try:
        if not file.exists():
            _make(file)
        run(["mount", "-o", "loop,noatime,discard", file, nodes])
    except RuntimeFailure as failure:
        if any(nodes.iterdir()) or file.exists():
            raise
        say(f"guests stay on the machine's file system, which is slow at this: {failure}")


def _make(file: Path) -> None:
    """A sparse file with a file system; it bears its name only when whole."""
    free = os.statvfs(file.parent)
    new = file.with_name(f"{file.name}.new")
    with new.open("wb") as handle:
        handle.truncate(min(SIZE_LIMIT, free.f_bavail * free.f_frsize))
    try:
        run([*MKFS, new])
        new.rename(file)
    finally:
        new.unlink(missing_ok=True)


def detach(state: StateDir) -> None:
    """Take the disk off; what still uses it keeps it until it ends."""
    nodes = state.root / "nodes"
    while nodes.is_mount() and succeeds(["umount", "-l", nodes]):
        pass
