# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Docker Compose itself accepts every entry, with its variables set."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, stack_of
from ansible_collections.proximity.platform.plugins.module_utils.entries.dotenv import dotenv
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry
from catalog.compose import NoComposeError, compose_command
from catalog.examples import needed_options
from unit.catalog.test_entries import APP, each_entry


@pytest.fixture(scope="session")
def compose() -> tuple[str, ...]:
    try:
        return compose_command()
    except NoComposeError as error:
        pytest.skip(f"Compose's own opinion is unproven: {error}")


@each_entry
def test_compose_accepts_the_entry(compose: tuple[str, ...], folder: Path, tmp_path: Path) -> None:
    entry = parse_entry(inspect_entry(folder)[0])
    stack = stack_of(entry, needed_options(entry), None, APP)
    (tmp_path / "compose.yml").write_text(stack["compose"])
    (tmp_path / ".env").write_text(dotenv(stack["env"]))
    (tmp_path / "secrets.env").write_text(dotenv(dict.fromkeys(stack["secrets"], "s3cret")))
    config, warnings = _config(compose, tmp_path)
    assert warnings == ""
    assert {name: row["image"] for name, row in config["services"].items()} == dict(entry.services)
    named = yaml.safe_load(stack["compose"]).get("volumes") or {}
    assert set(config.get("volumes") or {}) == set(named) == set(entry.volumes)


def test_compose_reads_env_files_as_they_are_written(compose: tuple[str, ...], tmp_path: Path) -> None:
    values = {"A": "it's $5 ${A}", "B": "a b#c", "C": 'say "hi" \\n $$', "D": "", "E": "x\\y", "F": "#1 'quoted' \\$ end", "G": "ü"}
    (tmp_path / "compose.yml").write_text(
        json.dumps({"services": {"x": {"image": "x:1", "environment": {name: f"${{{name}}}" for name in values}}}})
    )
    (tmp_path / ".env").write_text(dotenv(values))
    (tmp_path / "secrets.env").write_text("")
    config, _warnings = _config(compose, tmp_path)
    assert {name: text.replace("$$", "$") for name, text in config["services"]["x"]["environment"].items()} == values


def _config(compose: tuple[str, ...], folder: Path) -> tuple[dict[str, dict[str, dict[str, object]]], str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    command = [*compose, "-p", "one", "--env-file", ".env", "--env-file", "secrets.env", "config", "--format", "json"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr
