# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What can be said of the backups of one app among many; module `proximity_backups` documents it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .app_arguments import complete

Spec = dict[str, Any]
INT: Spec = {"type": "int"}
STR: Spec = {"type": "str"}
OFF: Spec = {"type": "bool", "default": False}
DUMPS: Spec = {"type": "list", "elements": "dict", "options": {"service": STR, "type": STR, "file": STR, "script": STR}}
KEEP: Spec = {"type": "dict", "options": dict.fromkeys(("last", "hourly", "daily", "weekly", "monthly", "yearly"), INT)}
PORT_RANGE: Spec = {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}}
TIMEOUTS: Spec = {"type": "dict", "options": dict.fromkeys(("backup_s", "start_s", "shutdown_s", "address_s", "lease_s"), INT)}


def policy_arguments() -> Spec:
    """What a policy of backups may say."""
    return {
        "max_age": STR | {"default": "1d"},
        "mode": STR | {"choices": ["snapshot", "suspend", "stop"], "default": "snapshot"},
        "compress": STR | {"choices": ["zstd", "gzip", "lzo", "none"], "default": "zstd"},
        "storage": STR,
        "keep": KEEP,
        "protected": {"type": "bool"},
        "hooks": OFF,
        "window": STR,
        "days": {"type": "list", "elements": "str"},
        "jobs": STR | {"choices": ["respect", "ignore"], "default": "respect"},
    }


def member_arguments() -> Spec:
    return {
        "name": STR | {"required": True},
        "host": STR,
        **policy_arguments(),
        "force": OFF,
        "notes": STR,
        "take_over_lease": OFF,
        "port_range": PORT_RANGE,
        "timeouts": TIMEOUTS,
        "trouble": STR,
    }


def hooked_arguments() -> Spec:
    """Of one app that is made ready in its container before its backup; module `proximity_hooked_backup` documents it."""
    policy = {key: spec for key, spec in policy_arguments().items() if key not in ("hooks", "window", "days", "jobs")}
    named = {key: spec for key, spec in member_arguments().items() if key not in (*policy_arguments(), "name", "trouble")}
    return {"name": STR, **named, **policy, "hooks": {"type": "dict", "options": {"dumps": DUMPS, "pause": STR, "resume": STR}}}


def complete_member(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one app with all defaults; raises SpecError for what no such parameter can be."""
    return complete(VALIDATOR, given, f"The policy of app {given.get('name', '')}", "apps of proximity_backups")


VALIDATOR = ArgumentSpecValidator(member_arguments())
