# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Inventory proximity: the containers of one or many clusters."""

from __future__ import annotations

DOCUMENTATION = r"""
name: proximity
short_description: Containers of Proxmox VE clusters as hosts
version_added: 0.1.0
author: Proximity contributors (@proximity-platform)
description:
  - Makes each app of one or many clusters a host, into which any role can be sent. The container needs no key, SSH server or address.
  - It takes one or two calls a cluster, however many guests there are; O(records) and O(addresses) take one for each guest.
  - The source is a YAML file whose name ends with C(proximity.yml) or C(proximity.yaml).
  - "Groups: C(proximity_guests) with all hosts, C(proximity_managed), C(proximity_unmanaged), C(cluster_NAME), and those of O(group_by)."
  - "Variables: C(proximity_guest) with all that P(proximity.platform.proximity_facts#module) tells of an app, C(proximity_vmid),
    C(proximity_node), C(proximity_cluster), and what connection P(proximity.platform.pct#connection) needs."
  - What is common to a cluster stands in the variables of its group, so that group_vars and host_vars overrule it.
requirements:
  - proxmoxer >= 2.2
  - requests
extends_documentation_fragment:
  - constructed
  - inventory_cache
options:
  plugin:
    description: V(proximity.platform.proximity).
    type: str
    required: true
    choices: [proximity.platform.proximity]
  clusters:
    description:
      - The clusters. Every value may be a template, such as a lookup of a secret in the environment or in a vault.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Name of the cluster, for its group and in C(proximity_cluster).
        type: str
        required: true
      api_host:
        description: Name or address of a node. E(PROXIMITY_API_HOST) where it is not given, and so on for all that begins with C(api_).
        type: str
      api_port:
        description: Port of the API.
        type: int
        default: 8006
      api_user:
        description: User with realm, unless O(clusters[].api_token_id) holds it.
        type: str
      api_token_id:
        description: Name of an API token of the user, or the whole V(user@realm!name).
        type: str
      api_token_secret:
        description: The token's secret.
        type: str
      api_password:
        description: Password of the user, where there is no token.
        type: str
      api_timeout_s:
        description: How long one answer may take, in seconds.
        type: int
        default: 30
      api_retry_s:
        description: How long a call is repeated that fails for a passing reason, in seconds.
        type: int
        default: 30
      validate_certs:
        description: Whether the API's certificate is checked.
        type: bool
        default: true
      ca_path:
        description: File with the certificate of the authority that signed the API's certificate.
        type: path
      node_hosts:
        description:
          - SSH addresses of the nodes by their names.
          - Where it is not given, the addresses that the cluster tells, or the nodes' names where the token may not ask for them.
        type: dict
      node_user:
        description: User of the login to the nodes.
        type: str
      node_port:
        description: Port of SSH on the nodes.
        type: int
      node_private_key_file:
        description: Key for the login to the nodes.
        type: str
      jump_host:
        description: Host to pass through on the way to the nodes (or, with O(connection=ssh), to the containers), as V(user@host:port).
        type: str
      pct_command:
        description: How to call C(pct) on the nodes. A user other than root needs V(sudo -n pct).
        type: str
      vars:
        description: Further variables for all hosts of the cluster.
        type: dict
  on_unreachable:
    description:
      - What it means that a cluster cannot be read. V(warn) goes on with the others.
    type: str
    choices: [warn, error]
    default: warn
  connection:
    description:
      - How to get into the containers. V(pct) goes through the node, V(ssh) straight to their addresses, which it then asks for.
      - V(none) leaves it to other variables.
    type: str
    choices: [pct, ssh, none]
    default: pct
  unmanaged:
    description: Whether containers that are no apps are hosts, too.
    type: bool
    default: false
  records:
    description: Whether to read each app's notes. Only they tell owners and URLs, and what an app is busy with.
    type: bool
    default: false
  addresses:
    description: Whether to ask each running container for its address, for C(ansible_host).
    type: bool
    default: false
  group_by:
    description:
      - Groups to make beside the cluster's.
      - They are called C(entry_ID) (of the catalog), C(owner_NAME) (with O(records)), C(node_NAME), C(status_STATUS) and C(tag_TAG).
    type: list
    elements: str
    choices: [entry, owner, node, status, tag]
    default: [entry, owner, node, status, tag]
  qualified:
    description:
      - Whether every host is named V(name.cluster).
      - Otherwise only a name that several clusters use is; one that is used twice in a cluster becomes V(name-vmid.cluster).
    type: bool
    default: false
  filters:
    description: "Which containers become hosts: lists by C(name), C(status), C(catalog_id), C(owner), C(node), and a C(text)."
    type: dict
    default: {}
  catalog_paths:
    description: Folders with entries beside the collection's own catalog. The names of entries tell them from other tags of an app.
    type: list
    elements: path
    default: []
  threads:
    description: How many calls for single containers are under way at a time.
    type: int
    default: 8
"""

