# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Lookup catalog: entries of the catalog as data."""

from __future__ import annotations

DOCUMENTATION = r"""
name: catalog
author: Proximity contributors (@proximity-platform)
version_added: 0.1.0
short_description: Read entries of the catalog
description:
  - Returns one definition per id. A definition is the entry's C(entry.yml) as a mapping, with the text of its
    C(compose.yml), the images of its services, the content of its files, and the catalog that it came from.
  - Every entry is checked while it is read. A mistake ends the lookup with file, line, and what is expected.
options:
  _terms:
    description: Ids of entries.
    type: list
    elements: str
    required: true
  catalog_paths:
    description:
      - Folders that hold entries of your own, one folder per entry.
      - They are searched in this order, then the collection's own catalog. The first that has the id wins.
    type: list
    elements: path
    default: []
    vars:
      - name: proximity_catalog_paths
seealso:
  - plugin: proximity.platform.stack
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Show what Miniflux needs
  ansible.builtin.debug:
    msg: "{{ lookup('proximity.platform.catalog', 'miniflux').resources }}"

- name: Read an entry from a folder of your own
  ansible.builtin.set_fact:
    notes: "{{ lookup('proximity.platform.catalog', 'team-notes', catalog_paths=[playbook_dir ~ '/catalog']) }}"
"""

RETURN = r"""
_raw:
  description: The definitions, in the order of the ids.
  type: list
  elements: dict
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import find_definition


class LookupModule(LookupBase):
    """Reads definitions on the controller."""

    def run(self, terms: list[Any], variables: Any = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        try:
            return [find_definition(str(term), self.get_option("catalog_paths")) for term in terms]
        except SpecError as error:
            raise AnsibleLookupError(str(error)) from error
