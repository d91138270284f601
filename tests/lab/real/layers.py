"""Tar members and the image layers that are made of them."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Sequence
from pathlib import Path

from lab.real.oci import Layer

Member = tuple[tarfile.TarInfo, bytes]


def tree(root: Path, left_out: re.Pattern[str]) -> dict[str, Member]:
    """Files, links and folders below `root` by their path; `left_out` matches the beginning of a path."""
    found: dict[str, Member] = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if not left_out.match(name) and (path.is_symlink() or path.is_file() or path.is_dir()):
            found[name] = member(path, name, path.lstat().st_mode & 0o7777)
    return found


def member(path: Path, name: str, mode: int) -> Member:
    if path.is_symlink():
        return link(name, str(path.readlink()))
    if path.is_dir():
        return directory(name, mode)
    return file(name, path.read_bytes(), mode)


def file(name: str, data: bytes, mode: int = 0o644) -> Member:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), mode
    return info, data


def link(name: str, target: str) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = tarfile.SYMTYPE, target, 0o777
    return info, b""


def directory(name: str, mode: int) -> Member:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, mode
    return info, b""


def layer(members: Sequence[Member]) -> Layer:
    """No path may be there twice: Docker refuses such a layer."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in members:
            archive.addfile(info, io.BytesIO(data))
    return Layer.of(packed.getvalue())
