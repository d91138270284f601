# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The arguments of an app: those of module `proximity_app`, which documents them, and of each app in a list of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .arguments import defaults_argument
from .errors import SpecError

Spec = dict[str, Any]
INT: Spec = {"type": "int"}
STR: Spec = {"type": "str"}
BOOL: Spec = {"type": "bool"}
TEXTS: Spec = {"type": "list", "elements": "str"}
VALUES: Spec = {"type": "dict", "default": {}}
OFF: Spec = {"type": "bool", "default": False}
NEEDED: Spec = {"required": True}
NETWORK: Spec = {
    "bridge": STR,
    "address": STR,
    "gateway": STR,
    "vlan": INT,
    "mtu": INT,
    "firewall": BOOL,
    "dns": TEXTS,
    "search_domain": STR,
}
TIMEOUTS = ("create_s", "start_s", "shutdown_s", "copy_s", "address_s", "lease_s")


def app_arguments() -> Spec:
    return {
        "name": STR | {"required": True},
        "state": STR | {"choices": ["present", "started", "stopped", "restarted", "absent"], "default": "started"},
        "restarted_after": STR,
        "catalog_id": STR,
        "catalog_paths": {"type": "list", "elements": "path"},
        "definition": {"type": "dict"},
        "options": VALUES | {"no_log": True},
        "environment": VALUES | {"no_log": True},
        "owner": STR,
        "node": STR,
        "off_node": STR,
        "storage": STR,
        "clone_from": STR,
        "clone_mode": STR | {"choices": ["full", "linked"], "default": "full"},
        "clone_secrets": STR | {"choices": ["keep", "renew"], "default": "keep", "no_log": False},
        "template": STR | {"default": "debian-13"},
        "pool": STR,
        "ssh_public_keys": TEXTS | {"no_log": False},
        "resources": {"type": "dict", "options": dict.fromkeys(("cores", "memory_mb", "swap_mb", "disk_gb"), INT)},
        "network": {"type": "dict", "options": NETWORK},
        "defaults": defaults_argument(),
        "onboot": BOOL,
        "startup": STR,
        "protection": BOOL,
        "tags": TEXTS,
        "port_range": {"type": "dict", "options": {"public": STR, "internal": STR, "first_vmid": INT, "ledger": STR}},
        "restart": STR | {"choices": ["refused", "allowed"], "default": "refused"},
        "safety": STR | {"choices": ["auto", "snapshot", "backup", "none"], "default": "auto"},
        "safety_keep": INT | {"default": 2},
        "safety_max_age_d": INT | {"default": 30},
        "on_failure": STR | {"choices": ["cleanup", "keep"], "default": "cleanup"},
        "on_update_failure": STR | {"choices": ["rollback", "keep"], "default": "rollback"},
        "update_attempts": INT | {"default": 3},
        "timeouts": {"type": "dict", "options": dict.fromkeys(TIMEOUTS, INT)},
        "ignore_protection": OFF,
        "destroy_adopted": OFF,
        "take_over_lease": OFF,
        "verify": OFF,
        "hold": {"type": "dict", "options": dict.fromkeys(("vmid", "epoch"), INT | NEEDED) | {"node": STR | NEEDED}},
        "report": {"type": "dict", "options": _report()},
    }


def _report() -> Spec:
    return {
        "vmid": INT | NEEDED,
        "node": STR | NEEDED,
        "healthy": BOOL | NEEDED,
        "restored": OFF,
        "untouched": OFF,
        "epoch": INT | {"default": 0},
        "revision": STR,
        "step": STR,
        "error": STR,
        "address": STR,
    }


def complete_app(given: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of one app with all defaults; raises SpecError for what no such parameter can be."""
    return complete(VALIDATOR, given, f"App {given.get('name', '')}", "the options of proximity_app")


def complete(validator: ArgumentSpecValidator, given: Mapping[str, Any], what: str, see: str) -> dict[str, Any]:
    checked = validator.validate(dict(given))
    if checked.unsupported_parameters:
        unknown = ", ".join(sorted(map(str, checked.unsupported_parameters)))
        raise SpecError(f"{what} has no option {unknown}: see {see}.")
    if checked.error_messages:
        raise SpecError(f"{what}: {'; '.join(checked.error_messages)}.")
    return dict(checked.validated_parameters)


VALIDATOR = ArgumentSpecValidator(app_arguments())
