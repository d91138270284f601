"""Make clusters from a seed, by name (`lab/seeds/NAME.yml`) or as a file; `conformance.yml` shows its short form in full."""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import yaml

from lab.appliances import APPLIANCES, known_appliances
from lab.clock import Clock
from lab.cluster import RELEASES, Cluster
from lab.configs import set_options
from lab.disks import GIB, add_volume, make_disks
from lab.faces import note_face
from lab.guests.runtime import Runtime
from lab.guests.simulated import Dhcp, SimulatedRuntime
from lab.mishaps import stepwise
from lab.model import Grant, Guest, Node, Pool, Storage, Token, User, Volume
from lab.published import Published, Publisher

FOLDER = Path(__file__).with_name("seeds")
Secrets = dict[str, str]
"""`user@realm!id` -> the token's secret; `user@realm` -> the password."""
DAY_S = 86_400
VERSIONS = tuple(release for release, _ in RELEASES.values())


@dataclass(frozen=True)
class RealGuests:
    """What real guests bring along: their runtime, node -> its address, template (without architecture) -> its archive.

    `environment` is what clients need besides, by the name of the shell variable: how to reach the nodes by SSH.
    """

    runtime: Runtime
    addresses: Mapping[str, str] = field(default_factory=dict)
    archives: Mapping[str, Path] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    set_ssh: Callable[[str, bool], None] | None = None
    """Let SSH answer on a node, or refuse."""


def read_seed(name: str) -> list[dict[str, Any]]:
    """The clusters that a seed describes, by its name or the path of its file; `name@8.4` makes them of that version."""
    place, _, version = name.partition("@")
    file = Path(place) if place.endswith((".json", ".yml")) else FOLDER / f"{place}.yml"
    if not file.exists():
        names = ", ".join(sorted(each.stem for each in FOLDER.glob("*.yml")))
        raise LookupError(f"there is no seed {place!r}; there are {names}, and files that end in .json or .yml")
    if version and version not in VERSIONS:
        raise LookupError(f"there is no version {version!r}; there are {' and '.join(VERSIONS)}")
    text = file.read_text(encoding="utf-8")
    clusters = (json.loads(text) if file.suffix == ".json" else yaml.safe_load(text))["clusters"]
    return [_model(cluster) | cluster | ({"version": version} if version else {}) for cluster in clusters]


def _model(cluster: Mapping[str, Any]) -> dict[str, Any]:
    """`like: demo`: what a cluster does not say itself is as in the first cluster of that seed."""
    return read_seed(cluster["like"])[0] if "like" in cluster else {}


def plant(seed: Mapping[str, Any], clock: Clock, folder: Path, secrets: Secrets, real: RealGuests | None = None) -> Cluster:
    """A cluster as one entry of a seed describes it; what `secrets` lacks is made and added to it."""
    simulated = SimulatedRuntime(clock, lambda node, bridge: _dhcp(cluster, node, bridge))
    cluster = Cluster(stepwise(simulated), clock, folder, seed.get("name", ""), int(str(seed.get("version", 9)).split(".")[0]))
    now = clock.now()
    for number, (name, node) in enumerate(seed["nodes"].items(), 1):
        nodeid = 0 if cluster.standalone else number
        cluster.nodes[name] = _node(name, nodeid, node or {}, now)
    cluster.storages = {name: Storage(name, **storage) for name, storage in seed["storages"].items()}
    for template in seed.get("templates", ()):
        _plant_template(cluster, template, real.archives if real else {})
    _plant_people(cluster, seed, secrets)
    if real:
        cluster.runtime = stepwise(real.runtime)
        place_bridges(cluster, real.addresses)
    for guest in seed.get("guests", ()):
        plant_guest(cluster, **guest)
    cluster.appliances = known_appliances(seed.get("appliances", APPLIANCES), real.archives if real else None)
    cluster.backup_jobs = dict(seed.get("backup_jobs", {}))
    if real:
        cluster.lock.leaving = Published(cluster, cast(Publisher, real.runtime))
        cluster.lock.leaving()
    return cluster


def place_bridges(cluster: Cluster, addresses: Mapping[str, str]) -> None:
    """Real nodes have networks of their own: their address is .1 of a /24, whose .100 to .199 DHCP gives away."""
    for node in cluster.nodes.values():
        for bridge in (bridge for bridge in node.bridges if "dhcp" in bridge and node.name in addresses):
            net = addresses[node.name].rpartition(".")[0]
            bridge |= {"address": addresses[node.name], "cidr": f"{addresses[node.name]}/24", "dhcp": [f"{net}.100", f"{net}.199"]}


