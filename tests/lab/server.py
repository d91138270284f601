"""The lab as a whole: clusters from seeds, a listener for each node, the control API, and what tests ask of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import yaml

from lab.clock import Clock
from lab.cluster import Cluster
from lab.conditions import Conditions
from lab.control import ControlServer
from lab.faults import Fault, Faults, fault_from
from lab.guests.simulated import SimulatedRuntime
from lab.journal import Entry, Journal
from lab.reconciled import reconcile
from lab.saved import dump_cluster, fill_cluster
from lab.seeding import RealGuests, Secrets, place_bridges, plant, read_seed
from lab.site import Site
from lab.web.listener import Listener
from lab.web.tls import ensure_certificates, fingerprint
from lab.web.workers import Workers

TOKENS = {"token": "TOKEN", "limited": "LIMITED_TOKEN", "root": "ROOT_TOKEN"}
"""What a seed's tokens are for -> the shell variable that holds them."""

NOTICED_S = 0.02
"""How soon a listener notices that it is to end."""


@dataclass(frozen=True)
class Settings:
    """How a lab is set up.

    `seeds`: names, or paths of files. `ports`: the first listeners' ports, in the order of the nodes; the others take free ones.
    `frozen_at`: let the clock stand still from that Unix time on. `workers`: of each daemon of a node; 0 for as many as it takes.
    `latency_s`: how much longer each call takes. `faults`: a YAML file with a list of them. `load`: a saved state, instead of the
    seeds' guests. `real`: what real guests bring along, by cluster; without it they are simulated.
    """

    folder: Path
    seeds: Sequence[str] = ("demo",)
    ports: Sequence[int] = ()
    control_port: int = 0
    address: str = "127.0.0.1"
    wrong_token_delay_s: float = 0.0
    frozen_at: float | None = None
    workers: int = 3
    latency_s: float = 0.0
    faults: Path | None = None
    load: Path | None = None
    real: Sequence[RealGuests] = ()


