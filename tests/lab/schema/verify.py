"""Verify a call's parameters against its entry in the table, in Proxmox's words, all wrong ones at once."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from lab.errors import wrong
from lab.schema.formats import FormatError, check_format
from lab.schema.table import CallSpec, Param, Table

MISSING = "property is missing and it is not optional"
UNKNOWN = "property is not defined in schema and the schema does not allow additional properties"
NUMBER = re.compile(r"[+-]?(\d+\.\d+|\d+\.|\.\d+|\d+)([eE][+-]?\d+)?")
Errors = dict[str, str]


def verify(table: Table, spec: CallSpec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters as the handlers want them.

    `given` holds text from a form (a list of texts for a key that came twice), or JSON values. In the answer integers and
    booleans are ints, numbers stay text, arrays are lists of text; a JSON null is one blank, as Proxmox stores it.
    Raises a 400 with one text for each wrong parameter.
    """
    errors: Errors = {}
    verified: dict[str, Any] = {}
    for name, raw in given.items():
        param = spec.param(name)
        if param is None:
            errors[name] = UNKNOWN
        elif raw is None:
            verified[name] = " "
        else:
            verified[name] = _check(table, param, name, _plain(param, raw), errors)
    for name, param in spec.params.items():
        if name not in given and not param.optional:
            errors[name] = MISSING
    for name in given:
        param = spec.param(name)
        if param and param.requires and given.get(param.requires) is None:
            errors.setdefault(param.requires, f"missing property required by '{name}'")
    if errors:
        raise wrong(errors)
    return verified


def parse_properties(table: Table, name: str, text: str, path: str = "") -> dict[str, Any]:
    """Read a property string such as `name=eth0,bridge=vmbr0` of a format in the table; booleans become 1 and 0.

    Raises FormatError with all that is wrong; `path` is how those texts name the parameter.
    """
    schema = table.formats[name]
    found: dict[str, str] = {}
    for part in (part for part in text.split(",") if part.strip()):
        key, value = _property(schema, part)
        if key in found:
            raise FormatError(f"duplicate key in comma-separated list property: {key}")
        param = schema.get(key)
        found[key] = _word_as_bit(value) if param and param.type == "boolean" else value
    errors: Errors = {}
    for key, value in found.items():
        if key in schema:
            _check(table, schema[key], f"{path}.{key}", value, errors)
        else:
            errors[f"{path}.{key}"] = UNKNOWN
    errors |= {f"{path}.{key}": MISSING for key, param in schema.items() if key not in found and not param.optional}
    if errors:
        raise FormatError("format error\n" + "".join(f"{key}: {text}\n" for key, text in errors.items()).removesuffix("\n"))
    return dict(found)


def print_properties(table: Table, name: str, values: Mapping[str, Any]) -> str:
    """A property string in Proxmox's order: the default key bare, then the required keys, then the rest, each sorted."""
    schema = table.formats[name]
    order = sorted(values, key=lambda key: (not schema[key].default_key, schema[key].optional, key))
    return ",".join(str(values[key]) if schema[key].default_key else f"{key}={values[key]}" for key in order)


def _property(schema: Mapping[str, Param], part: str) -> tuple[str, str]:
    key, equals, value = part.partition("=")
    if equals and key and value:
        return key, value
    if equals:
        raise FormatError("missing key in comma-separated list property")
    default = next((name for name, param in schema.items() if param.default_key), None)
    if default is None:
        raise FormatError("value without key, but schema does not define a default key")
    return default, part


def _word_as_bit(value: str) -> str:
    word = value.lower()
    return "1" if word in {"1", "on", "yes", "true"} else "0" if word in {"0", "off", "no", "false"} else value


def _plain(param: Param, raw: Any) -> Any:
    """A JSON value as a form would carry it; lists only where they are allowed."""
    if param.type == "array":
        return [str(item) for item in raw] if isinstance(raw, list) else [str(raw)]
    if isinstance(raw, list) and param.format.endswith("-list"):
        return ",".join(map(str, raw))
    if isinstance(raw, bool):
        return str(int(raw))
    return raw if isinstance(raw, (list, dict)) else str(raw)


def _check(table: Table, param: Param, path: str, value: Any, errors: Errors) -> Any:
    """The value as the handlers want it; what is wrong with it goes to `errors`, the first fault only."""
    if param.type == "array":
        for index, item in enumerate(value):
            _check_text(table, param, f"{path}[{index}]", item, errors)
        return value
    if fault := _type_fault(param.type, value):
        errors[path] = fault
        return value
    _check_text(table, param, path, value, errors)
    return int(value) if param.type in {"integer", "boolean"} else value


def _type_fault(kind: str, value: Any) -> str:
    text = "ARRAY" if isinstance(value, list) else "HASH" if isinstance(value, dict) else f"'{value}'"
    fits: dict[str, Callable[[str], Any]] = {
        "string": lambda _: True,
        "boolean": lambda word: word in {"0", "1"},
        "integer": lambda word: re.fullmatch(r"[+-]?[0-9]+", word),
        "number": NUMBER.fullmatch,
    }
    if isinstance(value, str) and fits[kind](value):
        return ""
    return f"type check ('{kind}') failed - got {text}"


def _check_text(table: Table, param: Param, path: str, value: str, errors: Errors) -> None:
    fault = _format_fault(table, param, path, value) or _length_fault(param, value) or _range_fault(param, value)
    if not fault and param.choices and value not in param.choices:
        fault = f"value '{value}' does not have a value in the enumeration '{', '.join(param.choices)}'"
    if fault:
        errors[path] = fault


def _format_fault(table: Table, param: Param, path: str, value: str) -> str:
    if param.format:
        try:
            if param.format in table.formats:
                parse_properties(table, param.format, value, path)
            else:
                check_format(param.format, value)
        except FormatError as error:
            return f"invalid format - {error}\n"
    if param.pattern and not re.search(f"^(?:{param.pattern})$", value):
        return "value does not match the regex pattern"
    return ""


def _length_fault(param: Param, value: str) -> str:
    if param.longest and len(value) > int(param.longest):
        return f"value may only be {param.longest} characters long"
    if param.shortest and len(value) < int(param.shortest):
        return f"value must be at least {param.shortest} characters long"
    return ""


def _range_fault(param: Param, value: str) -> str:
    if not NUMBER.fullmatch(value):
        return ""
    if float(value) > float(param.high or math.inf):
        return f"value must have a maximum value of {param.high}"
    if float(value) < float(param.low or -math.inf):
        return f"value must have a minimum value of {param.low}"
    return ""
