"""The jobs that faults of the way into guests are crossed with: playbooks of the collection, and what is to be there afterwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from faults.deeds import NODE, Deed
from integration.definition import DEFINITION

ENTRY: dict[str, Any] = {
    **{key: value for key, value in DEFINITION.items() if key != "options"},
    "volumes": {"data": {"kind": "data", "backup": True, "help": "What it was told."}},
    "secrets": {"SECRET": {"kind": "alnum", "length": 32}, "SESSION_KEY": {"kind": "hex", "length": 32, "immutable": False}},
    "health": {**DEFINITION["health"], "expect": [200], "start_period_s": 4},
    "files": [{"source": "files/motd.txt", "target": "motd.txt", "mode": "0644", "content": "Welcome.\n"}],
    "compose": """services:
  hello:
    image: hello:1.0.0
    ports: ["8080:8080"]
    environment:
      SECRET: ${SECRET}
      SESSION_KEY: ${SESSION_KEY}
      GREETING: ${APP_NAME}
    volumes: ["data:/data", "./files/motd.txt:/motd.txt:ro"]
volumes:
  data: {}
""",
}
"""One service, one volume whose data are bound to a secret, another secret, and a file."""
STORAGE, PLAIN = "local-btrfs", "local-lxc"
"""Storages with snapshots, and without."""


def version(number: str) -> dict[str, Any]:
    """The entry in another version, with another image and another file."""
    image = f"hello:{number}"
    motd = {**ENTRY["files"][0], "content": f"Welcome to {number}.\n"}
    compose = ENTRY["compose"].replace("hello:1.0.0", image)
    return {**ENTRY, "version": number, "compose": compose, "services": {"hello": image}, "files": [motd]}


@dataclass(frozen=True)
class Job:
    """`deed` tells the state that it begins with and the app's state afterwards; its wish is the app's variables in the inventory.

    `others` are those of further hosts. `like`: the job that it is the same as at first. `mended`: the version that an update which comes
    back is wished in, when its cause is mended.
    """

    deed: Deed
    playbook: str
    words: tuple[str, ...] = ()
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    like: str = ""
    mended: str = ""

    @property
    def name(self) -> str:
        return self.deed.name

    @property
    def entry(self) -> Mapping[str, Any]:
        """What runs in the end, but for an update that comes back."""
        entry: Mapping[str, Any] = self.deed.wish.get("definition") or ENTRY
        return ENTRY if self.deed.returns else entry

    def hosts(self) -> dict[str, dict[str, Any]]:
        """The inventory's hosts, with their variables."""
        wish = {f"app_{key}": value for key, value in self.deed.wish.items() if key != "name"}
        return {self.deed.app: wish, **{name: dict(variables) for name, variables in self.others.items()}}

    def after_mending(self) -> Job:
        entry = version(self.mended)
        deed = replace(self.deed, wish={**self.deed.wish, "definition": entry}, returns=False, entry_version=self.mended)
        return replace(self, deed=deed)


def _wish(storage: str = STORAGE, number: str = "", **more: Any) -> dict[str, Any]:
    return {"name": "hello", "storage": storage, "definition": version(number) if number else ENTRY, **more}


SICK = "2.0.0-sick"
SOURCE = {"hello": {"app_definition": ENTRY, "app_storage": STORAGE}}
COPY = ("-e", "from=hello", "-e", "to=copy")
JOBS: dict[str, Job] = {
    job.name: job
    for job in (
        Job(Deed("deploy", _wish(node=NODE), before="empty"), "deploy"),
        Job(Deed("update", _wish(number="2.0.0"), entry_version="2.0.0"), "update"),
        Job(Deed("rollback", _wish(number=SICK), returns=True), "update", like="update", mended="3.0.0"),
        Job(Deed("rollback to a backup", _wish(PLAIN, SICK), before="plain", returns=True), "update", like="update", mended="3.0.0"),
        Job(Deed("clone", {"name": "copy"}), "clone", COPY, SOURCE),
        Job(
            Deed("clone with new secrets", {"name": "copy", "definition": ENTRY, "clone_secrets": "renew"}),
            "clone",
            COPY,
            SOURCE,
            like="clone",
        ),
        Job(Deed("start", _wish(), before="stopped"), "start"),
        Job(Deed("stop", _wish(), running=False), "stop"),
        Job(Deed("restart", _wish()), "restart"),
        Job(Deed("move", _wish(PLAIN), before="plain", node="pve3"), "move", ("-e", "node=pve3")),
        Job(Deed("remove", _wish(), there=False), "remove", ("--limit", "hello")),
    )
}
