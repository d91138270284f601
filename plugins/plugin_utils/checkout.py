# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Tell which git checkout a folder belongs to, by reading git's own files: the program git is not needed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

REMOTE_URL = re.compile(r'^\[remote "origin"\][^\[]*?^\s*url\s*=\s*(\S+)', re.MULTILINE | re.DOTALL)
SSH_SHORT = re.compile(r"(?:[^@/]+@)?(?P<host>[^:/]+):(?P<path>(?!//).+)")
COMMIT = re.compile(r"[0-9a-f]{40,64}")


class Checkout(NamedTuple):
    """`remote` and `commit` are empty where git does not say: no origin, or nothing committed yet."""

    root: Path
    remote: str
    commit: str


def checkout_of(folder: Path) -> Checkout | None:
    """The checkout that holds this folder; None for a folder that is in none."""
    place = folder.resolve()
    for root in (place, *place.parents):
        git = _git_folder(root / ".git")
        if git:
            common = git / _text(git / "commondir") if (git / "commondir").is_file() else git
            return Checkout(root, _remote(common), _commit(git, common))
    return None


def _git_folder(place: Path) -> Path | None:
    """The folder of git's files: in a linked worktree or a submodule, `.git` is a file that names it."""
    if place.is_dir():
        return place
    text = _text(place) if place.is_file() else ""
    named = place.parent / text.removeprefix("gitdir:").strip() if text.startswith("gitdir:") else None
    return named if named and named.is_dir() else None


def _commit(git: Path, common: Path) -> str:
    head = _text(git / "HEAD")
    if not head.startswith("ref:"):
        return head if COMMIT.fullmatch(head) else ""
    name = head.removeprefix("ref:").strip()
    for place in (git, common):
        if (place / name).is_file():
            return _text(place / name)
    packed = re.search(rf"^([0-9a-f]+) {re.escape(name)}$", _text(common / "packed-refs"), re.MULTILINE)
    return packed[1] if packed else ""


def _remote(common: Path) -> str:
    """Host and path of origin, without scheme, user and password: `git.example.com/team/catalog`."""
    found = REMOTE_URL.search(_text(common / "config"))
    if not found:
        return ""
    short = SSH_SHORT.fullmatch(found[1]) if "://" not in found[1] else None
    parts = urlsplit(found[1])
    text = f"{short['host']}/{short['path']}" if short else f"{parts.hostname or ''}{parts.path}" if parts.scheme else found[1]
    return text.removesuffix("/").removesuffix(".git")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