class Lab:
    """A running lab. The first site's cluster is what `url`, `token` and the like are about."""

    def __init__(self, settings: Settings) -> None:
        self.settings, self.folder, self.clock = settings, settings.folder, Clock(settings.frozen_at)
        self.journal_book, self.faults, self.conditions = Journal(), Faults(), Conditions(self.clock)
        self.faults.when_lifted.append(self.conditions.end_of)
        self.ca_path, certificate = ensure_certificates(self.folder / "tls", [settings.address])
        self._servers: list[Listener | ControlServer] = []
        self.sites = self._make_sites(settings)
        try:
            self._open(settings, certificate)
            self._prepare(settings)
        except (OSError, ValueError):
            for server in self._servers:
                server.server_close()
            raise
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(NOTICED_S,), daemon=True).start()

    def _make_sites(self, settings: Settings) -> list[Site]:
        secrets_file = self.folder / "secrets.json"
        secrets: dict[str, Secrets] = json.loads(secrets_file.read_text()) if secrets_file.exists() else {}
        sites: list[Site] = []
        for seed_name, seed in ((name, seed) for name in settings.seeds for seed in read_seed(name)):
            name = f"{Path(seed_name).stem if seed_name.endswith(('.json', '.yml')) else seed_name}-{len(sites) + 1}"
            real = settings.real[len(sites)] if settings.real else None
            known = secrets.setdefault(name, {})
            planted = {**seed, "guests": ()} if settings.load else seed
            cluster = plant(planted, self.clock, self.folder / "storage" / name, known, real)
            cluster.site, cluster.faults = name, self.faults
            roles = {role: str(seed[role]) for role in TOKENS if role in seed}
            tokens = {id: f"{id}={secret}" for id, secret in known.items() if "!" in id}
            site = Site(name, cluster, self.journal_book, self.faults, self.conditions, tokens, roles)
            site.workers, site.latency_s = Workers(settings.workers), settings.latency_s
            site.wrong_token_delay_s = settings.wrong_token_delay_s
            site.set_ssh = real.set_ssh if real else None
            cluster.lose_power = partial(self.conditions.take_power, site)
            sites.append(site)
        secrets_file.touch(mode=0o600)
        secrets_file.write_text(json.dumps(secrets, indent=1))
        return sites

    def _open(self, settings: Settings, certificate: Path) -> None:
        """A listener for each node, and the control API's."""
        ports = list(settings.ports)
        for number, site in enumerate(self.sites):
            site.cluster.fingerprint = fingerprint(certificate)
            places = settings.real[number].addresses if settings.real else {}
            for name, node in site.cluster.nodes.items():
                listener = Listener((settings.address, ports.pop(0) if ports else 0), site, name, certificate)
                node.address, node.port = places.get(name, settings.address), listener.server_address[1]
                site.urls[name], site.doors[name] = f"https://{settings.address}:{node.port}", listener
                self._servers.append(listener)
        self._control = ControlServer(("127.0.0.1", settings.control_port), self)
        self._servers.append(self._control)

    def _prepare(self, settings: Settings) -> None:
        """The state and the faults that it starts with."""
        if settings.load:
            self.load(settings.load)
        if settings.faults:
            for given in yaml.safe_load(settings.faults.read_text(encoding="utf-8")) or ():
                self.set_fault(given)

    # What clients need.

    @property
    def cluster(self) -> Cluster:
        return self.sites[0].cluster

    @property
    def url(self) -> str:
        """The address of the first node."""
        return next(iter(self.sites[0].urls.values()))

    @property
    def urls(self) -> dict[str, str]:
        """Node -> address, of all clusters; where two have a node of that name, that of the first."""
        found: dict[str, str] = {}
        for name, url in ((name, url) for site in self.sites for name, url in site.urls.items()):
            found.setdefault(name, url)
        return found

    @property
    def token(self) -> str:
        """`user@realm!id=secret` of the seed's main token."""
        return self.sites[0].tokens[self.sites[0].roles["token"]]

    @property
    def tokens(self) -> dict[str, str]:
        """Token id -> `id=secret`, of the first cluster."""
        return self.sites[0].tokens

    @property
    def simulated(self) -> SimulatedRuntime:
        """The first cluster's guests, where they are simulated: `scripts` tells how they behave."""
        return cast(SimulatedRuntime, self.cluster.runtime)

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self._control.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What `.lab/env` tells a shell. What belongs together bears the same number: URL2, NODE2, TOKEN2; the first has none."""
        found = {"CA": str(self.ca_path), "CONTROL": self.control_url, "GUESTS": self.cluster.runtime.kind}
        every = [(index, site, node, url) for index, site in enumerate(self.sites) for node, url in site.urls.items()]
        for number, (index, site, node, url) in enumerate(every, 1):
            own = {"URL": url, "NODE": node, **{TOKENS[role]: site.tokens[id] for role, id in site.roles.items()}}
            if self.settings.real:
                real = self.settings.real[index]
                own |= {**real.environment, "NODE_ADDRESS": real.addresses[node]}
            found |= {f"{name}{number if number > 1 else ''}": value for name, value in own.items()}
        return found

    # What tests ask.

    def journal(self, method: str = "", path: str = "") -> list[Entry]:
        """The calls so far, oldest first; those with that method and with that text in their path."""
        return [entry for entry in self.journal_book.entries() if method in ("", entry.method) and path in entry.path]

    def outcome(self, entry: Entry) -> str:
        """What has become of the task that a call started: its exit status, `running`, or nothing when there is none."""
        tasks = next((site.cluster.tasks for site in self.sites if site.name == entry.cluster), {})
        return (tasks[entry.effect].exitstatus or "running") if entry.effect in tasks else ""

    def fault(self, kind: str, **scope: Any) -> Fault:
        """Set a fault; `lab.faults` tells which there are, and how they are scoped."""
        return self.set_fault({"kind": kind, **scope})

    def set_fault(self, given: Mapping[str, Any]) -> Fault:
        """As `fault`, from a file or the control API."""
        fault = fault_from(given)
        for wanted, known in ((fault.cluster, [site.name for site in self.sites]), (fault.node, self.urls)):
            if wanted and wanted not in known:
                raise ValueError(f"there is no {wanted!r} here; there are {', '.join(known)}")
        self.faults.add(fault)
        if fault.at_once:
            fault.struck = 1
            for site in self.sites:
                if fault.cluster in ("", site.name) and fault.node in ("", *site.cluster.nodes):
                    self.conditions.begin(fault, site)
        return fault

    def advance(self, seconds: float) -> None:
        """Turn the clock on."""
        self.clock.advance(seconds)

    def save(self, file: Path) -> None:
        """Write down all clusters, for their owner only: the tokens' secrets are among it."""
        file.touch(mode=0o600)
        file.write_text(json.dumps({"seeds": list(self.settings.seeds), "clusters": [dump_cluster(site.cluster) for site in self.sites]}))

    def load(self, file: Path, say: Callable[[str], None] = print) -> None:
        """Make the clusters what was saved; there must be as many, with these nodes. The lab's own tokens stay as they are."""
        data = json.loads(file.read_text())["clusters"]
        if len(data) != len(self.sites):
            raise ValueError(f"{file} holds {len(data)} clusters, this lab has {len(self.sites)}")
        for number, (site, each) in enumerate(zip(self.sites, data, strict=True)):
            if missing := site.urls.keys() - {node["name"] for node in each["nodes"]}:
                raise ValueError(f"{file} knows no node {', '.join(sorted(missing))}: it was saved by a lab with another seed")
            fill_cluster(site.cluster, each)
            site.know_tokens()
            if self.settings.real:
                place_bridges(site.cluster, self.settings.real[number].addresses)
                reconcile(site.cluster, {int(vmid) for vmid in each["running"]}, say)

    def close(self) -> None:
        ends = [threading.Thread(target=server.shutdown) for server in self._servers]
        for end in ends:
            end.start()
        for server, end in zip(self._servers, ends, strict=True):
            end.join()
            server.server_close()
