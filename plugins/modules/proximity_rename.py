#!/usr/bin/python
# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module proximity_rename: runs in the guest, where a copy still calls itself by its source's name."""

from __future__ import annotations

DOCUMENTATION = r"""
module: proximity_rename
short_description: Give the copy of an app its own name where it runs
version_added: 0.2.0
author: Proximity contributors (@proximity-platform)
description:
  - In the container of a clone, gives Compose project, folder, volumes and platform values the name of the clone instead of the source's.
  - Services are shut down, their containers and networks removed. Volumes keep what is in them, by renaming its folder. Nothing is copied.
  - It starts nothing. Cut off at any moment, it goes on where it was when it is run again, and nothing is lost.
options:
  source:
    description: Name of the app that this is a copy of.
    type: str
    required: true
  name:
    description: Name that it is to have.
    type: str
    required: true
  root:
    description: Where apps live in the guest, one folder each.
    type: path
    default: /opt/proximity
  address:
    description:
      - Address of the guest. Platform values in C(.env) that hold the one that the source had are given this one.
    type: str
  forget_secrets:
    description: Names of secrets that are taken out of C(secrets.env), so that they are generated anew.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    description: Can run in check mode and say what would change, without changing it.
    support: full
  diff_mode:
    description: Says in diff mode what changed.
    support: full
  idempotent:
    description: Run again, it changes nothing.
    support: full
  platform:
    description: Systems it runs on.
    platforms: posix
    support: full
notes:
  - Needs Docker on the guest, and volumes of its driver C(local).
  - A volume with a C(name) of its own in the Compose file keeps that name.
"""

EXAMPLES = r"""
- name: Let the copy of feeds be feeds-test
  proximity.platform.proximity_rename:
    source: feeds
    name: feeds-test
    address: 192.0.2.21
"""

RETURN = r"""
steps:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample: ["remove container feeds-web-1", "volume feeds_data is now feeds-test_data"]
"""

import contextlib
import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

PROJECT = "com.docker.compose.project"
HASH = "com.docker.compose.config-hash"
PLATFORM = re.compile(r"^(APP_[A-Z]+)=(.*)$", re.MULTILINE)
QUOTES = "'\""


class Refused(Exception):
    """What was asked for cannot or must not be done."""


Step = tuple[str, Callable[[], None]]
"""What is done, in words, and the doing."""


@dataclass(frozen=True)
class Copy:
    """What a copy is called in its guest, and is to be called."""

    source: str
    name: str
    root: Path
    address: str
    forget: Sequence[str]

    @property
    def old(self) -> Path:
        return self.root / self.source

    @property
    def new(self) -> Path:
        return self.root / self.name


