"""What a guest's stand-in for dockerd knows, in a file on the guest's disk: images, networks, volumes, containers."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.light import wire
from lab.light.client import GUEST

HOME = Path("/var/lib/docker")
STATE = HOME / "light.json"
PROJECT, SERVICE, HASH = (f"com.docker.compose.{name}" for name in ("project", "service", "config-hash"))


@dataclass
class Container:
    """`wanted`: it is to run, now and when the guest starts. `mounts`: path in it -> volume; `binds`: -> file of the guest. `ports`: those
    of the guest that it takes."""

    image: str
    labels: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)
    mounts: dict[str, str] = field(default_factory=dict)
    binds: dict[str, str] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    wanted: bool = False


@dataclass
class Engine:
    """Each change is written at once, whole."""

    images: list[str] = field(default_factory=list)
    networks: dict[str, dict[str, str]] = field(default_factory=dict)
    volumes: dict[str, dict[str, Any]] = field(default_factory=dict)
    containers: dict[str, Container] = field(default_factory=dict)

    @staticmethod
    def load() -> Engine:
        if not STATE.exists():
            return Engine()
        data = json.loads(STATE.read_text())
        return Engine(**{**data, "containers": {name: Container(**each) for name, each in data["containers"].items()}})

    def save(self) -> None:
        fresh = STATE.with_name(f"{STATE.name}.{os.getpid()}")
        fresh.write_text(json.dumps(asdict(self), indent=1))
        fresh.replace(STATE)

    def pull(self, image: str) -> bool:
        """Whether it was not there; LookupError where no registry has it."""
        if image in self.images:
            return False
        if "missing" in image:
            raise LookupError(f"manifest for {image} not found: manifest unknown: manifest unknown")
        self.images.append(image)
        self.save()
        return True

    def make_volume(self, name: str, labels: dict[str, str], options: dict[str, str]) -> None:
        folder(name).mkdir(parents=True, exist_ok=True)
        self.volumes[name] = {"labels": labels, "options": options}
        self.save()

    def remove_volume(self, name: str) -> None:
        if users := [each for each, container in self.containers.items() if name in container.mounts.values()]:
            raise ValueError(f"remove {name}: volume is in use - [{', '.join(users)}]")
        shutil.rmtree(folder(name).parent, ignore_errors=True)
        del self.volumes[name]
        self.save()

    def want(self, name: str, wanted: bool) -> bool:
        """Start or stop a container; answers whether it runs."""
        self.containers[name].wanted = wanted
        self.save()
        return name in running()

    def remove(self, name: str) -> None:
        del self.containers[name]
        self.save()
        running()


def folder(volume: str) -> Path:
    """Where a volume's data are."""
    return HOME / "volumes" / volume / "_data"


def running(restart: bool = False) -> list[str]:
    """The containers that run, once those that are to do so have been started and the others stopped."""
    return list(wire.call(GUEST, {"do": "services", "restart": restart})["running"])
