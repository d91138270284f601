"""What the machine serves to nodes and guests: an apt cache and an image registry. One of each, shared by all labs."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from lab.real.layout import CACHE_ADDRESS, REGISTRY, REGISTRY_ADDRESS, RUN, cache_dir
from lab.real.machine import slots
from lab.real.mirror import Mirror
from lab.real.shell import Process, as_json, end, read_process, replace, spawn, wait_until, write_json

START_TIMEOUT_S = 15.0
APT_CACHE = ("apt-cache", "apt-cacher-ng")
REGISTRY_SERVICE = ("registry", "docker-registr")
"""Our name for it, and the process's (the kernel keeps 15 letters)."""


@dataclass(frozen=True)
class Service:
    """A daemon of ours: how it is called and configured, which name its process bears, where it answers."""

    name: str
    comm: str
    argv: tuple[str | Path, ...] = ()
    config: str = ""
    address: str = ""
    path: str = "/"

    @property
    def note(self) -> Path:
        return RUN / f"{self.name}.json"

    def process(self) -> tuple[Process | None, str]:
        """The noted process if it lives, and the configuration that it was started with."""
        if not self.note.exists():
            return None, ""
        noted = json.loads(self.note.read_text())
        process = read_process(noted["process"])
        return (process if process is not None and process.alive() else None), noted["config"]

    def write_note(self, process: Process) -> None:
        write_json(self.note, {"process": as_json(process), "config": self.config})

    def start(self) -> None:
        """Have it run. One that does is kept; with another configuration (mirror, cache directory), only while another lab needs it."""
        process, config = self.process()
        if process is not None and config != self.config and not any(slot.alive() for slot in slots()):
            end(process, (self.comm, "sh"))
            process = None
        if process is None:
            spawn(self.argv, cache_dir() / "log" / f"{self.name}.log", self.write_note)
        wait_until(lambda: answers(self.address, self.path), START_TIMEOUT_S, f"{self.name} answers on {self.address}")

    def stop(self) -> None:
        process, _ = self.process()
        if process is not None:
            end(process, (self.comm, "sh"))
        self.note.unlink(missing_ok=True)


def cache_config(mirror: Mirror, directory: Path) -> str:
    """apt-cacher-ng that answers under the mirror's own name, for the machine's mirror only."""
    lines = [
        f"CacheDir: {directory}/packages",
        f"LogDir: {directory}/log",
        f"SocketPath: {directory}/socket",
        f"BindAddress: {CACHE_ADDRESS}",
        "Port: 80",
        "ReportPage: acng-report.html",
        "ExThreshold: 9999",
        "ForeGround: 1",
    ]
    for number, uri in enumerate(filter(None, (mirror.uri, mirror.security))):
        parts = urlsplit(uri)
        lines.append(f"Remap-lab{number}: http://{parts.hostname}{parts.path} {parts.path} ; {uri}")
    if mirror.proxy and mirror.proxy.lower() != "direct":
        lines.append(f"Proxy: {mirror.proxy}")
    return "\n".join(lines) + "\n"


def registry_config(directory: Path) -> str:
    return (
        f"version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\nstorage:\n  filesystem: {{rootdirectory: {directory}}}\n"
        f"  delete: {{enabled: true}}\nhttp: {{addr: '{REGISTRY}'}}\n"
    )


def apt_cache(mirror: Mirror) -> Service:
    directory = cache_dir() / "apt"
    for part in ("conf", "packages", "log"):
        (directory / part).mkdir(parents=True, exist_ok=True)
    config = cache_config(mirror, directory)
    replace(directory / "conf" / "acng.conf", config)
    return Service(*APT_CACHE, ("apt-cacher-ng", "-c", directory / "conf"), config, CACHE_ADDRESS, "/acng-report.html")


def registry() -> Service:
    directory = cache_dir() / "registry"
    (directory / "data").mkdir(parents=True, exist_ok=True)
    config = registry_config(directory / "data")
    replace(directory / "config.yml", config)
    return Service(*REGISTRY_SERVICE, ("docker-registry", "serve", directory / "config.yml"), config, REGISTRY_ADDRESS, "/v2/")


def start_services(mirror: Mirror) -> None:
    """Have both answer. The machine lock is held."""
    apt_cache(mirror).start()
    registry().start()


def stop_services() -> None:
    """End both, by our own notes."""
    Service(*APT_CACHE).stop()
    Service(*REGISTRY_SERVICE).stop()


def answers(address: str, path: str) -> bool:
    """Whether an HTTP service speaks, whatever it says."""
    connection = http.client.HTTPConnection(address, 80, timeout=5)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return True
