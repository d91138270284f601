"""Directory mappings, with compare and set by digest (pve-manager, API2/Cluster/Mapping/Dir.pm)."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Any

from lab.cluster import Cluster
from lab.configs import MODIFIED
from lab.context import Call
from lab.errors import Refusal, refuse
from lab.model import Mapping
from lab.registry import Data, answers
from lab.schema.formats import split_list
from lab.schema.verify import parse_properties
from lab.userfile import locked_file

SEE = ("Mapping.Modify", "Mapping.Use", "Mapping.Audit")
FILE = "mapping_directory_cfg"


@answers("GET", "/cluster/mapping")
def mapping_index(call: Call) -> Data:
    return [{"name": "dir"}]


@answers("GET", "/cluster/mapping/dir")
def list_mappings(call: Call) -> Data:
    """With `check-node` that node answers, and tells what it thinks of its entries."""
    node = call.get("check-node", "localhost")
    here = call.asked if node == "localhost" else call.cluster.node(node).name
    seen = [mapping for mapping in call.cluster.mappings.values() if call.may(f"/mapping/dir/{mapping.id}", *SEE, every=False)]
    checks = {mapping.id: {"checks": _faults(call.cluster, here, mapping)} if "check-node" in call.params else {} for mapping in seen}
    return [{"id": mapping.id, **_shown(call.cluster, mapping), **checks[mapping.id]} for mapping in seen]


def _shown(cluster: Cluster, mapping: Mapping) -> dict[str, Any]:
    described = {"description": mapping.description} if mapping.description else {}
    return {"type": "dir", "map": list(mapping.map), **described, "digest": digest_of(cluster)}


def digest_of(cluster: Cluster) -> str:
    """Of the whole file: it changes when any mapping does."""
    text = "".join(
        f"dir: {mapping.id}\n" + "".join(f"\tmap {each}\n" for each in mapping.map) + f"\tdescription {mapping.description}\n\n"
        for _, mapping in sorted(cluster.mappings.items())
    )
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def _faults(cluster: Cluster, node: str, mapping: Mapping) -> list[dict[str, str]]:
    here = [each for each in mapping.map if _parts(cluster, each)["node"] == node]
    if not here:
        return [{"severity": "warning", "message": f"No mapping for node {node}."}]
    try:
        _check_map(cluster, node, here)
    except Refusal as refusal:
        return [{"severity": "error", "message": f"Invalid configuration: {refusal.text}\n"}]
    return []


def _parts(cluster: Cluster, text: str) -> dict[str, str]:
    return parse_properties(cluster.table, "dir-map", text)


@answers("GET", "/cluster/mapping/dir/{id}")
def read_mapping(call: Call) -> Data:
    name = call.params["id"]
    if name not in call.cluster.mappings:
        raise refuse(f"mapping '{name}' not found")
    return _shown(call.cluster, call.cluster.mappings[name])


@answers("POST", "/cluster/mapping/dir")
def create_mapping(call: Call) -> Data:
    cluster, name = call.cluster, call.params["id"]
    _check_map(cluster, call.asked, call.params["map"])
    with locked_file(cluster, FILE, "create directory mapping failed"):
        if name in cluster.mappings:
            raise refuse(f"dir ID '{name}' already defined")
        cluster.mappings[name] = Mapping(name, list(call.params["map"]), _written(call.get("description", "")))


def _check_map(cluster: Cluster, asked: str, entries: list[str]) -> None:
    """A node once at most. The directory must be there on the node that was asked: nobody looks for the others'."""
    parts = [_parts(cluster, text) for text in entries]
    for node, count in Counter(part["node"] for part in parts).items():
        if count > 1:
            raise refuse(f"Node '{node}' is specified {count} times.")
    known = {"/", *cluster.nodes[asked].directories}
    for part in parts:
        if part["node"] == asked and part["path"] not in known:
            raise refuse(f"Path {part['path']} does not exist")


def _written(text: str) -> str:
    """A description as the next reader gets it: one line of bytes, without blanks around it."""
    if "\n" in text:
        raise refuse("property contains a line feed")
    return text.strip().encode("utf-8", "replace").decode("latin-1")


@answers("PUT", "/cluster/mapping/dir/{id}")
def change_mapping(call: Call) -> Data:
    cluster, name, given = call.cluster, call.params["id"], call.params
    with locked_file(cluster, FILE, "update directory mapping failed"):
        if call.get("digest") and given["digest"] != digest_of(cluster):
            raise refuse(MODIFIED)
        if name not in cluster.mappings:
            raise refuse(f"dir ID '{name}' does not exist")
        if "map" not in given:
            raise refuse("missing value for required option 'map'")
        _check_map(cluster, call.asked, given["map"])
        mapping, deleted = cluster.mappings[name], split_list(call.get("delete", ""))
        _check_deleted(deleted, given)
        text = _written(given["description"]) if "description" in given else "" if deleted else mapping.description
        cluster.mappings[name] = Mapping(name, list(given["map"]), text)


def _check_deleted(names: list[str], given: dict[str, Any]) -> None:
    for name in names:
        if name not in {"map", "description"}:
            raise refuse(f"no such option '{name}'")
        if name == "map":
            raise refuse(f"unable to delete required option '{name}'")
        if name in given:
            raise refuse(f"cannot set and delete property '{name}' at the same time!")


@answers("DELETE", "/cluster/mapping/dir/{id}")
def delete_mapping(call: Call) -> Data:
    with locked_file(call.cluster, FILE, "delete dir mapping failed"):
        call.cluster.mappings.pop(call.params["id"], None)
