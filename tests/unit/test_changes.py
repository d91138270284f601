"""What an update tells of itself in a check."""

from __future__ import annotations

from ansible_collections.proximity.platform.plugins.filter.stack import FilterModule
from ansible_collections.proximity.platform.plugins.plugin_utils.changes import changed_images, changed_variables, secret_variables

OLD = "services: {web: {image: 'lab/web:1.0'}, gone: {image: 'lab/gone:1'}, same: {image: 'x:1'}}"
NEW = "services: {web: {image: 'lab/web:1.1'}, new: {image: 'lab/new:2'}, same: {image: 'x:1'}}"


def test_images_by_service() -> None:
    assert list(changed_images(OLD, NEW)) == ["gone: lab/gone:1 goes away", "new: lab/new:2 is new", "web: lab/web:1.0 -> lab/web:1.1"]


def test_a_file_that_somebody_has_spoilt_has_no_images() -> None:
    assert list(changed_images("services: [", NEW)) == ["new: lab/new:2 is new", "same: x:1 is new", "web: lab/web:1.1 is new"]


def test_variables_without_secrets() -> None:
    lines = list(changed_variables("A=1\nB=old\nC=\nE=5\n", "A=1\nB=new\nC=3\nD=hush\nE=6\n", {"B", "D"}))
    assert lines == ["B: (not shown) -> (not shown)", "C: (empty) -> 3", "D: (none) -> (not shown)", "E: 5 -> 6"]


def test_passwords_and_the_users_environment_are_secret() -> None:
    definition = {"options": {"pin": {"env": "PIN", "type": "password"}, "greeting": {"env": "GREETING", "type": "string"}}}
    assert secret_variables(definition, {"EXTRA": "x"}) == {"PIN", "EXTRA"}


def test_the_filter_takes_a_stack() -> None:
    stack = {"compose": NEW, "env": {"GREETING": "hi", "PIN": "1234"}}
    definition = {"options": {"pin": {"env": "PIN", "type": "password"}}}
    lines = FilterModule().filters()["stack_changes"](stack, OLD, "GREETING=hello\nPIN=4321\n", definition)
    assert lines[-2:] == ["GREETING: hello -> hi", "PIN: (not shown) -> (not shown)"]
