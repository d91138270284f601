# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""YAML with the line of every value, and with doubled keys told."""

from __future__ import annotations

from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries.validate import Path, Problem
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

Lines = dict[Path, int]


class _Loader(yaml.SafeLoader):
    """YAML 1.1 as Ansible and Compose read it, except that dates stay text."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read_yaml(text: str, name: str) -> tuple[Any, Lines]:
    """Parse one document; raises SpecError that begins with `name:line:`."""
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise SpecError(f"{name}:1: the file is empty")
            lines: Lines = {}
            _walk(node, (), lines, name)
            return loader.construct_document(node), lines
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise SpecError(f"{name}:{line}: is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise SpecError(f"{name}:1: is not YAML: {error}") from error


def located(problem: Problem, lines: Lines, name: str) -> str:
    """Write a problem with the line of the place itself, or of the nearest mapping around it."""
    path = problem.path
    while path and path not in lines:
        path = path[:-1]
    return f"{name}:{lines.get(path, 1)}: {problem}"


def _walk(node: yaml.Node, path: Path, lines: Lines, name: str) -> None:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen and key.value != "<<":
                raise SpecError(f"{name}:{key.start_mark.line + 1}: the key '{key.value}' is there twice")
            seen.add(key.value)
            lines[(*path, key.value)] = key.start_mark.line + 1
            _walk(value, (*path, key.value), lines, name)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            _walk(item, (*path, number), lines, name)
