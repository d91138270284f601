"""Archive files of templates and backups: where they lie, what is in them."""

from __future__ import annotations

import re
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from lab.disks import find_volume, split_volume
from lab.errors import TaskFailure

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Storage, Volume

FOLDERS = {"backup": "dump", "vztmpl": "template/cache", "iso": "template/iso", "import": "import", "snippets": "snippets"}
"""What the API calls by the first name, `dir` storages keep in the second."""
FORMATS = {".tar.zst": "tzst", ".tar.gz": "tgz", ".tar.xz": "txz", ".tar.bz2": "tbz2", ".tar": "tar", ".iso": "iso", ".img": "iso"}
"""Ending of a template or image -> how lists call its format."""


def archive_path(cluster: Cluster, volume: Volume) -> Path:
    """Where a template or backup lies: as its own `file` says, else below the cluster's folder."""
    known = volume.facts.get("file")
    return Path(known) if known else cluster.folder / volume.storage / volume.node / volume.name


def shown_path(storage: Storage, name: str) -> str:
    """Where Proxmox would say that a volume lies."""
    folder, _, rest = name.partition("/")
    if folder in FOLDERS:
        return f"{storage.path}/{FOLDERS[folder]}/{rest}"
    return f"{storage.path}/images/{name}" if re.match(r"\d+/", name) else f"{storage.path}/{name}"


def find_archive(cluster: Cluster, node: str, volid: str) -> Volume:
    """A template or backup that a task wants to read."""
    found = find_volume(cluster, node, volid)
    if found is None:
        raise TaskFailure(f"volume '{volid}' does not exist")
    return found


def path_of(cluster: Cluster, volid: str) -> str:
    """As `shown_path`, by volume id."""
    storage, name = split_volume(volid)
    return shown_path(cluster.storage(storage), name)


def facts_of(path: Path) -> dict[str, Any]:
    """What a simulated container made of this archive would be: `ostype`, `arch`; empty when it is no archive of a system."""
    try:
        with _opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as members:
            for member in members:
                if member.name.removeprefix("./") in {"etc/os-release", "usr/lib/os-release"} and member.isfile():
                    content = members.extractfile(member)
                    found = re.search(r'^ID="?([a-z]+)', content.read().decode(errors="replace") if content else "", re.MULTILINE)
                    return {"ostype": found[1] if found else "unmanaged", "arch": "amd64"}
    except (tarfile.TarError, OSError, EOFError):
        return {}
    return {}


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """The archive without its compression, for reading once."""
    unpackers = {".zst": "zstd", ".gz": "gzip", ".xz": "xz", ".bz2": "bzip2"}
    if path.suffix not in unpackers:
        with path.open("rb") as plain:
            yield plain
        return
    command = [unpackers[path.suffix], "-dc", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout
        try:
            yield process.stdout
        finally:
            process.kill()
