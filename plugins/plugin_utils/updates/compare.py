# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Compare the images of entries with what registries have, and write the change that would follow."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import COMPOSE, ENTRY
from ansible_collections.proximity.platform.plugins.plugin_utils.compose import image_parts
from ansible_collections.proximity.platform.plugins.plugin_utils.drafts.layout import lock_text
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.registry import RegistryError
from ansible_collections.proximity.platform.plugins.plugin_utils.updates.tags import Choice, newer_tag, version_in, version_of
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import read_yaml

LOCK = "lock.yml"
LOCK_REMARK = "Each image of this catalog with the digest that its tag had when a registry was last asked; proximity_catalog writes it."
LOCK_SCHEMA = 1
Images = dict[str, str | None]
"""Image with its tag -> digest, None where nobody has asked yet."""


class Asked(Protocol):
    """Who knows tags and digests; `registry.Registries`, or a test's stand-in for it."""

    def tags(self, name: str) -> list[str]: ...
    def digest(self, name: str, reference: str) -> str: ...


@dataclass(frozen=True)
class Group:
    """The services of an entry that share an image, and so move together."""

    services: tuple[str, ...]
    name: str
    tag: str
    pinned: str
    pattern: str


@dataclass(frozen=True)
class Update:
    """What a registry says of one image of an entry. `moved`: the tag stands for another digest than the one in the lock."""

    id: str
    group: Group
    choice: Choice
    digest: str
    moved: bool
    notes: tuple[str, ...] = ()

    @property
    def change(self) -> str:
        """What would change: tag, digest, or nothing."""
        if self.choice.tag != self.group.tag:
            return "tag"
        return "digest" if self.group.pinned and self.group.pinned != self.digest else ""

    @property
    def image(self) -> str:
        """The image as compose.yml would name it: with a digest where it has one now."""
        return f"{self.group.name}:{self.choice.tag}" + (f"@{self.digest}" if self.group.pinned else "")

    def row(self) -> dict[str, Any]:
        group, choice = self.group, self.choice
        told = {
            "id": self.id,
            "services": list(group.services),
            "image": group.name,
            "tag": group.tag,
            "new_tag": choice.tag,
            "digest": self.digest,
        }
        return {
            **told,
            "change": self.change or None,
            "major": choice.major,
            "held": choice.held or None,
            "moved": self.moved,
            "notes": list(self.notes),
        }


@dataclass
class Comparison:
    """Of several entries. `failures` names each image that could not be asked for."""

    updates: list[Update] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)


class Cached:
    """Asks once for each image, however many entries use it; a refusal is remembered too."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._known: dict[tuple[str, ...], Any] = {}

    def tags(self, name: str) -> list[str]:
        return list(self._once(("tags", name), lambda: self._asked.tags(name)))

    def digest(self, name: str, reference: str) -> str:
        return str(self._once(("digest", name, reference), lambda: self._asked.digest(name, reference)))

    def _once(self, key: tuple[str, ...], ask: Any) -> Any:
        if key not in self._known:
            try:
                self._known[key] = ask()
            except RegistryError as error:
                self._known[key] = error
        if isinstance(self._known[key], RegistryError):
            raise self._known[key]
        return self._known[key]


def compare(definitions: Sequence[Mapping[str, Any]], asked: Asked, lock: Images, majors: bool = False) -> Comparison:
    """Ask for every image of these entries."""
    known, done = Cached(asked), Comparison()
    for definition in definitions:
        groups = list(_groups(definition))
        for group in groups:
            try:
                done.updates.append(_update(definition, group, groups, known, lock, majors))
            except RegistryError as error:
                done.failures.append({"id": definition["id"], "image": f"{group.name}:{group.tag}", "error": str(error)})
    return done


def _groups(definition: Mapping[str, Any]) -> Iterator[Group]:
    patterns = (definition.get("updates") or {}).get("tags") or {}
    shared: dict[str, list[str]] = {}
    for service, image in definition["services"].items():
        shared.setdefault(image, []).append(service)
    for image, services in shared.items():
        name, tag, pinned = image_parts(image)
        pattern = next((patterns[service] for service in services if service in patterns), "")
        yield Group(tuple(services), name, tag or "latest", pinned, pattern)


def _update(
    definition: Mapping[str, Any], group: Group, groups: Sequence[Group], known: Cached, lock: Images, majors: bool
) -> Update:  # fmt: skip
    choice = Choice(group.tag)
    if group.pattern:
        choice = newer_tag(
            group.tag,
            _tags(definition, group, groups, known),
            group.pattern,
            majors,
            (definition.get("updates") or {}).get("max_major_step"),
        )
    digest = known.digest(group.name, choice.tag)
    locked = lock.get(f"{group.name}:{group.tag}")
    moved = bool(locked) and choice.tag == group.tag and locked != digest
    return Update(definition["id"], group, choice, digest, moved, _notes(definition, choice) if choice.tag != group.tag else ())


def _tags(definition: Mapping[str, Any], group: Group, groups: Sequence[Group], known: Cached) -> list[str]:
    """Images that bear the app's version in one and the same tag are released together: only a tag that all have is taken."""
    tags = known.tags(group.name)
    if definition["version"] in group.tag:
        for other in groups:
            if other.tag == group.tag and other.name != group.name:
                others = set(known.tags(other.name))
                tags = [tag for tag in tags if tag in others]
    return tags


