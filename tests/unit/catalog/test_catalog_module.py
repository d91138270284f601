# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Module proximity_catalog as playbooks use it: documented as it is, true in check mode, and with playbooks for people."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.proximity.platform.plugins.action.proximity_catalog import ARGUMENTS, RULES
from ansible_collections.proximity.platform.plugins.modules import proximity_catalog
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import OWN, inspect_entry
from stage.playbooks import run_playbook
from unit.catalog.small_registry import SmallRegistry, small_registry
from unit.test_modules import _facts_of_docs, _facts_of_spec

ROOT = Path(__file__).parents[3]
BIN = Path(sys.executable).parent
OLDER = Path(__file__).parent / "older"


def task(*words: str, **arguments: Any) -> tuple[int, str]:
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0", "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")}
    call = ["-m", "proximity.platform.proximity_catalog", "-a", json.dumps(arguments)]
    command = [str(BIN / "ansible"), "-i", "localhost,", "localhost", *call, *words]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def play(name: str, **variables: Any) -> tuple[int, str]:
    done = run_playbook("-i", "localhost,", f"playbooks/catalog_{name}.yml", "-e", json.dumps(variables))
    return done.returncode, done.stdout + done.stderr


class TestDocumentation:
    def test_it_equals_the_argument_spec(self) -> None:
        documented = yaml.safe_load(proximity_catalog.DOCUMENTATION)["options"]
        expected = {name: _facts_of_spec(each) for name, each in ARGUMENTS.items()}
        assert {name: _facts_of_docs(each) for name, each in documented.items()} == expected

    def test_its_examples_are_valid(self) -> None:
        for each in yaml.safe_load(proximity_catalog.EXAMPLES):
            validator = ArgumentSpecValidator(ARGUMENTS, **RULES)
            assert validator.validate(each["proximity.platform.proximity_catalog"]).error_messages == [], each["name"]


class TestTask:
    @pytest.fixture
    def own(self, tmp_path: Path) -> Path:
        shutil.copytree(OWN / "memos", tmp_path / "own/memos")
        return tmp_path / "own"

    def test_a_search(self) -> None:
        code, text = task(action="search", query="feeds")
        assert code == 0 and "id: miniflux" in text and "changed: false" in text

    def test_a_mistake_fails_with_its_line(self, own: Path) -> None:
        entry = own / "memos/entry.yml"
        entry.write_text(entry.read_text().replace("id: memos", "id: other"))
        code, text = task(action="validate", catalog_paths=[str(own)])
        assert code != 0 and "memos/entry.yml:3: id: 'other' differs" in " ".join(text.split())

    def test_a_broken_entry_is_warned_of(self, own: Path) -> None:
        (own / "memos/compose.yml").unlink()
        code, text = task(action="list", catalog_paths=[str(own)])
        assert code == 0 and "WARNING" in text and "Entry memos of" in text

    def test_arguments_that_are_missing_are_told(self) -> None:
        code, text = task(action="search")
        assert code != 0 and "missing: query" in " ".join(text.split())

    def test_a_check_writes_nothing_and_shows_all(self, own: Path) -> None:
        given = {"action": "lock", "catalog_paths": [str(own)], "ask_registry": False}
        code, text = task("--check", "--diff", **given)
        assert code == 0 and "changed: true" in text and "+  neosmemo/memos:0.30.0: sha256:" in text and not (own / "lock.yml").exists()
        assert "changed: true" in task(**given)[1] and (own / "lock.yml").exists()
        assert "changed: false" in task("--check", **given)[1] and "changed: false" in task(**given)[1]

    def test_changes_may_go_into_a_patch(self, own: Path, tmp_path: Path) -> None:
        with small_registry() as hub:
            hub.add("neosmemo/memos", "0.30.0", "0.31.0")
            given = {"action": "update", "catalog_paths": [str(own)], "registries": [{"name": "docker.io", "url": hub.url}]}
            code, text = task(**given, patch=str(tmp_path / "updates.patch"))
            assert code == 0, text
        patch = (tmp_path / "updates.patch").read_text()
        assert f"--- {own}/memos/compose.yml\n+++ {own}/memos/compose.yml\n" in patch
        assert "-    image: neosmemo/memos:0.30.0@sha256:" in patch and "+    image: neosmemo/memos:0.31.0@sha256:" in patch
        assert "-version: 0.30.0\n+version: 0.31.0\n" in patch
        assert "0.30.0" in (own / "memos/compose.yml").read_text() and not (own / "lock.yml").exists()


class TestPlaybooks:
    def test_search(self) -> None:
        code, text = play("search", catalog_query="feeds", proximity_catalog_paths=[str(OLDER)])
        assert code == 0 and "miniflux 2.3.3 (feeds): A sparse feed reader" in text, text

    def test_list_of_ones_own(self) -> None:
        code, text = play("search", catalog_category="business", proximity_catalog_paths=[str(OLDER)])
        assert code == 0 and "shop 2.1 (business, of " in text, text

    def test_validate(self) -> None:
        code, text = play("validate", proximity_catalog_paths=[str(ROOT / "tests/lab_catalog")])
        assert code == 0 and "entries are right." in text, text

    def test_convert(self, tmp_path: Path) -> None:
        code, text = play("convert", catalog_source=str(OLDER), catalog_target=str(tmp_path / "new"))
        assert code == 0 and "every port of the service" not in text and "example/hub:latest moves" in text, text
        assert (tmp_path / "new/shop/entry.yml").exists() and (tmp_path / "new/conversion.md").exists()

    @pytest.mark.parametrize("write", [False, True])
    def test_updates(self, tmp_path: Path, write: bool) -> None:
        shutil.copytree(OWN / "memos", tmp_path / "own/memos")
        with small_registry(SmallRegistry()) as hub:
            hub.add("neosmemo/memos", "0.30.0", "0.31.0", "1.0.0")
            registries = [{"name": "docker.io", "url": hub.url}]
            given = {"catalog_ids": ["memos"], "catalog_registries": registries, "catalog_write": write}
            code, text = play("updates", proximity_catalog_paths=[str(tmp_path / "own")], **given)
        assert code == 0 and "memos: neosmemo/memos 0.30.0 -> 0.31.0, and 1.0.0 waits for majors" in text, text
        assert ("0.31.0" in (tmp_path / "own/memos/compose.yml").read_text()) == write

    def test_scaffold(self, tmp_path: Path) -> None:
        entry = {"id": "mine", "category": "tools", "port": 8080}
        given = {"catalog_image": "acme/mine:1.0", "catalog_target": str(tmp_path), "catalog_entry": entry, "catalog_ask_registry": False}
        code, text = play("scaffold", **given)
        assert code == 0 and f"{tmp_path}/mine is there." in text, text
        assert inspect_entry(tmp_path / "mine")[1] == []
