# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Entries are found in folders, the first wins, and a mistake names its file and line."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import (
    find_definition,
    inspect_entry,
    list_entries,
    read_definition,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A catalog of one's own, with a copy of miniflux."""
    shutil.copytree(ROOT / "catalog/miniflux", tmp_path / "own/miniflux")
    return tmp_path / "own"


def test_the_collections_own_catalog_is_there_without_any_path() -> None:
    definition = find_definition("miniflux", [])
    assert definition["source"] == "catalog"
    assert definition["services"]["db"].startswith("postgres:") and "services:" in definition["compose"]


def test_the_first_catalog_wins(own: Path, tmp_path: Path) -> None:
    second = tmp_path / "second"
    shutil.copytree(own, second)
    assert find_definition("miniflux", [str(own), str(second)])["source"] == str(own)
    assert find_definition("miniflux", [str(second), str(own)])["source"] == str(second)
    assert list_entries([str(own)])["miniflux"] == (str(own), own / "miniflux")
    assert "prometheus" in list_entries([str(own)])


def test_files_come_with_their_text() -> None:
    definition = find_definition("prometheus", [])
    assert "scrape_configs" in definition["files"][0]["content"]


def test_an_unknown_id_names_near_ones(own: Path) -> None:
    with pytest.raises(SpecError) as caught:
        find_definition("minflux", [str(own)])
    assert str(caught.value).startswith(f"There is no entry 'minflux' in the catalog ({own}, catalog); did you mean miniflux")


def test_a_path_that_is_no_folder_is_told() -> None:
    with pytest.raises(SpecError, match="Catalog /nowhere is no folder; check catalog_paths"):
        find_definition("miniflux", ["/nowhere"])


MISTAKES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no compose.yml": (lambda folder: (folder / "compose.yml").unlink(), "compose.yml: the file is missing"),
    "no YAML": (lambda folder: _replace(folder / "entry.yml", "tags: [", "tags: ["[:-1] + "[["), "entry.yml:"),
    "a doubled key": (
        lambda folder: _replace(folder / "entry.yml", "name:", "id: miniflux\nname:"),
        "entry.yml:4: the key 'id' is there twice",
    ),
    "an empty file": (lambda folder: (folder / "entry.yml").write_text(""), "entry.yml:1: the file is empty"),
    "a list": (lambda folder: (folder / "entry.yml").write_text("- x\n"), "entry.yml:1: expected a mapping"),
    "another id": (
        lambda folder: _replace(folder / "entry.yml", "id: miniflux", "id: other"),
        "entry.yml:3: id: 'other' differs from the folder's name",
    ),
    "a field": (
        lambda folder: _replace(folder / "entry.yml", "port: 8080, path", "port: 0, path"),
        "health.port: expected at least 1, got 0",
    ),
    "a variable": (lambda folder: _replace(folder / "compose.yml", "${APP_URL}", "${APP_URI}"), "${APP_URI} is no option"),
    "a service": (
        lambda folder: _replace(folder / "compose.yml", "  db:\n    image:", "  db:\n    imagine:"),
        "services.db: 'image' is missing",
    ),
    "no text": (lambda folder: (folder / "compose.yml").write_bytes(b"\xff\xfe"), "compose.yml: cannot be read as UTF-8 text"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_file_and_line(own: Path, name: str) -> None:
    edit, expected = MISTAKES[name]
    edit(own / "miniflux")
    with pytest.raises(SpecError) as caught:
        read_definition(own / "miniflux", "own")
    lines = str(caught.value).split("\n")
    assert all(line.startswith(str(own / "miniflux")) for line in lines)
    assert any(expected in line for line in lines), lines


def test_a_version_that_no_image_has_is_told(own: Path) -> None:
    _replace(own / "miniflux/entry.yml", "version: 2.3.3", "version: 2.3.4")
    _definition, mistakes = inspect_entry(own / "miniflux", "own", house_rules=True)
    assert mistakes == [f"{own / 'miniflux/entry.yml'}:5: version: no image of compose.yml is pinned to 2.3.4"]


def test_what_yaml_cannot_read_is_told(own: Path) -> None:
    (own / "miniflux/compose.yml").write_text("a: \x00\n")
    with pytest.raises(SpecError, match=re.escape("compose.yml:1: is not YAML")):
        read_definition(own / "miniflux", "own")


def test_a_file_outside_of_the_folder_is_not_read(own: Path) -> None:
    with (own / "miniflux/entry.yml").open("a") as entry:
        entry.write("files: [{source: files/../../../secret, target: x}]\n")
    with pytest.raises(SpecError, match=re.escape("files[0].content: expected the text of the file")):
        read_definition(own / "miniflux", "own")


def test_the_line_is_the_one_of_the_mistake(own: Path) -> None:
    text = (own / "miniflux/compose.yml").read_text()
    line = next(number for number, row in enumerate(text.split("\n"), 1) if "${APP_URL}" in row)
    _replace(own / "miniflux/compose.yml", "${APP_URL}", "${APP_URI}")
    with pytest.raises(SpecError, match=f"compose.yml:{line}: "):
        read_definition(own / "miniflux", "own")


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
