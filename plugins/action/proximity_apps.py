# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_apps: gathers apps from the inventory, reads each entry once, and asks the module, once for each cluster."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.declarations import by_cluster, is_on_cluster, read_hosts, resolve_entries

Row = dict[str, Any]
JOINED = ("apps", "converge", "failures", "findings", "plan", "log")


class ActionModule(ActionBase):
    """Everything but the inventory and the catalog is the module's business, check mode included."""

    MODULE = "proximity.platform.proximity_apps"
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> Row:
        result = super().run(tmp, task_vars)
        arguments = checked(self._task.args)
        answers = [
            self._ask({**arguments, **connection}, apps, unread, task_vars) for connection, apps, unread in _groups(arguments, task_vars)
        ]
        result.update(answers[0] if len(answers) == 1 else merged(answers))
        return result

    def _ask(self, arguments: Row, apps: Sequence[Row], unread: Mapping[str, str], task_vars: Any) -> Row:
        """The module's answer for one cluster. Where it has none, each of its apps failed with what was said."""
        try:
            resolved, definitions, unresolved = resolve_entries(apps, arguments["common"])
        except SpecError as error:
            raise AnsibleActionFail(str(error)) from error
        given = {**arguments, "hosts": [], "apps": resolved, "definitions": {**definitions, **arguments.get("definitions", {})}}
        given["unresolved"] = {**unresolved, **unread}
        answer: Row = self._execute_module(module_name=self.MODULE, module_args=given, task_vars=task_vars)
        if answer.get("failed") and "apps" not in answer:
            answer["apps"] = [_unanswered(app, str(answer.get("msg", ""))) for app in resolved]
            answer["failures"], answer["converge"] = [row["name"] for row in answer["apps"]], []
            answer["counts"] = {"apps": len(resolved), "changed": 0, "failed": len(resolved), "converge": 0}
        return answer


def checked(given: Mapping[str, Any]) -> Row:
    """A task's arguments; those that are read here are what they are to be, and empty where they are not given."""
    arguments = dict(given)
    for key, kind in (("apps", list), ("common", dict), ("hosts", list)):
        if not isinstance(arguments.setdefault(key, kind()), kind):
            raise AnsibleActionFail(f"{key} is no {'list' if kind is list else 'mapping'}.")
    return arguments


def _groups(arguments: Row, task_vars: Any) -> list[tuple[Row, list[Row], dict[str, str]]]:
    """Apps by the cluster that they are on, with its connection. A host whose variables cannot be read is an app that fails."""
    hosts, cluster = arguments["hosts"], arguments.pop("cluster", None)
    every = (task_vars or {}).get("hostvars", {})
    declared, unread = read_hosts(hosts, every)
    lost: list[Row] = [{"name": host, "host": host} for host in unread]
    if cluster:
        mine = [app for host, (app, _connection) in declared.items() if is_on_cluster(every[host], cluster, arguments)]
        return [({}, [*arguments["apps"], *mine, *lost], unread)]
    groups = [(connection, apps, dict[str, str]()) for connection, apps in by_cluster(declared)]
    if not arguments["apps"] and not lost and groups:
        return groups
    return [({}, [*arguments["apps"], *lost], unread), *groups] if groups else [({}, [*arguments["apps"], *lost], unread)]


def _unanswered(app: Mapping[str, Any], reason: str) -> Row:
    told = {"name": app.get("name"), "host": app.get("host"), "status": "unknown", "vmid": None, "node": None}
    return {**told, "changed": False, "converge": False, "first": False, "failed": True, "msg": reason, "plan": [], "log": [], "diff": {}}


def merged(answers: Sequence[Row], joined: Sequence[str] = JOINED) -> Row:
    """The answers of several clusters as one."""
    counts: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    for answer in answers:
        counts.update(answer.get("counts", {}))
        calls.update(answer.get("calls", {}))
    together: Row = {key: [row for answer in answers for row in answer.get(key, [])] for key in joined}
    diffs = [answer["diff"] if isinstance(answer["diff"], list) else [answer["diff"]] for answer in answers if "diff" in answer]
    failed = [str(answer["msg"]) for answer in answers if answer.get("failed")]
    return {
        **together,
        "changed": any(answer.get("changed") for answer in answers),
        "counts": dict(counts),
        "calls": dict(calls),
        "diff": [each for diff in diffs for each in diff],
        "warnings": [warning for answer in answers for warning in answer.get("warnings", [])],
        **({"failed": True, "msg": " ".join(failed)} if failed else {}),
    }