EXAMPLES = r"""
# home.proximity.yml: one cluster, whose token is in the environment (PROXIMITY_API_TOKEN_ID, PROXIMITY_API_TOKEN_SECRET)
plugin: proximity.platform.proximity
clusters:
  - name: home
    api_host: pve1.example.net

---
# all.proximity.yml: two clusters, one of them behind a jump host; groups of our own
plugin: proximity.platform.proximity
clusters:
  - name: home
    api_host: pve1.example.net
    api_token_id: proximity@pve!ansible
    api_token_secret: "{{ lookup('ansible.builtin.env', 'HOME_TOKEN') }}"
  - name: office
    api_host: 192.0.2.11
    api_token_id: proximity@pve!ansible
    api_token_secret: "{{ lookup('ansible.builtin.env', 'OFFICE_TOKEN') }}"
    jump_host: admin@bastion.example.net
    node_user: automation
    pct_command: sudo -n pct
records: true
keyed_groups:
  - key: proximity_guest.pool
    prefix: pool
groups:
  big: proximity_guest.usage.memory_max_mb >= 4096
compose:
  app_url: proximity_guest.url
"""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var
from ansible_collections.proximity.platform.plugins.module_utils.api import MISSING, Client
from ansible_collections.proximity.platform.plugins.module_utils.arguments import connection_arguments, connection_of
from ansible_collections.proximity.platform.plugins.module_utils.errors import ProximityError, SpecError
from ansible_collections.proximity.platform.plugins.module_utils.facts import Question, gather, question_of
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import list_entries
from ansible_collections.proximity.platform.plugins.plugin_utils.hosts import (
    GUESTS,
    NODE_VARS,
    Host,
    Style,
    cluster_variables,
    group_name,
    hosts_of,
)

