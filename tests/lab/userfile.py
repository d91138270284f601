"""The file of users, groups, roles, grants and pools: one writer at a time, and each refusal says what has failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from lab.errors import Refusal, refuse

if TYPE_CHECKING:
    from lab.cluster import Cluster


@contextmanager
def locked_file(cluster: Cluster, name: str, failed: str) -> Iterator[None]:
    """Change a file of the cluster's file system. Whatever is refused within becomes a 500 that begins with `failed`:
    even a missing right, whose status then stands in the text (pve-access-control, `lock_user_config`)."""
    try:
        if not cluster.quorate:
            raise refuse(f"error with cfs lock 'file-{name}': no quorum!")
        yield
    except Refusal as refusal:
        raise refuse(f"{failed}: {as_text(refusal)}") from refusal


@contextmanager
def user_file(cluster: Cluster, failed: str) -> Iterator[None]:
    """As `locked_file`; the grants may have changed."""
    with locked_file(cluster, "user_cfg", failed):
        yield
        cluster.index_grants()


def as_text(refusal: Refusal) -> str:
    """A refusal where only its text counts: in another refusal, or as the end of a task."""
    status = "" if refusal.status == 500 else f"{refusal.status} "
    errors = "".join(f" {name}: {text.strip()}" for name, text in (refusal.errors or {}).items())
    return f"{status}{refusal.text}{errors}"
