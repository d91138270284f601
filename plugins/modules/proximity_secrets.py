#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module proximity_secrets: runs in the guest, where secrets are made and stay."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_secrets
short_description: Generate the secrets of an app where it runs
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Generates the secrets that an env file does not have yet, and keeps those that it has, whatever they are.
  - Values are neither taken nor returned nor logged. They exist in the file only, which belongs to root and nobody else can read.
  - To replace a secret, remove its line from the file and run again.
options:
  path:
    description: The env file. Its folder must exist.
    type: path
    required: true
  secrets:
    description: What the file has to hold. The keys are the names of the variables.
    type: dict
    required: true
  must_exist:
    description:
      - Refuse to make the file anew when an immutable secret is asked for.
      - Set for an app that has run before. A new password would lock it out of the data that the lost one protects.
    type: bool
    default: false
attributes:
  check_mode:
    description: Can run in check mode and say what would change, without changing it.
    support: full
  diff_mode:
    description: Says in diff mode what changed. It shows names only.
    support: full
  idempotent:
    description: Run again, it changes nothing.
    support: full
  platform:
    description: Systems it runs on.
    platforms: posix
    support: full
notes:
  - "Each value of O(secrets) is a mapping. C(kind) is V(alnum) for letters and digits, V(hex) for hexadecimal digits, V(base64) for
    random bytes written so, or V(laravel_key) for the same with C(base64:) before it. C(length) counts characters, or random bytes for
    the last two. C(immutable) says that data depend on the value; true when left out."
  - Hashes such as argon2id cannot be asked for. Python makes none without further packages.
"""

EXAMPLES = r"""
- name: Generate a database password and a session key
  proximity.platform.proximity_secrets:
    path: /opt/proximity/feeds/secrets.env
    secrets:
      DB_PASSWORD:
        kind: alnum
        length: 32
      SESSION_KEY:
        kind: hex
        length: 64
        immutable: false
"""

RETURN = r"""
names:
  description: Names of the secrets that the file holds, of those asked for.
  returned: success
  type: list
  elements: str
  sample: [DB_PASSWORD, SESSION_KEY]
created:
  description: Names of those that were generated now.
  returned: success
  type: list
  elements: str
  sample: [SESSION_KEY]
"""

import base64
import contextlib
import fcntl
import os
import re
import secrets
import string
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
LINE = re.compile(r"^[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)$", re.MULTILINE)
LENGTHS = range(8, 1025)
MODE = 0o600
TEXT = {"encoding": "utf-8", "errors": "surrogateescape", "newline": ""}
"""What is in the file already comes out as it went in."""


class Refused(Exception):
    """What was asked for cannot or must not be done."""


def alnum(length: int) -> str:
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _index in range(length))


def hexadecimal(length: int) -> str:
    return secrets.token_hex((length + 1) // 2)[:length]


def base64_text(length: int) -> str:
    return base64.b64encode(secrets.token_bytes(length)).decode()


def laravel_key(length: int) -> str:
    return "base64:" + base64_text(length)


# None of these write a character that an env file would have to quote.
KINDS = {"alnum": alnum, "hex": hexadecimal, "base64": base64_text, "laravel_key": laravel_key}


def ensure(path: Path, wanted: Mapping[str, Any], must_exist: bool, dry: bool) -> tuple[list[str], list[str], bool]:
    """Bring the file into shape. Returns the names that were generated, those that it held, and whether anything changed."""
    check(wanted)
    if dry and not path.parent.is_dir():
        return missing(wanted, None, path, must_exist), [], True
    with locked(path.parent):
        text = read(path)
        created = missing(wanted, text, path, must_exist)
        changed = bool(created) or text is None or not is_private(path)
        if changed and not dry:
            before = text + "\n" if text and not text.endswith("\n") else text or ""
            write(path, before + "".join(f"{name}={KINDS[wanted[name]['kind']](wanted[name]['length'])}\n" for name in created))
    return created, sorted(set(wanted) - set(created)), changed


def check(wanted: Mapping[str, Any]) -> None:
    """Refuse what nothing can be generated for."""
    for name, spec in wanted.items():
        if not NAME.fullmatch(name):
            raise Refused(f"Secret '{name}' cannot be a variable: it takes letters, digits and _, and starts with no digit.")
        if not isinstance(spec, dict) or spec.get("kind") not in KINDS:
            raise Refused(f"Secret {name} has no kind that can be generated: give one of {', '.join(sorted(KINDS))}.")
        length = spec.get("length")
        if not isinstance(length, int) or isinstance(length, bool) or length not in LENGTHS:
            raise Refused(f"Secret {name} has no usable length: give a whole number from {LENGTHS[0]} to {LENGTHS[-1]}.")


def missing(wanted: Mapping[str, Any], text: str | None, path: Path, must_exist: bool) -> list[str]:
    """Name the secrets to generate; `text` is None for a file that is not there."""
    kept = sorted(name for name, spec in wanted.items() if spec.get("immutable", True))
    if text is None and must_exist and kept:
        raise Refused(
            f"{path} is gone, and the app's data depend on {', '.join(kept)} in it. "
            "Restore the file from a backup of the container; to start over with new secrets, remove the app and deploy it again."
        )
    held = dict(LINE.findall(text or ""))
    empty = sorted(name for name in wanted if name in held and not held[name].strip("\"' \t\r"))
    if empty:
        raise Refused(f"{path} holds {', '.join(empty)} without a value. Put it back, or remove the line to have a new one generated.")
    return sorted(set(wanted) - set(held))


def read(path: Path) -> str | None:
    if path.is_symlink():
        raise Refused(f"{path} is a symbolic link, which is not followed for secrets. Put a file there.")
    try:
        with path.open(**TEXT) as file:
            return file.read()
    except FileNotFoundError:
        return None


def is_private(path: Path) -> bool:
    found = path.stat()
    return found.st_mode & 0o7777 == MODE and (found.st_uid, found.st_gid) == (os.geteuid(), os.getegid())


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, so that it is the old or the new one whenever the machine goes down."""
    descriptor, name = tempfile.mkstemp(prefix=".secrets-", dir=path.parent)  # 0600 from the first moment on
    try:
        with os.fdopen(descriptor, "w", **TEXT) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep a second run out of the folder, so that one value is made and both see it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "path": {"type": "path", "required": True},
            "secrets": {"type": "dict", "required": True, "no_log": False},  # names and kinds
            "must_exist": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        created, held, changed = ensure(Path(params["path"]), params["secrets"], params["must_exist"], module.check_mode)
    except Refused as refusal:
        module.fail_json(msg=str(refusal))
    except OSError as error:
        module.fail_json(msg=f"Cannot keep secrets in {params['path']}: {error.strerror}.")
    names = sorted([*held, *created])
    diff = {"before": "".join(f"{name}\n" for name in held), "after": "".join(f"{name}\n" for name in names)}
    module.exit_json(
        changed=changed, names=names, created=created, diff={**diff, "before_header": params["path"], "after_header": params["path"]}
    )


if __name__ == "__main__":
    main()
