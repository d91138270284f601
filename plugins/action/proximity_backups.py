# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_backups: gathers the policies of an inventory, and asks the module, once for all clusters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.action.proximity_apps import checked, merged
from ansible_collections.proximity.platform.plugins.plugin_utils.backup_declarations import read_backups
from ansible_collections.proximity.platform.plugins.plugin_utils.declarations import by_cluster

Row = dict[str, Any]
JOINED = ("apps", "due", "hooked", "failures", "plan", "log")


class ActionModule(ActionBase):
    """Everything but the inventory and the catalog is the module's business, check mode included."""

    MODULE = "proximity.platform.proximity_backups"
    _supports_check_mode = True
    _supports_async = False

    def run(self, tmp: Any = None, task_vars: Any = None) -> Row:
        result = super().run(tmp, task_vars)
        arguments = checked(self._task.args)
        declared, unread = read_backups(arguments.pop("hosts"), (task_vars or {}).get("hostvars", {}))
        groups = [({}, arguments.pop("apps")), *by_cluster(declared)]
        clusters = [{"connection": connection, "apps": apps} for connection, apps in groups if apps]
        asked: Row = {}
        if clusters:
            asked = self._execute_module(self.MODULE, {**arguments, "clusters": clusters}, task_vars=task_vars)
        answers = [
            _complete(cluster["apps"], answer)
            for cluster, answer in zip(clusters, asked.get("answers") or [asked] * len(clusters), strict=True)
        ]
        result.update(merged([*answers, *_unread(unread)], JOINED))
        result["queues"] = _queues(answers)
        return result


def _complete(apps: Sequence[Row], answer: Row) -> Row:
    """A cluster's answer. Where it has none for its apps, each of them failed with what was said."""
    if "apps" in answer:
        return answer
    said = f"The backups of its cluster could not be looked at. {answer.get('msg', '')}".strip()
    return {**answer, **_failed([(str(app.get("host") or app.get("name")), str(app.get("name")), said) for app in apps])}


def _unread(unread: Mapping[str, str]) -> list[Row]:
    told = [f"{host} - {reason}" for host, reason in unread.items()]
    return [{"failed": True, "msg": " ".join(told), **_failed([(host, host, why) for host, why in unread.items()])}] if unread else []


def _failed(apps: Sequence[tuple[str, str, str]]) -> Row:
    rows = [_unanswered(host, name, reason) for host, name, reason in apps]
    counts = {"apps": len(rows), "due": 0, "changed": 0, "hooked": 0, "failed": len(rows)}
    return {"apps": rows, "failures": [row["host"] for row in rows], "counts": counts}


def _unanswered(host: str, name: str, reason: str) -> Row:
    told = {"host": host, "name": name, "vmid": None, "node": None, "due": False, "why": "nobody knows", "hooked": False, "backup": None}
    return {**told, "changed": False, "failed": True, "msg": reason, "plan": [], "log": [], "diff": {}}


def _queues(answers: Sequence[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Hosts to be backed up one after another, by the first of them: those of one node of one cluster. The oldest backups come first."""
    queues: dict[str, list[str]] = {}
    for answer in answers:
        rows = [row for row in answer.get("apps", ()) if row["hooked"] and not row["failed"]]
        rows.sort(key=lambda row: ((row["backup"] or {}).get("made") or "", row["host"]))
        nodes: dict[str, list[str]] = {}
        for row in rows:
            nodes.setdefault(str(row["node"]), []).append(row["host"])
        queues |= {hosts[0]: hosts for hosts in nodes.values()}
    return queues
