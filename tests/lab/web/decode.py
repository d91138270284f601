"""Requests' parameters: from the query, a form, JSON, or an upload."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote_plus

from lab.errors import Refusal

Params = dict[str, Any]


def decode_form(text: str) -> Params:
    """A form or a query: text by key; a list for a key that comes twice, None for one without `=`."""
    found: Params = {}
    for part in re.split("[&;]", text):
        if not part:
            continue
        key, equals, value = part.partition("=")
        key, decoded = unquote_plus(key), unquote_plus(value) if equals else None
        if key not in found:
            found[key] = decoded
        elif isinstance(found[key], list):
            found[key].append(decoded)
        else:
            found[key] = [found[key], decoded]
    return found


def decode_body(content_type: str, body: bytes) -> tuple[Params, dict[str, bytes]]:
    """(parameters, files by field); raises a 400 for a body that cannot be read."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        boundary = re.search(r'boundary="?([^";]+)', content_type)
        return _parts(body, boundary[1].encode() if boundary else b"")
    try:
        text = body.decode()
        if kind == "application/json":
            return _json(text), {}
        return decode_form(text), {}
    except ValueError as error:
        raise Refusal(400, f"unable to decode parameters - {error}") from error


def _json(text: str) -> Params:
    found = json.loads(text or "{}")
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _parts(body: bytes, boundary: bytes) -> tuple[Params, dict[str, bytes]]:
    """The parts of an upload; a file's name becomes the parameter of its field."""
    params: Params = {}
    files: dict[str, bytes] = {}
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        shown = head.decode("utf-8", "replace")
        name, file = re.search(r'\bname="([^"]*)"', shown), re.search(r'filename="([^"]*)"', shown)
        if not name:
            continue
        content = content.removesuffix(b"\r\n")
        if file:
            params[name[1]], files[name[1]] = file[1], content
        else:
            params[name[1]] = content.decode("utf-8", "replace")
    return params, files


def merge(body: Mapping[str, Any], query: Mapping[str, Any]) -> Params:
    """What stands in the query counts like the form, and wins; `_dc` is what browsers add against caches."""
    return {name: value for name, value in {**body, **query}.items() if name != "_dc"}
