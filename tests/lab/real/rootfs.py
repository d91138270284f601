"""Root file systems of guests: unpack, pack, copy, and put files in.

Whatever writes below a guest's root runs on the node and as the guest's own root (in its idmap), so that a guest's
symlinks lead nowhere, and files land with the owners that they have on a Proxmox node.
"""

from __future__ import annotations

import os
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO

from lab.guests.runtime import RuntimeFailure
from lab.real.guest_files import Found, GuestFile, authorized_keys, shadow_with_password
from lab.real.layout import IDMAP, IDMAP_FIRST
from lab.real.node import Node
from lab.real.shell import ENVIRONMENT, run

AS_GUEST = ("lxc-usernsexec", "-m", IDMAP[0], "-m", IDMAP[1], "--")
ATTRIBUTES = (
    "--numeric-owner",
    "--acls",
    "--xattrs",
    "--xattrs-include=user.*",
    "--xattrs-include=security.capability",
    "--warning=no-file-ignored",
    "--warning=no-xattr-write",
    "--sparse",
)
UNPACKERS = {
    ".zst": ("zstd", "-dc"),
    ".gz": ("gzip", "-dc"),
    ".tgz": ("gzip", "-dc"),
    ".xz": ("xz", "-dc"),
    ".lzo": ("lzop", "-dc"),
    ".tar": ("cat",),
}
PACKERS = {".zst": ("zstd", "-q", "-1", "-T0"), ".gz": ("gzip", "-1"), ".tgz": ("gzip", "-1"), ".lzo": ("lzop",), ".tar": ("cat",)}
NOT_SAVED = ("./tmp/?*", "./var/tmp/?*", "./var/run/?*.pid", "./run/?*")
CONFIG_IN_ARCHIVE = "./etc/vzdump/pct.conf"
LONG_S = 1800


