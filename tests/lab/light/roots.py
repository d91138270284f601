"""What lies on the disk of a new guest: a Debian with Docker, whose programs are those of this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

FILES = {
    "etc/os-release": 'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/hosts": "127.0.0.1 localhost\n",
    "etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
FOLDERS = {"opt": 0o755, "root": 0o700, "tmp": 0o1777, "run": 0o755, "proc": 0o555, "dev": 0o755, "usr": 0o755, "var/lib/docker": 0o710}
MERGED = ("bin", "sbin", "lib", "lib32", "lib64")


def make_root(root: Path) -> None:
    for name, mode in FOLDERS.items():
        (root / name).mkdir(parents=True, exist_ok=True)
        (root / name).chmod(mode)
    for folder in shown_folders():
        (root / folder.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for name, text in FILES.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for name in MERGED:
        if Path("/", name).is_symlink():
            (root / name).symlink_to(os.readlink(Path("/", name)))  # noqa: PTH115 - as it is, relative


def shown_folders() -> list[str]:
    """Folders of this machine that its programs and this Python need."""
    own = [sys.base_prefix, sys.prefix]
    merged = [f"/{name}" for name in MERGED if Path("/", name).is_dir() and not Path("/", name).is_symlink()]
    return ["/usr", *merged, *dict.fromkeys(folder for folder in own if not folder.startswith("/usr/"))]


def copy_tree(source: Path, target: Path) -> None:
    """Owners, rights and times included; the target is replaced as a whole."""
    remove_tree(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cp", "-a", "--reflink=auto", str(source), str(target)], check=True)


def remove_tree(folder: Path) -> None:
    subprocess.run(["rm", "-rf", "--one-file-system", str(folder)], check=True)
