# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Every entry of the catalog, and of the lab's: schema, parser, variables, volumes, ports, and the rules of the house."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, resolve_options, revision, stack_of
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry
from catalog.examples import needed_options

ROOT = Path(__file__).parents[3]
FOLDERS = sorted(path.parent for catalog in ("catalog", "tests/lab_catalog") for path in (ROOT / catalog).glob("*/entry.yml"))
SCHEMA = json.loads((ROOT / "catalog/schema/entry-1.json").read_text())
APP = {"name": "one", "url": "http://192.0.2.7:8080", "address": "192.0.2.7"}
each_entry = pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)


def test_there_are_entries() -> None:
    assert len(FOLDERS) >= 100


@each_entry
def test_an_entry_is_right(folder: Path) -> None:
    _definition, mistakes = inspect_entry(folder, "catalog", house_rules=True)
    assert mistakes == []


@each_entry
def test_an_entry_fits_the_schema_for_editors(folder: Path) -> None:
    jsonschema.validate(yaml.safe_load((folder / "entry.yml").read_text()), SCHEMA)


@each_entry
def test_an_entry_makes_a_stack(folder: Path) -> None:
    definition, _mistakes = inspect_entry(folder)
    entry = parse_entry(definition)
    options = needed_options(entry)
    stack = stack_of(entry, options, None, APP)
    assert len(revision(entry, options, None, "one")) == 10
    assert set(resolve_options(entry, options)) <= set(stack["env"])
    assert stack["volumes"].keys() == entry.volumes.keys() and stack["services"]


@each_entry
def test_an_entry_holds_nothing_but_its_files(folder: Path) -> None:
    definition, _mistakes = inspect_entry(folder)
    known = {"entry.yml", "compose.yml", *(row["source"] for row in definition.get("files", []))}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == known


@each_entry
def test_options_explain_themselves(folder: Path) -> None:
    entry = parse_entry(inspect_entry(folder)[0])
    assert [key for key, option in entry.options.items() if not option.help.endswith(".")] == []


def test_descriptions_are_our_own() -> None:
    texts = [parse_entry(inspect_entry(folder)[0]).description for folder in FOLDERS]
    assert len(set(texts)) == len(texts)
