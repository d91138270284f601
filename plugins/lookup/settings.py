# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup settings: what holds for a host, and where it was said."""

from __future__ import annotations

DOCUMENTATION = r"""
name: settings
short_description: Settings of an app or a cluster, with their origin
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Lists the defaults and switches of the site, the variables of role P(proximity.platform.app#role), and those of the connection, as they
    hold for this host.
  - The origin is file and line where Ansible keeps it, which it does for texts, lists and mappings. It says V(set) for others that were
    set, and V(default) for what nobody set.
  - Secrets, options and variables of apps are shown as V(***).
  - Sizes, networks and switches are checked as far as that is possible without asking the cluster.
options:
  _terms:
    description: Beginnings of names; all settings where there is none.
    required: false
"""

EXAMPLES = r"""
- name: Show resources and network of an app
  ansible.builtin.debug:
    msg: "{{ query('proximity.platform.settings', 'app_resources', 'app_network') }}"
"""

RETURN = r"""
_raw:
  description: "The settings: setting, value, origin, and problem, which is empty where the value makes sense."
  type: list
  elements: dict
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.proximity.platform.plugins.plugin_utils.settings import SITE, problem_of
from ansible_collections.proximity.platform.plugins.plugin_utils.yamlfile import read_yaml

try:
    from ansible._internal._datatag._tags import Origin  # where ansible-core 2.19 and later keep it
except ImportError:
    Origin = None

DEFAULTS = Path(__file__).resolve().parents[2] / "roles" / "app" / "defaults" / "main.yml"
CONNECTION = ("host", "port", "user", "token_id", "token_secret", "password", "validate_certs", "ca_path")
OTHERS = ("proximity_cluster", "proximity_node_hosts", "proximity_catalog_paths", "ansible_connection")
SECRET = re.compile(r"secret|password|_environment$|_options$")
HIDDEN = "***"


class LookupModule(LookupBase):
    """Looks at variables before they are templated: only there Ansible remembers where they come from."""

    def run(self, terms: Sequence[str], variables: Mapping[str, Any] | None = None, **_options: Any) -> list[dict[str, Any]]:
        given = variables or {}
        text = DEFAULTS.read_text()
        defaults = {**SITE, **read_yaml(text, str(DEFAULTS))[0]}
        names = [*defaults, *(f"proximity_api_{part}" for part in CONNECTION), *OTHERS]
        chosen = [name for name in names if not terms or name.startswith(tuple(terms))]
        return [self._setting(name, given, defaults) for name in chosen if name in given or name in defaults]

    def _setting(self, name: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
        raw = given.get(name, defaults.get(name))
        hidden = bool(SECRET.search(name)) and bool(raw)
        value = HIDDEN if hidden else self._resolved(name, given) if name in given else raw
        site = {each: self._resolved(each, given) for each in SITE if each in given}
        origin = _origin(given[name]) if name in given else "default"
        return {"setting": name, "value": value, "origin": origin, "problem": problem_of(name, value, site)}

    def _resolved(self, name: str, given: Mapping[str, Any]) -> Any:
        return self._templar.template(given[name])


def _origin(value: Any) -> str:
    if Origin is not None:
        tag = Origin.get_tag(value)
        return f"{tag.path or tag.description}{f':{tag.line_num}' if tag.line_num else ''}" if tag else "set"
    place = getattr(value, "ansible_pos", None)
    return f"{place[0]}:{place[1]}" if place and place[0] else "set"
