# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user may choose, and how it is told when it does not fit."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.entries import (
    parse_entry,
    resolve_environment,
    resolve_options,
    sensitive_values,
)
from ansible_collections.proximity.platform.plugins.module_utils.entries.model import Option
from ansible_collections.proximity.platform.plugins.module_utils.entries.options import option_text
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from hypothesis import given
from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1, max_size=40)


def test_defaults_stand_for_what_is_not_given(definition: dict[str, Any]) -> None:
    assert resolve_options(parse_entry(definition), {"workers": None}) == {"TITLE": "Hello", "WORKERS": "2"}


def test_an_option_without_value_and_default_is_empty_text(definition: dict[str, Any]) -> None:
    del definition["options"]["title"]["default"]
    assert resolve_options(parse_entry(definition), {})["TITLE"] == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"titel": "x"}, "Entry sample has no option titel; did you mean title? Known: title, workers."),
        ({"title": "x" * 30}, "Entry sample, option title: '" + "x" * 30 + "' does not match [A-Za-z' $]{1,20} (Letters)."),
        ({"title": 1.10}, "Entry sample, option title: expected text; put the value in quotes."),
        ({"title": True}, "Entry sample, option title: expected text; put the value in quotes."),
        ({"title": "a\nb"}, "Entry sample, option title: expected one line of text, without control characters."),
        ({"workers": 3}, "Entry sample, option workers: '3' is none of 1, 2, 4."),
        ({"workers": "two"}, "Entry sample, option workers: expected a whole number, got 'two'."),
        ({"workers": True}, "Entry sample, option workers: expected a whole number, got 'True'."),
    ],
)
def test_a_value_that_does_not_fit_is_one_sentence(definition: dict[str, Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(SpecError) as caught:
        resolve_options(parse_entry(definition), options)
    assert str(caught.value) == message


def test_a_required_option_says_its_help(definition: dict[str, Any]) -> None:
    definition["options"]["title"] = {"env": "TITLE", "type": "email", "required": True, "help": "Address of the administrator."}
    with pytest.raises(SpecError) as caught:
        resolve_options(parse_entry(definition), {"title": ""})
    assert str(caught.value) == "Entry sample: option title is required (Address of the administrator)."


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("url", "https://host/path", "host/path"),
        ("email", "name@example.com", "name"),
        ("hostname", "app.example.com", "-app_.example"),
    ],
)
def test_forms_of_text(kind: str, good: str, bad: str) -> None:
    option = Option(env="X", type=kind)
    assert option_text("x", option, good) == good
    with pytest.raises(SpecError, match=f"option x: expected .*, got '{bad}'"):
        option_text("x", option, bad)


@pytest.mark.parametrize("value", ["hunter2\n", "hunter2"])
def test_a_password_is_never_repeated(value: str) -> None:
    with pytest.raises(SpecError) as caught:
        option_text("x", Option(env="X", type="password", pattern="[0-9]+"), value)
    assert "hunter2" not in str(caught.value)


@given(st.booleans() | st.sampled_from(["true", "False", "YES", "no", "on", "Off"]))
def test_booleans_become_true_or_false(value: bool | str) -> None:
    assert option_text("x", Option(env="X", type="boolean"), value) in ("true", "false")


@given(st.integers())
def test_numbers_and_their_text_are_the_same(number: int) -> None:
    option = Option(env="X", type="integer")
    assert option_text("x", option, number) == option_text("x", option, str(number)) == str(number)


@given(TEXT)
def test_text_stays_as_it_is(text: str) -> None:
    assert option_text("x", Option(env="X", type="string"), text) == text


@given(st.dictionaries(TEXT, st.none() | st.booleans() | st.integers() | st.floats() | TEXT, max_size=3))
def test_options_are_text_or_refused_as_a_spec_error(options: dict[str, Any]) -> None:
    entry = parse_entry({**SAMPLE, "options": {"title": {"env": "TITLE", "type": "string"}}})
    try:
        resolved = resolve_options(entry, options)
    except SpecError:
        return
    assert set(resolved) == {"TITLE"} and isinstance(resolved["TITLE"], str)


SAMPLE: dict[str, Any] = {
    "schema": 1,
    "id": "sample",
    "name": "Sample",
    "version": "1",
    "description": "An app that exists in tests only.",
    "category": "tests",
    "links": {"site": "https://example.com"},
    "architectures": ["amd64"],
    "health": {"type": "tcp", "port": 1},
    "resources": {"recommended": {"cores": 1, "memory_mb": 64, "swap_mb": 0, "disk_gb": 1}},
    "compose": "services: {web: {image: 'x:1', environment: {A: '${TITLE}'}}}",
}


class TestEnvironment:
    def test_a_variable_with_a_default_may_be_given(self, definition: dict[str, Any]) -> None:
        assert resolve_environment(parse_entry(definition), {"MODE": "fancy"}) == {"MODE": "fancy"}

    def test_none_is_empty(self, definition: dict[str, Any]) -> None:
        assert resolve_environment(parse_entry(definition), None) == {}

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("TITLE", "Entry sample, environment: TITLE belongs to option title; set that instead."),
            ("API_TOKEN", "Entry sample, environment: API_TOKEN is a secret, which is generated in the guest; it cannot be given."),
            (
                "MODUS",
                "Entry sample, environment: compose.yml does not read MODUS, so it would have no effect; "
                "did you mean MODE? Known: APP_URL, MODE.",
            ),
        ],
    )
    def test_what_would_have_no_effect_is_refused(self, definition: dict[str, Any], name: str, message: str) -> None:
        with pytest.raises(SpecError) as caught:
            resolve_environment(parse_entry(definition), {name: "x"})
        assert str(caught.value) == message

    def test_what_may_be_secret_is_named_for_the_log(self, definition: dict[str, Any]) -> None:
        definition["options"]["title"] = {"env": "TITLE", "type": "password"}
        assert sensitive_values(parse_entry(definition), {"title": "hunter2", "workers": 4}, {"MODE": "x", "TZ": "UTC"}) == {"hunter2", "x"}
