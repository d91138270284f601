#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module proximity_files: runs in the guest, and writes all files of a folder in one round trip."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_files
short_description: Write several small text files at once
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Writes text files below one folder, and makes the folders that they need. Nothing else in there is touched.
  - With a module per file, most of the time is spent on the way into the container. This one goes there once, whatever the number of files.
  - Each file is the old one or the new one whenever the machine goes down. Run again after it was cut off, it writes what is missing.
options:
  root:
    description: The folder that all is below. Made where it is missing.
    type: path
    required: true
  files:
    description: What is to be there.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Where the file is, below O(root).
        type: str
        required: true
      content:
        description: All of its text. A mapping or a list is written as JSON, with sorted keys.
        type: raw
        required: true
      mode:
        description: Its permissions, in octal digits.
        type: str
        default: "0644"
attributes:
  check_mode:
    description: Can run in check mode and say what would change, without changing it.
    support: full
  diff_mode:
    description: Shows in diff mode what changed. Where files hold secrets, set C(no_log) on the task.
    support: full
  idempotent:
    description: Run again, it changes nothing.
    support: full
  platform:
    description: Systems it runs on.
    platforms: posix
    support: full
notes:
  - Folders that are made have the permissions V(0755). Those that are there keep theirs.
"""

EXAMPLES = r"""
- name: Write a stack's files
  proximity.platform.proximity_files:
    root: /opt/proximity/feeds
    files:
      - path: compose.yml
        content: "{{ lookup('ansible.builtin.file', 'compose.yml') }}"
      - path: files/settings.json
        content:
          theme: dark
        mode: "0600"
"""

RETURN = r"""
written:
  description: Paths below O(root) of the files that were not as they should be.
  returned: success
  type: list
  elements: str
  sample: [compose.yml]
"""

import contextlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from ansible.module_utils.basic import AnsibleModule

MODE = re.compile(r"0?[0-7]{3}")
FOLDER_MODE = 0o755
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}


class Refused(Exception):
    """What was asked for cannot or must not be done."""


@dataclass(frozen=True)
class File:
    """A file as it is to be. `mode` holds permission bits."""

    path: Path
    text: str
    mode: int


@dataclass(frozen=True)
class Found:
    """A file as it is; None for both where there is none."""

    text: str | None
    mode: int | None


def wanted(root: Path, files: Sequence[Mapping[str, Any]]) -> list[File]:
    """Refuses what would lie elsewhere, or twice."""
    found: dict[Path, File] = {}
    for each in files:
        inner = PurePosixPath(each["path"])
        if inner.is_absolute() or ".." in inner.parts or not inner.parts:
            raise Refused(f"'{each['path']}' is not below {root}: give a path that begins there and does not lead out of it.")
        if not MODE.fullmatch(each["mode"]):
            raise Refused(f"{each['path']} has mode '{each['mode']}': give three octal digits, such as 0644.")
        path = root / inner
        if path in found:
            raise Refused(f"{each['path']} is asked for twice.")
        found[path] = File(path, text_of(each["content"]), int(each["mode"], 8))
    return list(found.values())


def text_of(content: Any) -> str:
    # Before ansible-core 2.19, a text that reads like JSON arrives as what it means.
    return content if isinstance(content, str) else json.dumps(content, indent=4, sort_keys=True, ensure_ascii=False) + "\n"


def look(path: Path) -> Found:
    """Refuses what is no file: a link may lead anywhere, and a folder is somebody's."""
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Refused(f"{path} is {'a symbolic link' if path.is_symlink() else 'no file'}. Remove it, or move it away.")
    for folder in path.parents:
        if folder.exists() and not folder.is_dir():
            raise Refused(f"{folder} is no folder, so {path} cannot be written. Remove it, or move it away.")
    try:
        with path.open(**TEXT) as file:
            return Found(file.read(), path.stat().st_mode & 0o7777)
    except FileNotFoundError:
        return Found(None, None)


def make_folders(folder: Path) -> None:
    """Whatever umask there is."""
    for missing in [each for each in (*reversed(folder.parents), folder) if not each.exists()]:
        missing.mkdir()
        missing.chmod(FOLDER_MODE)


def write(file: File) -> None:
    """Replaces the file as a whole, with its permissions from the first moment on."""
    make_folders(file.path.parent)
    descriptor, name = tempfile.mkstemp(prefix=".new-", dir=file.path.parent)  # 0600
    try:
        with os.fdopen(descriptor, "w", **TEXT) as new:
            new.write(file.text)
            new.flush()
            os.fsync(new.fileno())
            os.fchmod(new.fileno(), file.mode)
        Path(name).replace(file.path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def difference(file: File, found: Found) -> dict[str, str]:
    """What diff mode shows; of permissions, where only they differ."""
    headers = {"before_header": str(file.path), "after_header": str(file.path)}
    if found.text == file.text:
        return {**headers, "before": f"mode: {found.mode:04o}\n", "after": f"mode: {file.mode:04o}\n"}
    return {**headers, "before": found.text or "", "after": file.text}


def main() -> None:
    file = {
        "path": {"type": "str", "required": True},
        "content": {"type": "raw", "required": True},
        "mode": {"type": "str", "default": "0644"},
    }
    module = AnsibleModule(
        argument_spec={
            "root": {"type": "path", "required": True},
            "files": {"type": "list", "elements": "dict", "required": True, "options": file},
        },
        supports_check_mode=True,
    )
    root = Path(module.params["root"])
    try:
        pairs = [(each, look(each.path)) for each in wanted(root, module.params["files"])]
        stale = [(each, found) for each, found in pairs if found != Found(each.text, each.mode)]
        if not module.check_mode:
            for each, _found in stale:
                write(each)
    except Refused as refusal:
        module.fail_json(msg=str(refusal))
    except OSError as error:
        module.fail_json(msg=f"Cannot write {error.filename or root}: {error.strerror}.")
    written = [str(each.path.relative_to(root)) for each, _found in stale]
    module.exit_json(changed=bool(written), written=written, diff=[difference(each, found) for each, found in stale])


if __name__ == "__main__":
    main()
