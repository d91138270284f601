"""`docker compose`, as far as `community.docker.docker_compose_v2` and the roles ask for it."""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.light.engine import HASH, PROJECT, SERVICE, Container, Engine, running

VERSION = "2.39.1"
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::?-([^}]*))?\})")


def main(words: list[str]) -> int:
    if words[:1] == ["version"]:
        print(json.dumps({"version": f"v{VERSION}"}) if "json" in words else VERSION)
        return 0
    given = _parser().parse_args([word for word in words if word != "--"])
    project = Project(given)
    return {"up": project.up, "ps": project.ps, "images": project.show_images}[given.verb]()


def _parser() -> argparse.ArgumentParser:
    """Strict: what it does not know ends with the status 2."""
    parser = argparse.ArgumentParser(prog="docker compose")
    for name in ("--ansi", "--progress", "--project-directory", "--project-name"):
        parser.add_argument(name, required=True)
    parser.add_argument("--file", action="append", required=True)
    parser.add_argument("--env-file", action="append", default=[])
    verbs = parser.add_subparsers(dest="verb", required=True)
    up = verbs.add_parser("up")
    for name in ("--detach", "--no-color", "--quiet-pull", "--remove-orphans", "--force-recreate", "--wait"):
        up.add_argument(name, action="store_true")
    up.add_argument("--wait-timeout", type=int)
    for verb in ("ps", "images"):
        asked = verbs.add_parser(verb)
        asked.add_argument("--format", choices=["json"], required=True)
        asked.add_argument("--all", action="store_true")
        asked.add_argument("--no-trunc", action="store_true")
    return parser


class Project:
    def __init__(self, given: argparse.Namespace) -> None:
        self._given, self._name = given, given.project_name
        self._engine = Engine.load()
        values: dict[str, str] = {}
        for file in given.env_file:
            values |= read_values(Path(file).read_text())
        text = Path(given.project_directory, given.file[0]).read_text()
        self._services: dict[str, Any] = yaml.safe_load(interpolate(text, values))["services"]

    def up(self) -> int:
        engine, network = self._engine, f"{self._name}_default"
        if network not in engine.networks:
            self._say(f"Network {network}", "Creating")
            engine.networks[network] = {PROJECT: self._name}
            engine.save()
            self._say(f"Network {network}", "Created")
        if self._given.remove_orphans:
            self._remove_orphans()
        for service, definition in self._services.items():
            try:
                self._bring_up(service, definition)
            except (LookupError, ValueError) as failure:
                print(json.dumps({"error": True, "id": service, "message": str(failure)}), file=sys.stderr)
                return 1
        return 0

    def _bring_up(self, service: str, definition: Mapping[str, Any]) -> None:
        engine, name = self._engine, f"{self._name}-{service}-1"
        fresh = self._container(service, definition)
        engine.pull(fresh.image)
        for volume in fresh.mounts.values():
            if volume not in engine.volumes:
                self._say(f"Volume {volume}", "Creating")
                engine.make_volume(volume, {PROJECT: self._name}, {})
                self._say(f"Volume {volume}", "Created")
        known = engine.containers.get(name)
        if known and (known.labels[HASH] != fresh.labels[HASH] or self._given.force_recreate):
            self._say(f"Container {name}", "Recreate")
            engine.want(name, False)
            engine.remove(name)
            known = None
        if not known:
            self._say(f"Container {name}", "Creating")
            engine.containers[name] = fresh
            engine.save()
            self._say(f"Container {name}", "Created")
        if name in running():
            self._say(f"Container {name}", "Running")
            return
        self._say(f"Container {name}", "Starting")
        if not engine.want(name, True):
            raise ValueError(f"container {name} exited (1)")
        self._say(f"Container {name}", "Started")

    def _remove_orphans(self) -> None:
        kept = {f"{self._name}-{service}-1" for service in self._services}
        for name, container in list(self._engine.containers.items()):
            if container.labels[PROJECT] == self._name and name not in kept:
                self._say(f"Container {name}", "Removing")
                self._engine.want(name, False)
                self._engine.remove(name)

    def _container(self, service: str, definition: Mapping[str, Any]) -> Container:
        rows = [row.split(":")[:2] for row in definition.get("volumes", ())]
        mounts = {path: f"{self._name}_{source}" for source, path in rows if "/" not in source}
        binds = {path: str(Path(self._given.project_directory, source)) for source, path in rows if "/" in source}
        ports = [int(str(row).split(":")[0]) for row in definition.get("ports", ())]
        environment = {name: str(value) for name, value in definition.get("environment", {}).items()}
        digest = hashlib.sha256(json.dumps(definition, sort_keys=True).encode()).hexdigest()
        labels = {PROJECT: self._name, SERVICE: service, HASH: digest}
        return Container(definition["image"], labels, environment, mounts, binds, ports)

    def ps(self) -> int:
        up = running()
        for name, container in self._engine.containers.items():
            if container.labels[PROJECT] == self._name:
                labels = ",".join(f"{key}={value}" for key, value in container.labels.items())
                state = "running" if name in up else "exited"
                print(json.dumps({"Name": name, "Service": container.labels[SERVICE], "State": state, "Labels": labels}))
        return 0

    def show_images(self) -> int:
        own = {name: each for name, each in self._engine.containers.items() if each.labels[PROJECT] == self._name}
        print(json.dumps([{"ContainerName": name, "Repository": each.image.partition(":")[0]} for name, each in own.items()]))
        return 0

    def _say(self, subject: str, status: str) -> None:
        print(json.dumps({"id": subject, "status": status}), file=sys.stderr)


def read_values(text: str) -> dict[str, str]:
    """An env file, whose values may stand in single or double quotes."""
    rows = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name: value[1:-1] if value[:1] in ("'", '"') else value for name, _sign, value in rows}


def interpolate(text: str, values: Mapping[str, str]) -> str:
    return VARIABLE.sub(lambda found: "$" if not found[1] else values.get(found[1]) or found[2] or "", text)