def docker(*words: str) -> str:
    try:
        done = subprocess.run(["docker", *words], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise Refused("There is no Docker on this guest.") from error
    if done.returncode:
        raise Refused(f"docker {' '.join(words[:3])} failed: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def of_project(kind: Sequence[str], project: str) -> list[str]:
    return sorted(
        docker(*kind, "--filter", f"label={PROJECT}={project}", "--format", "{{.Name}}" if kind[0] != "ps" else "{{.Names}}").split()
    )


def steps_of(copy: Copy) -> Iterator[Step]:
    """All that is left to do, in its order; a step is looked for when those before it are done."""
    for container in of_project(("ps", "--all"), copy.source):
        yield f"remove container {container}", lambda container=container: remove_container(container)
    for network in of_project(("network", "ls"), copy.source):
        yield f"remove network {network}", lambda network=network: remove_network(network)
    yield from folder_steps(copy)
    for volume in of_project(("volume", "ls"), copy.source):
        if volume.startswith(f"{copy.source}_"):
            there = f"{copy.name}_{volume.removeprefix(f'{copy.source}_')}"
            yield f"volume {volume} is now {there}", lambda volume=volume, there=there: move_volume(copy, volume, there)
    yield from value_steps(copy)


def remove_container(name: str) -> None:
    """Gracefully: a database gets the time that its service asks for. Its volumes stay."""
    docker("stop", name)
    docker("rm", name)


def remove_network(name: str) -> None:
    docker("network", "rm", name)


def folder_steps(copy: Copy) -> Iterator[Step]:
    if not copy.old.is_dir():
        return
    if (copy.new / "compose.yml").exists() and (copy.old / "compose.yml").exists():
        raise Refused(f"Both {copy.old} and {copy.new} hold a stack: remove the one that is not wanted.")
    yield from forgetting(copy)
    yield f"folder {copy.old} is now {copy.new}", lambda: move_folder(copy)


def forgetting(copy: Copy) -> Iterator[Step]:
    """While the folder has its old name, so that what is made anew afterwards is not forgotten again."""
    names = re.compile(rf"[ \t]*(?:export[ \t]+)?({'|'.join(map(re.escape, copy.forget))})=") if copy.forget else None
    lines = read(copy.old / "secrets.env").splitlines(keepends=True)
    gone = [match[1] for line in lines if names and (match := names.match(line))]
    if gone:
        kept = "".join(line for line in lines if not (names and names.match(line)))
        yield f"forget {', '.join(sorted(gone))}", lambda: write(copy.old / "secrets.env", kept)


def move_folder(copy: Copy) -> None:
    """What a run that failed early has left there, such as its log, goes along."""
    if copy.new.is_dir():
        for each in copy.new.iterdir():
            each.replace(copy.old / each.name)
        copy.new.rmdir()
    copy.old.rename(copy.new)


def move_volume(copy: Copy, name: str, there: str) -> None:
    """A volume of the new name with the contents of the old one, which goes only when nothing is left in it."""
    (volume,) = json.loads(docker("volume", "inspect", name))
    if volume["Driver"] != "local":
        raise Refused(f"Volume {name} is of driver {volume['Driver']}, whose contents cannot be given another name.")
    options = {key: value.replace(f"{copy.old}/", f"{copy.new}/") for key, value in (volume.get("Options") or {}).items()}
    labels = {**{key: value for key, value in (volume.get("Labels") or {}).items() if key != HASH}, PROJECT: copy.name}
    words = [f"--opt={key}={value}" for key, value in options.items()] + [f"--label={key}={value}" for key, value in labels.items()]
    if there not in docker("volume", "ls", "--quiet").split():
        docker("volume", "create", *words, there)
    (target,) = json.loads(docker("volume", "inspect", there))
    if not options:  # else its contents lie where the options say
        move_contents(Path(volume["Mountpoint"]), Path(target["Mountpoint"]))
    docker("volume", "rm", name)


def move_contents(old: Path, new: Path) -> None:
    """Rename one folder to the other, which is replaced only while it is empty; done again, nothing happens."""
    if is_empty(old):
        old.mkdir(exist_ok=True)  # docker removes a volume together with its folder
        return
    if not is_empty(new):
        raise Refused(f"Both {old} and {new} hold data: nothing is overwritten. Move away what is not wanted.")
    if new.exists():
        new.rmdir()
    old.rename(new)
    old.mkdir()


def is_empty(folder: Path) -> bool:
    return not folder.is_dir() or not any(folder.iterdir())


def value_steps(copy: Copy) -> Iterator[Step]:
    """Values are looked for where the file is now, which in a check is the old place."""
    before = read((copy.new if (copy.new / "compose.yml").exists() else copy.old) / ".env")
    after = platform_values(copy, before)
    if after != before:
        yield "write APP_NAME and where it is reached to .env", lambda: write(copy.new / ".env", after)


def platform_values(copy: Copy, text: str) -> str:
    values = {name: value.strip(QUOTES) for name, value in PLATFORM.findall(text)}
    address = values.get("APP_ADDRESS", "")

    def renewed(match: re.Match[str]) -> str:
        name, value = match[1], match[2]
        if name == "APP_NAME":
            return f"{name}={copy.name}"
        if not address or not copy.address:
            return match[0]
        return f"{name}=" + re.sub(rf"(?<![\w.:]){re.escape(address)}(?![\w.])", copy.address, value)

    return PLATFORM.sub(renewed, text)


def read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""


def write(path: Path, text: str) -> None:
    """Replace the file as a whole, with the rights that it has."""
    mode = path.stat().st_mode & 0o7777
    descriptor, name = tempfile.mkstemp(prefix=f"{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).chmod(mode)
        Path(name).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()


def rename(copy: Copy, dry: bool) -> list[str]:
    """Do all steps, or in a check name them. Returns them in words."""
    if copy.source == copy.name:
        raise Refused(f"A copy cannot have the name of its source, {copy.source}.")
    told = []
    for words, do in steps_of(copy):
        told.append(words)
        if not dry:
            do()
    return told


def copy_of(params: Mapping[str, Any]) -> Copy:
    return Copy(params["source"], params["name"], Path(params["root"]), params["address"] or "", params["forget_secrets"])


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "source": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
            "root": {"type": "path", "default": "/opt/proximity"},
            "address": {"type": "str"},
            "forget_secrets": {"type": "list", "elements": "str", "default": [], "no_log": False},  # names
        },
        supports_check_mode=True,
    )
    try:
        steps = rename(copy_of(module.params), module.check_mode)
    except Refused as refusal:
        module.fail_json(msg=str(refusal))
    except OSError as error:
        module.fail_json(msg=f"Cannot give app {module.params['source']} the name {module.params['name']}: {error}.")
    after = "".join(f"{step}\n" for step in steps)
    module.exit_json(changed=bool(steps), steps=steps, diff={"before": "", "after": after})


if __name__ == "__main__":
    main()