def _notes(definition: Mapping[str, Any], choice: Choice) -> tuple[str, ...]:
    """What the entry says of the versions on the way."""
    now, then = version_of(definition["version"]), version_of(choice.tag)
    rows = definition.get("upgrade") or ()
    return tuple(f"{row['version']}: {row['note']}" for row in rows if now < version_of(row["version"]) <= then)


def proposed(folder: Path, definition: Mapping[str, Any], updates: Sequence[Update]) -> dict[Path, str]:
    """The files of an entry as they would be; only those that change."""
    wanted = [update for update in updates if update.change]
    if not wanted:
        return {}
    files = {folder / COMPOSE: (folder / COMPOSE).read_text(encoding="utf-8"), folder / ENTRY: (folder / ENTRY).read_text(encoding="utf-8")}
    before = dict(files)
    _data, lines = read_yaml(files[folder / COMPOSE], str(folder / COMPOSE))
    rows = files[folder / COMPOSE].split("\n")
    for update in wanted:
        for service in update.group.services:
            number = lines["services", service, "image"] - 1
            rows[number] = rows[number].replace(definition["services"][service], update.image)
    files[folder / COMPOSE] = "\n".join(rows)
    version = next((text for text in (_version(definition, update) for update in wanted) if text), "")
    if version:
        line = "version: " + yaml.safe_dump(version).removesuffix("...\n").strip()
        files[folder / ENTRY] = re.sub(r"^version:.*$", lambda _match: line, files[folder / ENTRY], count=1, flags=re.MULTILINE)
    return {path: text for path, text in files.items() if text != before[path]}


def _version(definition: Mapping[str, Any], update: Update) -> str:
    """The app's new version, where this image is the one that bears it."""
    version, pinned = definition["version"], update.group.pinned.removeprefix("sha256:")
    if len(version) >= 12 and pinned.startswith(version):
        return update.digest.removeprefix("sha256:")[: len(version)]
    return version_in(update.choice.tag, update.group.tag, version)


def read_lock(folder: Path) -> Images:
    """The lock of a catalog; empty where there is none. Raises SpecError with file and line."""
    file = folder / LOCK
    if not file.exists():
        return {}
    data, _lines = read_yaml(file.read_text(encoding="utf-8"), str(file))
    images = data.get("images") if isinstance(data, dict) else None
    if not isinstance(images, dict) or data.get("schema") != LOCK_SCHEMA:
        raise SpecError(f"{file}:1: expected schema {LOCK_SCHEMA} and a mapping of images")
    return images


def locked(definitions: Sequence[Mapping[str, Any]], before: Images, updates: Sequence[Update] = ()) -> Images:
    """The lock over these entries: what a registry said now, else what is pinned, else what was known."""
    found: Images = {}
    for definition in definitions:
        for group in _groups(definition):
            image = f"{group.name}:{group.tag}"
            found[image] = group.pinned or before.get(image)
    for update in updates:
        found.pop(f"{update.group.name}:{update.group.tag}", None)
    for update in updates:
        found[f"{update.group.name}:{update.choice.tag}"] = update.digest
    return dict(sorted(found.items()))


def lock_file(images: Images) -> str:
    return lock_text({"schema": LOCK_SCHEMA, "images": images}, LOCK_REMARK)
