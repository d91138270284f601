"""Every module of this collection says in its documentation what its code accepts, and its examples can be run."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments

PLUGINS = Path(__file__).parents[2] / "plugins"
PREFIX = "ansible_collections.proximity.platform.plugins"
NAMES = sorted(path.stem for path in (PLUGINS / "modules").glob("proximity_*.py"))
ON_THE_API = [name for name in NAMES if "argument_spec()" in (PLUGINS / "modules" / f"{name}.py").read_text()]
COMPARED = ("type", "elements", "required", "default", "choices", "suboptions")


def _spec(name: str) -> dict[str, Any]:
    module = importlib.import_module(f"{PREFIX}.modules.{name}")
    return {**connection_arguments(), **module.argument_spec()}


def _docs(name: str) -> dict[str, Any]:
    """Options as documented, with those of the fragments."""
    doc = yaml.safe_load(importlib.import_module(f"{PREFIX}.modules.{name}").DOCUMENTATION)
    options = dict(doc["options"])
    for fragment in doc["extends_documentation_fragment"]:
        file, *section = fragment.split(".")[2:]
        texts = importlib.import_module(f"{PREFIX}.doc_fragments.{file}").ModuleDocFragment
        options |= yaml.safe_load(getattr(texts, section[0].upper() if section else "DOCUMENTATION"))["options"]
    return options


def _facts_of_spec(spec: dict[str, Any]) -> dict[str, Any]:
    facts = {key: value for key, value in spec.items() if (key in COMPARED and value not in (None, False)) or key == "default"}
    if "options" in spec:
        facts["suboptions"] = {name: _facts_of_spec(each) for name, each in spec["options"].items()}
    return facts


def _facts_of_docs(option: dict[str, Any]) -> dict[str, Any]:
    facts = {
        key: value for key, value in option.items() if key in COMPARED and value is not None and (value is not False or key == "default")
    }
    if "suboptions" in option:
        facts["suboptions"] = {name: _facts_of_docs(each) for name, each in option["suboptions"].items()}
    return facts


@pytest.mark.parametrize("name", ON_THE_API)
def test_documentation_equals_argument_spec(name: str) -> None:
    documented = {option: _facts_of_docs(each) for option, each in _docs(name).items()}
    assert documented == {option: _facts_of_spec(each) for option, each in _spec(name).items()}


@pytest.mark.parametrize("name", ON_THE_API)
def test_examples_are_valid(name: str) -> None:
    module = importlib.import_module(f"{PREFIX}.modules.{name}")
    tasks = yaml.safe_load(module.EXAMPLES)
    assert tasks
    for task in tasks:
        assert task["name"][0].isupper()
        result = ArgumentSpecValidator(_spec(name)).validate(task[f"proximity.platform.{name}"])
        assert result.error_messages == [], task["name"]


@pytest.mark.parametrize("name", ON_THE_API)
def test_code_is_short(name: str) -> None:
    """Documentation, arguments, and one call of run(): what is longer belongs further down."""
    lines = (PLUGINS / "modules" / f"{name}.py").read_text().splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("def "))
    assert len([line for line in lines[first:] if line]) <= 60


def test_every_module_is_in_the_action_group() -> None:
    groups = yaml.safe_load((PLUGINS.parent / "meta" / "runtime.yml").read_text())["action_groups"]
    assert set(ON_THE_API) <= set(groups["proximity"])
