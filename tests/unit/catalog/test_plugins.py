# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plugins that hand the catalog to playbooks and to the module."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.proximity.platform.plugins.action.proximity_app import _with_definition
from ansible_collections.proximity.platform.plugins.filter.stack import FilterModule
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, revision
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

ROOT = Path(__file__).parents[3]
LAB = str(ROOT / "tests/lab_catalog")


def ask(expression: str, **variables: Any) -> tuple[int, str]:
    """Let Ansible itself evaluate an expression; plugins of a collection only load by its own loader."""
    command = [
        Path(sys.executable).parent / "ansible",
        "localhost",
        "-i",
        "localhost,",
        "-m",
        "ansible.builtin.debug",
        "-a",
        f"msg={expression}",
    ]
    done = subprocess.run([*command, "-e", json.dumps(variables)], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


class TestLookup:
    def test_it_returns_a_definition_per_id(self) -> None:
        code, text = ask(
            "{{ query('proximity.platform.catalog', 'lab-notes', 'miniflux', catalog_paths=[lab])"
            " | map('proximity.platform.stack', {'name': 'one'}) | map(attribute='services') }}",
            lab=LAB,
        )
        assert code == 0 and "- api" in text and "- miniflux" in text, text

    def test_paths_may_come_from_a_variable(self) -> None:
        code, text = ask("{{ lookup('proximity.platform.catalog', 'lab-web').name }}", proximity_catalog_paths=[LAB])
        assert code == 0 and "Lab Web" in text, text

    def test_an_unknown_id_ends_it(self) -> None:
        code, text = ask("{{ lookup('proximity.platform.catalog', 'lab-note', catalog_paths=[lab]) }}", lab=LAB)
        assert code != 0 and "did you mean lab-notes" in text, text


class TestFilters:
    stack = staticmethod(FilterModule().filters()["stack"])
    dotenv = staticmethod(FilterModule().filters()["dotenv"])

    def test_a_definition_becomes_a_stack(self, definition: dict[str, Any]) -> None:
        assert self.stack(definition, {"name": "one"}, {"title": "Hi"}, None)["env"]["TITLE"] == "Hi"

    def test_an_inline_definition_is_completed(self, definition: dict[str, Any]) -> None:
        del definition["services"]
        assert self.stack(definition, {"name": "one"})["images"] == ["example/web:1.2.3"]

    def test_a_mistake_is_a_filter_error(self, definition: dict[str, Any]) -> None:
        with pytest.raises(AnsibleFilterError, match="has no option titel"):
            self.stack(definition, {"name": "one"}, {"titel": "Hi"})

    def test_variables_become_an_env_file(self) -> None:
        assert self.dotenv({"B": "it's", "A": 1}) == 'A=1\nB="it\'s"\n'
        with pytest.raises(AnsibleFilterError, match="Variable A"):
            self.dotenv({"A": "a\nb"})


class TestAction:
    def test_an_id_becomes_its_definition(self) -> None:
        arguments = _with_definition({"name": "one", "catalog_id": "lab-notes", "catalog_paths": [LAB], "state": "started"})
        assert (arguments.keys(), arguments["definition"]["id"]) == ({"name", "state", "definition"}, "lab-notes")

    def test_paths_may_be_text(self) -> None:
        assert _with_definition({"catalog_id": "lab-web", "catalog_paths": f"{LAB}, {LAB}"})["definition"]["id"] == "lab-web"

    def test_paths_that_are_none_are_refused(self) -> None:
        with pytest.raises(SpecError, match="catalog_paths is not a list of folders"):
            _with_definition({"catalog_id": "lab-web", "catalog_paths": 3})

    def test_an_inline_definition_is_completed(self, definition: dict[str, Any]) -> None:
        del definition["services"]
        assert _with_definition({"definition": definition})["definition"]["services"] == {"web": "example/web:1.2.3"}

    def test_an_unknown_id_ends_the_task_except_when_the_app_is_to_go(self) -> None:
        with pytest.raises(SpecError, match="There is no entry 'nope'"):
            _with_definition({"catalog_id": "nope", "state": "started"})
        assert _with_definition({"catalog_id": "nope", "state": "absent"}) == {"catalog_id": "nope", "state": "absent"}

    def test_other_arguments_are_left_alone(self) -> None:
        assert _with_definition({"name": "one", "report": {"vmid": 1}}) == {"name": "one", "report": {"vmid": 1}}

    def test_both_ways_give_the_same_revision(self) -> None:
        by_id = _with_definition({"catalog_id": "lab-notes", "catalog_paths": [LAB]})["definition"]
        inline = _with_definition({"definition": {key: value for key, value in by_id.items() if key not in ("services", "source")}})[
            "definition"
        ]
        assert revision(parse_entry(by_id), {}, None, "one") == revision(parse_entry(inline), {}, None, "one")