def _program(archive: Path, table: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    program = table.get(archive.suffix)
    if program is None:
        raise RuntimeFailure(f"archive '{archive.name}': cannot tell its compression from its name")
    return program


def make_root(rootfs: Path) -> None:
    """An empty root directory that belongs to the guest's root."""
    rootfs.mkdir(parents=True)
    os.chown(rootfs, IDMAP_FIRST, IDMAP_FIRST)


def unpack(node: Node, archive: Path, rootfs: Path, place: str, excluded: Sequence[str] = ("./dev/*",)) -> str:
    """Unpack an archive into a new root directory: `rootfs` here, `place` on the node. Returns how much tar says it read."""
    if not archive.is_file():
        raise RuntimeFailure(f"archive '{archive}' does not exist")
    make_root(rootfs)
    with subprocess.Popen(
        [*_program(archive, UNPACKERS), str(archive)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT
    ) as unpacker:
        assert unpacker.stdout is not None
        assert unpacker.stderr is not None
        left_out = (f"--exclude={pattern}" for pattern in excluded)
        tar = [*AS_GUEST, "tar", "-xp", "--totals", *ATTRIBUTES, "--anchored", *left_out, "-C", place]
        failure = told = ""
        try:
            told = run(node.argv(tar), stdin=unpacker.stdout, timeout_s=LONG_S, shown=["tar"], merged=True)
        except RuntimeFailure as error:
            failure = str(error)
        unpacker.stdout.close()
        said = unpacker.stderr.read().decode(errors="replace").strip()
    if unpacker.returncode != 0 or failure:
        raise RuntimeFailure(f"command 'tar -xp' on '{archive.name}' failed: {said or failure}")
    if not any((rootfs / shell).is_symlink() or (rootfs / shell).exists() for shell in ("bin/sh", "usr/bin/sh", "sbin/init")):
        raise RuntimeFailure(f"archive '{archive.name}' holds no system: neither /bin/sh nor /sbin/init")
    return next((line for line in told.splitlines() if line.startswith("Total bytes read")), "")


def pack(node: Node, place: str, archive: Path, config_text: str) -> int:
    """Write a backup of the root directory `place` (on the node) with the configuration inside; returns its size. Whole or not at all."""
    part = archive.with_name(f".{archive.name}.part")
    archive.parent.mkdir(parents=True, exist_ok=True)
    try:
        with part.open("wb") as out:
            _stream(node, place, config_text, _program(archive, PACKERS), out)
        part.rename(archive)
    finally:
        part.unlink(missing_ok=True)
    return archive.stat().st_size


def _stream(node: Node, place: str, config_text: str, packer: tuple[str, ...], out: IO[bytes]) -> None:
    """The configuration, then the guest, as one tar through the packer. A file that changes meanwhile is no failure (tar says 1)."""
    saved = [
        *AS_GUEST,
        "tar",
        "-c",
        *ATTRIBUTES,
        "--one-file-system",
        "--anchored",
        f"--exclude={CONFIG_IN_ARCHIVE}",
        *(f"--exclude={pattern}" for pattern in NOT_SAVED),
        "-C",
        place,
        ".",
    ]
    with subprocess.Popen(packer, stdin=subprocess.PIPE, stdout=out, stderr=subprocess.PIPE, env=ENVIRONMENT) as compressor:
        assert compressor.stdin is not None and compressor.stderr is not None
        with compressor.stdin as stream:
            stream.write(tar_member(CONFIG_IN_ARCHIVE, config_text.encode()))
            stream.flush()
            reader = subprocess.run(
                list(map(str, node.argv(saved))),
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.PIPE,
                env=ENVIRONMENT,
                timeout=LONG_S,
                check=False,
            )
        said = compressor.stderr.read().decode(errors="replace").strip()
    if reader.returncode not in (0, 1):
        raise RuntimeFailure(f"tar of {place} failed: {reader.stderr.decode(errors='replace').strip()[-300:]}")
    if compressor.returncode != 0:
        raise RuntimeFailure(f"'{packer[0]}' failed: {said}")


def tar_member(name: str, data: bytes, mode: int = 0o644) -> bytes:
    """One file as it stands in a tar, without the end mark, so that more may follow."""
    info = tarfile.TarInfo(name)
    info.size, info.mode, info.mtime = len(data), mode, int(time.time())
    return info.tobuf(tarfile.GNU_FORMAT) + data + b"\0" * (-len(data) % tarfile.BLOCKSIZE)


def config_in_archive(archive: Path) -> str:
    """The guest's configuration as a backup saved it; it is the first member, so little is read."""
    with subprocess.Popen(
        [*_program(archive, UNPACKERS), str(archive)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT
    ) as unpacker:
        assert unpacker.stdout is not None
        try:
            with tarfile.open(fileobj=unpacker.stdout, mode="r|") as members:
                for member in members:
                    content = members.extractfile(member) if member.name.lstrip("./") == CONFIG_IN_ARCHIVE.lstrip("./") else None
                    if content is not None:
                        return content.read().decode()
        except tarfile.TarError as error:
            raise RuntimeFailure(f"archive '{archive.name}' is damaged: {error}") from error
        finally:
            unpacker.kill()
    raise RuntimeFailure(f"archive '{archive.name}' holds no configuration")


def put(node: Node, place: str, files: Iterable[GuestFile]) -> None:
    """Put files into a guest's root, replacing what is there, symlinks included."""
    members = b""
    made: set[str] = set()
    for file in files:
        for parent in list(Path(file.path).parents)[-2::-1]:
            if str(parent) not in made and str(parent) not in ("etc", "root"):
                made.add(str(parent))
                members += _directory(str(parent), 0o700 if file.path.startswith("root/") else 0o755)
        members += tar_member(file.path, file.text.encode(), file.mode)
    node.run([*AS_GUEST, "tar", "-x", "--numeric-owner", "--no-overwrite-dir", "-p", "-C", place], text=members + b"\0" * 1024)


def _directory(name: str, mode: int) -> bytes:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.mtime = tarfile.DIRTYPE, mode, int(time.time())
    return info.tobuf(tarfile.GNU_FORMAT)


def look(rootfs: Path) -> Found:
    """What `guest_files` needs to know of a root file system."""

    def has(*names: str) -> bool:
        return any((rootfs / name).exists() for name in names)

    return Found(
        ifupdown=has("usr/sbin/ifup", "sbin/ifup", "usr/bin/ifup") or has("etc/alpine-release"),
        networkd=has("usr/lib/systemd/systemd-networkd", "lib/systemd/systemd-networkd"),
        hosts=read_inside(rootfs, "etc/hosts"),
        resolv=read_inside(rootfs, "etc/resolv.conf"),
    )


def read_inside(rootfs: Path, name: str) -> str:
    """A small file of a guest, empty when it is missing, no file, or a link that leads outside."""
    path = (rootfs / name).resolve()
    if not path.is_relative_to(rootfs.resolve()) or not path.is_file():
        return ""
    return path.read_text(errors="replace")[:65536]


def first_files(rootfs: Path, hostname: str, keys: str, password: str) -> list[GuestFile]:
    """What a new guest gets once: SSH host keys of its own, root's keys, root's password."""
    files = []
    if (rootfs / "usr/sbin/sshd").exists():
        with tempfile.TemporaryDirectory() as aside:
            for kind in ("ed25519", "ecdsa"):
                key = Path(aside, f"ssh_host_{kind}_key")
                run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", f"root@{hostname}", "-f", key])
                files.append(GuestFile(f"etc/ssh/{key.name}", key.read_text(), 0o600))
                files.append(GuestFile(f"etc/ssh/{key.name}.pub", key.with_suffix(".pub").read_text()))
    if keys.strip():
        files.append(authorized_keys(keys))
    if password:
        hashed = run(["openssl", "passwd", "-6", "-stdin"], text=password).strip()
        files.append(GuestFile("etc/shadow", shadow_with_password(read_inside(rootfs, "etc/shadow"), hashed), 0o640))
    return files


def copy(source: Path, target: Path) -> None:
    """Copy a root directory whole: it appears under its name only when complete."""
    part = target.with_name(f"{target.name}.part")
    delete(part)
    delete(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    run(["cp", "-a", "--reflink=auto", source, part], timeout_s=LONG_S)
    part.rename(target)


def swap(new: Path, place: Path) -> None:
    """Put a complete directory into the place of another."""
    old = place.with_name(f"{place.name}.old")
    if place.exists():
        delete(old)
        place.rename(old)
    new.rename(place)
    delete(old)


def mend(place: Path) -> None:
    """Undo a `swap` that was killed between its two steps."""
    old = place.with_name(f"{place.name}.old")
    if not place.exists() and old.exists():
        old.rename(place)


def delete(directory: Path) -> None:
    if directory.exists() or directory.is_symlink():
        run(["rm", "-rf", "--one-file-system", directory], timeout_s=LONG_S)