STR = {"type": "str"}
TEXTS = {"type": "list", "elements": "str"}
FILTERS = {**dict.fromkeys(("name", "status", "catalog_id", "owner", "node"), TEXTS), "text": STR}
TEMPLATES = ("{{", "{%", "{#")
SECRETS = ("api_token_secret", "api_password")
CLUSTER = {
    "name": STR | {"required": True},
    **connection_arguments(),
    **dict.fromkeys(NODE_VARS, STR),
    "node_hosts": {"type": "dict"},
    "node_port": {"type": "int"},
    "jump_host": STR,
    "vars": {"type": "dict"},
}
Found = dict[str, Any]


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    """Reads the clusters side by side, then fills the inventory."""

    NAME = "proximity.platform.proximity"

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith(("proximity.yml", "proximity.yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        self._read_config_data(path)
        if MISSING:
            raise AnsibleParserError(f"Inventory proximity needs proxmoxer, with requests:\n{MISSING}")
        try:
            clusters, question = self._clusters(), self._question()
            style = self._style()
        except SpecError as error:
            raise AnsibleParserError(f"{path}: {error}") from error
        found = self._read(path, cache, clusters, question)
        self._fill(clusters, found, style)

    def _clusters(self) -> list[dict[str, Any]]:
        """The clusters with their templates resolved, each with all that a connection takes."""
        validator, clusters = ArgumentSpecValidator(CLUSTER), []
        for given in self.templar.template(self.get_option("clusters")):
            result = validator.validate(dict(given))
            if result.error_messages:
                raise SpecError(f"clusters, {given.get('name', 'one without a name')}: {'; '.join(result.error_messages)}")
            clusters.append(result.validated_parameters)
        names = [cluster["name"] for cluster in clusters]
        if len(set(names)) < len(names):
            raise SpecError(f"clusters: the names {', '.join(names)} are not different ones.")
        return clusters

    def _question(self) -> Question:
        result = ArgumentSpecValidator(FILTERS).validate(dict(self.templar.template(self.get_option("filters"))))
        if result.error_messages:
            raise SpecError(f"filters: {'; '.join(result.error_messages)}")
        by_ssh = self.get_option("connection") == "ssh"
        wishes = {"unmanaged": "unmanaged", "records": "records", "addresses": "addresses"}
        parts = ["apps", *(part for part, option in wishes.items() if self.get_option(option) or (part == "addresses" and by_ssh))]
        return question_of({**result.validated_parameters, "gather_subset": parts, "threads": self.get_option("threads")})

    def _style(self) -> Style:
        return Style(
            connection=self.get_option("connection"),
            qualified=self.get_option("qualified"),
            group_by=frozenset(self.get_option("group_by")),
            entries=frozenset(list_entries(self.get_option("catalog_paths"))),
        )

    def _read(self, path: str, cache: bool, clusters: list[dict[str, Any]], question: Question) -> dict[str, Found]:
        """Cluster -> what it told: from the cache, else by asking those of which nothing is known."""
        caching = self.get_option("cache")
        keys = {each["name"]: f"{self.get_cache_key(path)}_{_fingerprint(each, question)}" for each in clusters}
        found = {name: self._cache[key] for name, key in keys.items() if cache and caching and key in self._cache}
        asked = [cluster for cluster in clusters if cluster["name"] not in found]
        connection = self.get_option("connection")
        if asked:
            with ThreadPoolExecutor(len(asked)) as pool:
                outcomes = list(pool.map(lambda each: _ask(each, question, connection), asked))
            for cluster, outcome in zip(asked, outcomes, strict=True):
                if isinstance(outcome, ProximityError):
                    self._miss(cluster["name"], outcome)
                    continue
                found[cluster["name"]] = outcome
                if caching:
                    self._cache[keys[cluster["name"]]] = outcome
        return {name: found[name] for name in keys if name in found}

    def _miss(self, name: str, error: ProximityError) -> None:
        message = f"Cluster {name} cannot be read, so its containers are not in the inventory: {error}"
        if self.get_option("on_unreachable") == "error":
            raise AnsibleParserError(message) from error
        self.display.warning(message)

    def _fill(self, clusters: list[dict[str, Any]], found: dict[str, Found], style: Style) -> None:
        self.inventory.add_group(GUESTS)
        for cluster in clusters:
            group = self.inventory.add_group(group_name("cluster", cluster["name"]))
            self.inventory.add_child(GUESTS, group)
            for key, value in cluster_variables(cluster, found.get(cluster["name"], {}), style.connection).items():
                self.inventory.set_variable(group, key, value)
        known: set[str] = set()
        for host in hosts_of({name: _defused(each) for name, each in found.items()}, style):
            self.inventory.add_host(host.name)
            for group in host.groups:
                if group not in known:
                    known.add(self.inventory.add_group(group))
                self.inventory.add_child(group, host.name)
            # Past the inventory's own set_variable: from ansible-core 2.19 on, it visits every single value, which takes twice our time.
            added = self.inventory.get_host(host.name)
            for key, value in host.variables.items():
                added.set_variable(key, value)
            self._construct(host)

    def _construct(self, host: Host) -> None:
        strict = self.get_option("strict")
        compose, groups, keyed = (self.get_option(option) for option in ("compose", "groups", "keyed_groups"))
        if compose or groups or keyed:
            variables = self.inventory.get_host(host.name).get_vars()
            self._set_composite_vars(compose, variables, host.name, strict=strict)
            self._add_host_to_composed_groups(groups, variables, host.name, strict=strict)
            self._add_host_to_keyed_groups(keyed, variables, host.name, strict=strict)


def _ask(cluster: Mapping[str, Any], question: Question, connection: str) -> Found | ProximityError:
    """What a cluster tells, as data that a cache can keep, or why it does not."""
    with_nodes = connection == "pct" and not cluster["node_hosts"]
    parts = question.parts | ({"quorum"} if with_nodes else set())
    try:
        facts = gather(Client(connection_of(cluster), read_only=True), question.having(parts))
    except ProximityError as error:
        return error
    nodes = (facts.get("quorum") or {}).get("addresses", {})
    return {"guests": [*facts["apps"], *facts.get("unmanaged", ())], "node_addresses": nodes}


def _fingerprint(cluster: Mapping[str, Any], question: Question) -> str:
    """What was asked of whom; secrets are no part of it."""
    asked = {key: value for key, value in cluster.items() if key not in SECRETS}
    parts = [sorted(question.parts), sorted((key, sorted(values)) for key, values in question.chosen.items()), question.text]
    return sha256(json.dumps([asked, parts], sort_keys=True, default=str).encode()).hexdigest()[:12]


def _defused(found: Found) -> Found:
    """Keep what looks like a template from being one: whoever may write a container's notes would run commands here."""
    if not any(sign in json.dumps(found) for sign in TEMPLATES):
        return found
    guests = (wrap_var(guest) if any(sign in json.dumps(guest) for sign in TEMPLATES) else guest for guest in found["guests"])
    return {**found, "guests": list(guests)}