def _node(name: str, nodeid: int, given: Mapping[str, Any], now: float) -> Node:
    rest = copy.deepcopy({key: value for key, value in given.items() if not key.endswith("_gib")})
    memory, disk = int(given.get("memory_gib", 16) * GIB), int(given.get("disk_gib", 100) * GIB)
    return Node(name, nodeid, memory=memory, disk=disk, booted=now - 3 * DAY_S, **rest)


def _dhcp(cluster: Cluster, node: str, name: str) -> Dhcp | None:
    for bridge in cluster.nodes[node].bridges:
        if bridge["iface"] == name and "dhcp" in bridge:
            return str(bridge["dhcp"][0]), str(bridge["dhcp"][1]), int(str(bridge["cidr"]).split("/")[1])
    return None


def _plant_template(cluster: Cluster, given: Mapping[str, Any], archives: Mapping[str, Path]) -> None:
    """On every node that has the storage; with real guests its content is that of the archive named by `archive`."""
    storage = cluster.storages[given["storage"]]
    suffix = next(form for ending, form in ENDINGS if given["name"].endswith(ending))
    for node in [""] if storage.shared else storage.nodes or list(cluster.nodes):
        volume = Volume(storage.id, f"vztmpl/{given['name']}", "vztmpl", suffix, given["size"], cluster.now() - 30 * DAY_S)
        volume.facts = dict(given.get("facts", {}))
        if archive := archives.get(given["archive"]):
            volume.size, volume.facts["file"] = archive.stat().st_size, str(archive)
        add_volume(cluster, node, volume)


ENDINGS = ((".tar.zst", "tzst"), (".tar.gz", "tgz"), (".tar.xz", "txz"), (".tar.bz2", "tbz2"), (".tar", "tar"))


def _plant_people(cluster: Cluster, seed: Mapping[str, Any], secrets: Secrets) -> None:
    for name, given in seed.get("users", {}).items():
        tokens = {}
        for id, token in given.get("tokens", {}).items():
            tokens[id] = Token(secrets.setdefault(f"{name}!{id}", str(uuid.uuid4())), **(token or {}))
        password = secrets.setdefault(name, str(uuid.uuid4()))
        cluster.users[name] = User(name, password, groups=list(given.get("groups", ())), tokens=tokens)
    cluster.groups = dict(seed.get("groups", {}))
    cluster.roles = {name: set(str(privileges).split()) for name, privileges in seed.get("roles", {}).items()}
    cluster.pools = {name: Pool(name, comment or "") for name, comment in seed.get("pools", {}).items()}
    cluster.grants = [Grant(**grant) for grant in seed.get("grants", ())]
    cluster.index_grants()


def plant_guest(
    cluster: Cluster,
    vmid: int,
    node: str,
    storage: str,
    size_gib: float,
    config: Mapping[str, Any],
    *,
    running: bool = False,
    pool: str = "",
    facts: Mapping[str, Any] | None = None,
) -> Guest:
    """A guest that has been there for a while; a running one has run for an hour."""
    guest = Guest(vmid, node, {"arch": "amd64", "ostype": "debian", "hostname": f"CT{vmid}", "memory": 512, "swap": 512})
    guest.facts = dict(facts or {})
    set_options(cluster, guest, config, running=False)
    make_disks(cluster, guest, {"rootfs": f"{storage}:{size_gib}"})
    cluster.guests[vmid] = guest
    if pool:
        cluster.pools[pool].vms.add(vmid)
    if cluster.runtime.kind == "real":
        _unpack_guest(cluster, guest)
    if running:
        cluster.runtime.start(node, vmid, guest.config, lambda line: None)
    note_face(cluster, guest)
    guest.faces[0] = guest.faces[0]._replace(since=cluster.clock.now() - DAY_S)
    return guest


def _unpack_guest(cluster: Cluster, guest: Guest) -> None:
    """A real guest needs a root file system: that of the first template with an archive."""
    archives = (volume.facts["file"] for volume in cluster.volumes.values() if "file" in volume.facts)
    cluster.runtime.create(guest.node, guest.vmid, guest.config, Path(next(archives)), lambda line: None)
