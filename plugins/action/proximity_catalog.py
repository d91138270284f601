# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_catalog: all of it happens on the controller, where catalogs are."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions import ACTIONS
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.look import catalog_rows
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog_actions.shared import Outcome

PATHS = {"type": "list", "elements": "path", "default": []}
TEXTS = {"type": "list", "elements": "str"}
REGISTRY = {
    "name": {"type": "str", "required": True},
    "url": {"type": "str"},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
}
FILTER = {
    "category": {"type": "str"},
    "tags": TEXTS,
    "architecture": {"type": "str", "choices": ["amd64", "arm64"]},
    "memory_mb": {"type": "int"},
    "without": TEXTS,
    "custom": {"type": "bool"},
}
ENTRY = {name: {"type": "str"} for name in ("id", "name", "category", "description", "site")} | {"port": {"type": "int"}}
ARGUMENTS: dict[str, Any] = {
    "action": {"type": "str", "choices": list(ACTIONS), "default": "list"},
    "catalog_paths": PATHS,
    "ids": TEXTS,
    "query": {"type": "str"},
    "filter": {"type": "dict", "options": FILTER},
    "rules": {"type": "bool", "default": False},
    "source": {"type": "path"},
    "target": {"type": "path"},
    "report": {"type": "path"},
    "image": {"type": "str"},
    "compose_file": {"type": "path"},
    "entry": {"type": "dict", "options": ENTRY},
    "overwrite": {"type": "bool", "default": False},
    "ask_registry": {"type": "bool", "default": True},
    "registries": {"type": "list", "elements": "dict", "options": REGISTRY},
    "majors": {"type": "bool", "default": False},
    "patch": {"type": "path"},
}
RULES: dict[str, Any] = {
    "required_if": [
        ("action", "get", ["ids"]),
        ("action", "search", ["query"]),
        ("action", "convert", ["source", "target"]),
        ("action", "scaffold", ["target"]),
        ("action", "scaffold", ["image", "compose_file"], True),
    ],
    "mutually_exclusive": [("image", "compose_file")],
}


class ActionModule(ActionBase):
    """Reads, and writes files; in check mode it says what it would write."""

    _supports_check_mode = True
    _supports_async = False
    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _checked, params = self.validate_argument_spec(argument_spec=ARGUMENTS, **RULES)
        params = json.loads(json.dumps(params))  # plain text, without what Ansible notes of where it came from: YAML is written from it
        try:
            outcome = ACTIONS[params["action"]](params)
            files = _as_patch(outcome, params) if params.get("patch") else outcome.files
            changes = _changes(files)
            result.update(outcome.answer, catalogs=catalog_rows(params["catalog_paths"]), changed=bool(changes))
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from error
        result["files"] = sorted(change["after_header"] for change in changes)
        if self._task.diff:
            result["diff"] = changes
        if not self._task.check_mode:
            _write(files)
        for row in outcome.answer.get("broken") or ():
            self._display.warning(f"Entry {row['id']} of {row['source']} is left out: {row['mistakes'][0]}")
        if outcome.failure:
            result.update(failed=True, msg=outcome.failure)
        return result


def _changes(files: dict[Path, str]) -> list[dict[str, str]]:
    """What is different from what is there, as diffs."""
    rows = [(path, _text(path), text) for path, text in files.items()]
    return [
        {"before": before, "after": after, "before_header": str(path), "after_header": str(path)}
        for path, before, after in rows
        if before != after or not path.exists()
    ]


def _as_patch(outcome: Outcome, params: dict[str, Any]) -> dict[Path, str]:
    """All changes as one unified diff, for `patch -p0` or a review, instead of the changes."""
    rows = [
        difflib.unified_diff(
            change["before"].splitlines(keepends=True),
            change["after"].splitlines(keepends=True),
            change["before_header"],
            change["after_header"],
        )
        for change in _changes(outcome.files)
    ]
    return {Path(params["patch"]): "".join(line for row in rows for line in row)}


def _write(files: dict[Path, str]) -> None:
    for path, text in files.items():
        if _text(path) != text or not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
