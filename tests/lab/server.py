"""The lab as a whole: clusters from seeds, a listener for each node, the control API, and what tests ask of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.clock import Clock
from lab.cluster import Cluster
from lab.control import ControlServer
from lab.faults import Fault, Faults
from lab.journal import Entry, Journal
from lab.saved import dump_cluster, fill_cluster
from lab.seeding import RealGuests, Secrets, plant, read_seed
from lab.site import Site
from lab.web.listener import Listener
from lab.web.tls import ensure_certificates, fingerprint


@dataclass(frozen=True)
class Settings:
    """How a lab is set up.

    `ports`: the first listeners' ports, in the order of the nodes; the others take free ones. `frozen_at`: let the clock stand
    still from that Unix time on. `real`: what real guests bring along; without it they are simulated.
    """

    folder: Path
    seeds: Sequence[str] = ("demo",)
    ports: Sequence[int] = ()
    control_port: int = 0
    address: str = "127.0.0.1"
    wrong_token_delay_s: float = 0.0
    frozen_at: float | None = None
    fault_seed: int = 1
    real: RealGuests | None = None


class Lab:
    """A running lab. The first site's cluster is what `url`, `token` and the like are about."""

    def __init__(self, settings: Settings) -> None:
        self.folder, self.clock = settings.folder, Clock(settings.frozen_at)
        self._more = dict(settings.real.environment) if settings.real else {}
        self.journal_book, self.faults = Journal(), Faults()
        self.ca_path, certificate = ensure_certificates(self.folder / "tls", [settings.address])
        self.sites: list[Site] = []
        self._listeners: list[Listener] = []
        ports = list(settings.ports)
        for site in self._make_sites(settings):
            site.cluster.fingerprint = fingerprint(certificate)
            for name, node in site.cluster.nodes.items():
                listener = Listener((settings.address, ports.pop(0) if ports else 0), site, name, certificate)
                node.address = settings.real.addresses.get(name, settings.address) if settings.real else settings.address
                node.port = listener.server_address[1]
                site.urls[name] = f"https://{settings.address}:{node.port}"
                self._listeners.append(listener)
            self.sites.append(site)
        self._control = ControlServer(("127.0.0.1", settings.control_port), self)
        for server in (*self._listeners, self._control):
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()

    def _make_sites(self, settings: Settings) -> list[Site]:
        secrets_file = self.folder / "secrets.json"
        secrets: dict[str, Secrets] = json.loads(secrets_file.read_text()) if secrets_file.exists() else {}
        sites: list[Site] = []
        for seed_name in settings.seeds:
            for seed in read_seed(seed_name):
                name = f"{seed_name}-{len(sites) + 1}"
                known = secrets.setdefault(name, {})
                cluster = plant(seed, self.clock, self.folder / "storage" / name, known, settings.real)
                roles: dict[str, str] = {role: str(seed[role]) for role in ("token", "limited", "root") if role in seed}
                tokens = {id: f"{id}={secret}" for id, secret in known.items() if "!" in id}
                site = Site(name, cluster, self.journal_book, self.faults, tokens, roles)
                site.wrong_token_delay_s = settings.wrong_token_delay_s
                sites.append(site)
        secrets_file.touch(mode=0o600)
        secrets_file.write_text(json.dumps(secrets, indent=1))
        return sites

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
        """Node -> address, of all clusters."""
        return {name: url for site in self.sites for name, url in site.urls.items()}

    @property
    def token(self) -> str:
        """`user@realm!id=secret` of the seed's main token."""
        return self.sites[0].tokens[self.sites[0].roles["token"]]

    @property
    def tokens(self) -> dict[str, str]:
        """Token id -> `id=secret`, of the first cluster."""
        return self.sites[0].tokens

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self._control.server_address[1]}"

    def environment(self) -> dict[str, str]:
        """What `.lab/env` tells a shell."""
        site = self.sites[0]
        every = [(site.tokens[id], role) for role, id in site.roles.items()]
        names = {"token": "TOKEN", "limited": "LIMITED_TOKEN", "root": "ROOT_TOKEN"}
        urls = [url for each in self.sites for url in each.urls.values()]
        return {
            **{"URL" if number == 1 else f"URL{number}": url for number, url in enumerate(urls, 1)},
            **{names[role]: token for token, role in every},
            "CA": str(self.ca_path),
            "GUESTS": site.cluster.runtime.kind,
            "NODE": next(iter(site.cluster.nodes)),
            "CONTROL": self.control_url,
            **self._more,
        }

    # What tests ask.

    def journal(self, method: str = "", path: str = "") -> list[Entry]:
        """The calls so far, oldest first; those with that method and with that text in their path."""
        return [entry for entry in self.journal_book.entries() if method in ("", entry.method) and path in entry.path]

    def fault(self, kind: str, **scope: Any) -> Fault:
        """Set a fault; see `lab.faults.Fault` for its scope, everything else is an argument of the fault."""
        known = {name: scope.pop(name) for name in list(scope) if name in {"method", "path", "node", "nth", "times", "probability"}}
        fault = Fault(kind, **known, arguments=scope)
        self.faults.add(fault)
        return fault

    def advance(self, seconds: float) -> None:
        """Turn the clock on."""
        self.clock.advance(seconds)

    def save(self, file: Path) -> None:
        file.write_text(json.dumps([dump_cluster(site.cluster) for site in self.sites]))

    def load(self, file: Path) -> None:
        """Make the clusters what was saved; there must be as many."""
        data = json.loads(file.read_text())
        if len(data) != len(self.sites):
            raise ValueError(f"{file} holds {len(data)} clusters, this lab has {len(self.sites)}")
        for site, each in zip(self.sites, data, strict=True):
            fill_cluster(site.cluster, each)

    def close(self) -> None:
        for server in (*self._listeners, self._control):
            server.shutdown()
            server.server_close()
