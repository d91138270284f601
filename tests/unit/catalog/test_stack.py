# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a guest gets."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, platform_values, stack_of
from ansible_collections.proximity.platform.plugins.module_utils.entries.dotenv import dotenv
from ansible_collections.proximity.platform.plugins.module_utils.entries.variables import stray_dollars, used_variables
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from hypothesis import assume, given
from hypothesis import strategies as st

APP = {"name": "one", "url": "http://192.0.2.7:8080", "address": "192.0.2.7"}


def test_a_stack_holds_all_but_the_secrets_values(definition: dict[str, Any]) -> None:
    definition["health"]["headers"] = {"Host": "${APP_AUTHORITY}"}
    stack = stack_of(parse_entry(definition), {"title": "Hi"}, None, APP)
    assert stack["env"]["TITLE"] == "Hi" and stack["env"]["APP_URL"] == "http://192.0.2.7:8080" and "API_TOKEN" not in stack["env"]
    assert stack["secrets"] == {"API_TOKEN": {"kind": "alnum", "length": 32, "immutable": True}}
    assert stack["files"] == [{"path": "files/app.conf", "mode": "0644", "content": "key = value\n"}]
    assert stack["health"] == {
        "type": "http",
        "port": 8080,
        "scheme": "http",
        "path": "/",
        "expect": [200],
        "headers": {"Host": "192.0.2.7:8080"},
        "start_period_s": 120,
    }
    assert (stack["images"], stack["services"]) == (["example/web:1.2.3"], ["web"])
    assert stack["volumes"] == {"data": {"kind": "data", "backup": True}}
    assert stack["compose"] == definition["compose"]


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ({"url": "http://192.0.2.7:8080"}, ("http", "192.0.2.7", "8080", "192.0.2.7:8080", "false")),
        ({"url": "https://notes.example.com/"}, ("https", "notes.example.com", "443", "notes.example.com", "true")),
        ({"url": "http://[2001:db8::7]:8080"}, ("http", "[2001:db8::7]", "8080", "[2001:db8::7]:8080", "false")),
        ({"address": "192.0.2.7"}, ("http", "192.0.2.7", "8080", "192.0.2.7:8080", "false")),
        ({"address": "2001:db8::7", "url": None}, ("http", "[2001:db8::7]", "8080", "[2001:db8::7]:8080", "false")),
        ({}, ("", "", "", "", "false")),
    ],
)
def test_platform_values_come_from_the_address(definition: dict[str, Any], app: dict[str, Any], expected: tuple[str, ...]) -> None:
    values = platform_values(parse_entry(definition), {"name": "one", **app})
    assert tuple(values[name] for name in ("APP_SCHEME", "APP_HOST", "APP_PORT", "APP_AUTHORITY", "APP_SECURE")) == expected
    assert not values["APP_URL"].endswith("/") and values["APP_INSECURE"] != values["APP_SECURE"]


def test_an_app_without_web_pages_has_a_host_and_a_port(definition: dict[str, Any]) -> None:
    del definition["web"]
    definition["ports"] = [{"name": "db", "port": 5432, "protocol": "tcp"}]
    values = platform_values(parse_entry(definition), {"name": "one", "address": "192.0.2.7", "url": None, "timezone": "Europe/Vienna"})
    assert (values["APP_URL"], values["APP_HOST"], values["APP_PORT"], values["TZ"]) == ("", "192.0.2.7", "5432", "Europe/Vienna")


def test_a_stack_needs_a_name(definition: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match=re.escape("the stack needs app.name")):
        stack_of(parse_entry(definition), {}, None, {})


def test_variables_are_found_as_compose_finds_them() -> None:
    text = "a: ${A}\nb: $B $$C ${D:-${E}} ${F:+x} ${G:?needed} $${H}\n# ${I}\nc: ${D}\n"
    assert used_variables(text) == {"A": 1, "B": 2, "D": 4, "E": 2, "F": 0, "G": 2}
    assert stray_dollars("a: $(x)\nb: ${1}\nc: ${A b}\nd: $$(x) $ok ${A:-}\n") == [1, 2, 3]


@given(
    st.dictionaries(
        st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True),
        st.text(st.characters(exclude_categories=("Cc", "Cs"), max_codepoint=0x2FF), max_size=30),
    )
)
def test_an_env_file_is_read_back_as_it_was(values: dict[str, str]) -> None:
    assume(not any(text.endswith("\\") for text in values.values()))
    assert _read(dotenv(values)) == values


@pytest.mark.parametrize("text", ["a\nb", "a b\\", "'\\"])
def test_what_an_env_file_cannot_hold_is_refused(text: str) -> None:
    with pytest.raises(SpecError, match="Variable A cannot be written"):
        dotenv({"A": text})


def _read(text: str) -> dict[str, str]:
    """What compose-go's reader does with the three forms that we write."""
    values = {}
    for line in text.split("\n")[:-1]:
        name, _equals, value = line.partition("=")
        if value.startswith("'"):
            assert value.count("'") == 2
            value = value[1:-1]
        elif value.startswith('"'):
            assert value.endswith('"') and not value.endswith('\\"')
            value = re.sub(r'\\(["\\$])', r"\1", value[1:-1])
        values[name] = value
    return values
