# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What a user chose, as the text that Compose reads."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..errors import SpecError
from .model import Entry, Option
from .validate import nearest
from .variables import PLATFORM, used_variables

TRUE, FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
FORMS = {
    "url": (re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]\S*"), "an address such as https://host/path"),
    "email": (re.compile(r"[^@\s]+@[^@\s]+"), "an address such as name@example.com"),
    "hostname": (
        re.compile(r"(?=.{1,253}$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*"),
        "a host name such as app.example.com",
    ),
}


def resolve_options(entry: Entry, options: Mapping[str, Any]) -> dict[str, str]:
    """Map the variable of every option to its text: what the user gave, else the default, else empty text.

    Raises SpecError for an unknown option, for one that is required and missing, and for a value that does not fit.
    """
    for key in options:
        if key not in entry.options:
            raise SpecError(f"Entry {entry.id} has no option {key}; {nearest(str(key), list(entry.options))}.")
    return {option.env: _resolved(entry, key, option, options.get(key)) for key, option in entry.options.items()}


def resolve_environment(entry: Entry, environment: Mapping[str, Any] | None) -> dict[str, str]:
    """Check and spell out what a user gives for variables of compose.yml that are no options.

    A variable that compose.yml does not read would have no effect, and a wish without effect is refused.
    """
    used = used_variables(entry.compose)
    by_env = {option.env: key for key, option in entry.options.items()}
    free = sorted(set(used) - set(by_env) - set(entry.secrets))
    resolved = {}
    for name, value in (environment or {}).items():
        if name in by_env:
            raise SpecError(f"Entry {entry.id}, environment: {name} belongs to option {by_env[name]}; set that instead.")
        if name in entry.secrets:
            raise SpecError(f"Entry {entry.id}, environment: {name} is a secret, which is generated in the guest; it cannot be given.")
        if name not in used:
            raise SpecError(
                f"Entry {entry.id}, environment: compose.yml does not read {name}, so it would have no effect; {nearest(str(name), free)}."
            )
        resolved[str(name)] = _plain_text(f"environment {name}", value)
    return resolved


def sensitive_values(entry: Entry, options: Mapping[str, Any], environment: Mapping[str, Any] | None) -> set[str]:
    """What must not appear in logs: options of type password, and the environment apart from the platform's variables."""
    values = {
        str(options[key]) for key, option in entry.options.items() if option.type == "password" and options.get(key) not in (None, "")
    }
    return values | {str(value) for name, value in (environment or {}).items() if name not in PLATFORM and value not in (None, "")}


def option_text(key: str, option: Option, value: object) -> str:
    """Spell out one value of an option; raises SpecError with the option's name and what is expected."""
    text = _typed_text(key, option, value)
    if option.choices and text not in {str(choice) for choice in option.choices}:
        raise SpecError(f"option {key}: {_quoted(option, text)} is none of {', '.join(str(choice) for choice in option.choices)}")
    if option.pattern and not re.fullmatch(option.pattern, text):
        raise SpecError(f"option {key}: {_quoted(option, text)} does not match {option.pattern}{_help(option)}")
    return text


def _resolved(entry: Entry, key: str, option: Option, given: object) -> str:
    value = option.default if given is None else given
    if value is None or value == "":
        if option.required:
            raise SpecError(f"Entry {entry.id}: option {key} is required{_help(option)}.")
        return ""
    try:
        return option_text(key, option, value)
    except SpecError as error:
        raise SpecError(f"Entry {entry.id}, {error}.") from error


def _typed_text(key: str, option: Option, value: object) -> str:
    name = f"option {key}"
    if option.type == "boolean":
        word = str(value).lower() if isinstance(value, (bool, str)) else ""
        if word not in TRUE | FALSE:
            raise SpecError(f"{name}: expected true or false, got {_quoted(option, str(value))}")
        return "true" if word in TRUE else "false"
    if option.type == "integer":
        if isinstance(value, bool) or not re.fullmatch(r"-?[0-9]+", str(value), re.ASCII):
            raise SpecError(f"{name}: expected a whole number, got {_quoted(option, str(value))}")
        return str(int(str(value)))
    text = _plain_text(name, value)
    form, example = FORMS.get(option.type, (None, ""))
    if form and not form.fullmatch(text):
        raise SpecError(f"{name}: expected {example}, got {_quoted(option, text)}")
    return text


def _plain_text(name: str, value: object) -> str:
    """Accept text and whole numbers; 1.10 and true would not come out as they were written."""
    if isinstance(value, bool) or not isinstance(value, (str, int)):
        raise SpecError(f"{name}: expected text; put the value in quotes")
    if CONTROL.search(str(value)):
        raise SpecError(f"{name}: expected one line of text, without control characters")
    return str(value)


def _quoted(option: Option, text: str) -> str:
    return "the value" if option.type == "password" else f"'{text}'"


def _help(option: Option) -> str:
    return f" ({option.help.rstrip('.')})" if option.help else ""
