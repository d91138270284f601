# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Action proximity_hooked_backup: dumps, pause, backup, and on with the services, as one task.

The API is asked from here, as the inventory plugin does, and not by a module: the task's own connection leads into the container.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ansible.errors import AnsibleActionFail, AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase
from ansible_collections.proximity.platform.plugins.module_utils.api import MISSING
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments
from ansible_collections.proximity.platform.plugins.module_utils.backing import every_archive, look_at_backups, settle_backups
from ansible_collections.proximity.platform.plugins.module_utils.backup_arguments import hooked_arguments
from ansible_collections.proximity.platform.plugins.module_utils.backup_spec import desired_backup
from ansible_collections.proximity.platform.plugins.module_utils.backups import DesiredBackup
from ansible_collections.proximity.platform.plugins.module_utils.errors import ProximityError, SpecError
from ansible_collections.proximity.platform.plugins.module_utils.log import Log
from ansible_collections.proximity.platform.plugins.module_utils.model import Live, Observed
from ansible_collections.proximity.platform.plugins.module_utils.nouns import answer
from ansible_collections.proximity.platform.plugins.module_utils.nouns.backup import BACKUP
from ansible_collections.proximity.platform.plugins.module_utils.planner.backups import without_force
from ansible_collections.proximity.platform.plugins.module_utils.planner.facts import observed_config
from ansible_collections.proximity.platform.plugins.module_utils.planner.records import address_of
from ansible_collections.proximity.platform.plugins.module_utils.plans import AppPlan
from ansible_collections.proximity.platform.plugins.module_utils.resources.guests import observe_live
from ansible_collections.proximity.platform.plugins.module_utils.session import Session
from ansible_collections.proximity.platform.plugins.plugin_utils.backup_declarations import (
    Entries,
    declared_backup,
    hooks_for,
    is_its_time,
    policy_of,
)
from ansible_collections.proximity.platform.plugins.plugin_utils.declarations import connection_of_host
from ansible_collections.proximity.platform.plugins.plugin_utils.hosts import PCT
from ansible_collections.proximity.platform.plugins.plugin_utils.logs.lines import make_line

ARGUMENTS = {**connection_arguments(), **hooked_arguments()}
WHEN = ("window", "days", "jobs", "trouble")
"""What a host may declare beside them: they say whether a backup is due."""
SAID_AT_MOST = 1000

Row = dict[str, Any]


class ActionModule(ActionBase):
    """A backup of one app. `_left` says what of its services could not be let go on."""

    _supports_check_mode = True
    _supports_async = False
    _hooks: Mapping[str, Any] = {}
    _left = ""

    def run(self, tmp: Any = None, task_vars: Any = None) -> Row:
        result: Row = super().run(tmp, task_vars)
        if MISSING:
            raise AnsibleActionFail("The Python of this controller lacks proxmoxer, with requests.")
        host = self._task.args.get("host")
        if not host:
            return {**result, **self._back_up(dict(self._task.args))}
        try:
            app = _declared(str(host), task_vars or {})
            outcome = self._back_up({**app, **self._task.args}) if is_its_time(app) else _too_late(app)
        except AnsibleError as error:
            outcome = {"failed": True, "msg": str(error)}
        # Its failure is that of another host than the one whose task this is, and so are its changes and its log.
        return {**result, "changed": False, "diff": outcome.pop("diff", {}), "outcome": outcome}

    def _back_up(self, given: Row) -> Row:
        params = _checked(given)
        self._hooks = params["hooks"] or {}
        wish = {**params, "state": "present", "wait": True}
        told, failure = answer(wish, desired_backup, replace(BACKUP, converge=self._converge), self._task.check_mode)
        failure = " ".join(filter(None, (failure, self._left)))
        return {**told, **({"failed": True, "msg": failure} if failure else {})}

    def _converge(self, session: Session, wish: DesiredBackup, plan: AppPlan, observed: Observed) -> tuple[AppPlan, Observed]:
        """Where a backup is to be made of an app that runs, with all that its hooks ask for."""
        makes = any(step.verb == "create" for step in plan.steps)
        live = observe_live(session.client, plan.node, plan.vmid) if makes and self._hooks else Live(False)
        if not live.running:
            return settle_backups(session, wish, plan, observed)
        wish = without_force(wish, every_archive(observed))
        self._aim(plan, observed, live)
        try:
            self._make_ready(plan, session.log)
            plan, observed = look_at_backups(session, wish)  # a dump may take hours
            return settle_backups(session, wish, plan, observed) if plan.steps else (plan, observed)
        finally:
            self._left = self._let_go_on(plan, session.log)

    def _aim(self, plan: AppPlan, observed: Observed, live: Live) -> None:
        """Point the task's connection to where the container is now."""
        if self._connection.transport == PCT:
            self._connection.set_option("vmid", plan.vmid)
            self._connection.set_option("node", plan.node)
        elif self._connection.transport == "ssh":
            config = observed_config(observed, plan.node, plan.vmid)
            address = address_of(config, live) if config else ""
            self._connection.set_option("host", address or self._connection.get_option("host"))

    def _make_ready(self, plan: AppPlan, log: Log) -> None:
        for dump in self._hooks.get("dumps") or ():
            self._do(plan, dump["script"], f"dump service {dump['service']} ({dump['type']})")
            log.add("info", "dump", f"Dumped service {dump['service']} ({dump['type']}).")
        if self._hooks.get("pause"):
            self._do(plan, self._hooks["pause"], "pause its services")
            log.add("info", "pause", "Services without a tool of their own for dumps are paused.")

    def _let_go_on(self, plan: AppPlan, log: Log) -> str:
        """Let what is paused go on, and remove the dumps that are in the backup; answers why that failed."""
        try:
            self._do(plan, self._hooks["resume"], "let its services go on")
        except ProximityError as error:
            log.add("error", "resume", str(error))
            return f"{error} What is paused goes on by itself, 15 minutes after it was paused."
        log.add("info", "resume", "Services go on, and dumps that are in the backup are gone.")
        return ""

    def _do(self, plan: AppPlan, script: str, what: str) -> None:
        """Run a script in the container; raises ProximityError with what it said."""
        tried = f"Cannot {what} for a backup of app {plan.name}, in container {plan.vmid} on node {plan.node}"
        try:
            done = self._low_level_execute_command(script)
        except AnsibleConnectionFailure as error:
            raise ProximityError(f"{tried}: {error}") from error
        if done["rc"]:
            said = (done["stderr"] or done["stdout"]).strip()[-SAID_AT_MOST:].rstrip(".")
            raise ProximityError(f"{tried}: {said or 'it ended with status ' + str(done['rc'])}.")


def _declared(host: str, task_vars: Mapping[str, Any]) -> Row:
    """What the variables of a host say, as they do for playbook backup."""
    try:
        variables = task_vars["hostvars"][host]
        app = declared_backup(host, variables, entries := Entries())
        return {**connection_of_host(variables), **app, "hooks": hooks_for(variables, policy_of(host, variables), entries)}
    except (AnsibleError, KeyError, SpecError) as error:
        raise AnsibleActionFail(f"The variables of host {host} cannot be read: {error}") from error


def _too_late(app: Row) -> Row:
    line = make_line("info", "look", f"No backup of app {app['name']} is begun any more: it is not the time for it.")
    return {"changed": False, "plan": [], "log": [line]}


def _checked(given: Row) -> Row:
    checked = ArgumentSpecValidator(ARGUMENTS).validate({key: value for key, value in given.items() if key not in WHEN})
    if checked.error_messages:
        raise AnsibleActionFail("; ".join(checked.error_messages))
    return dict(checked.validated_parameters)
