"""Bring a lab's nodes and services up and down. Both may be killed at any moment and called again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from functools import partial
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real import disk, shell
from lab.real import node as nodes_module
from lab.real.images import ensure_images, push_stand_in
from lab.real.layout import PRIVATE_BRIDGE, REGISTRY, REGISTRY_ADDRESS, NodeAddresses, StateDir
from lab.real.machine import fence, machine_lock, prepare, release_addresses, services_are_in_use, services_in_use, slots
from lab.real.mirror import mirror_of_machine
from lab.real.node import Node
from lab.real.prerequisites import doctor
from lab.real.rootfs import delete
from lab.real.runtime import RealRuntime
from lab.real.services import start_services, stop_services
from lab.real.shell import Say
from lab.real.templates import DEFAULT, ensure_templates


@dataclass(frozen=True)
class RealLab:
    """A lab that is up: what clients and the API server need to know."""

    state: StateDir
    runtime: RealRuntime
    addresses: dict[str, NodeAddresses]
    templates: dict[str, Path] = field(default_factory=dict)
    registry: str = REGISTRY

    def stand_in(self, image: str, ports: Sequence[str | int] = (), say: Say = print) -> None:
        """From now on guests that pull `image` (any name:tag, with a registry or without) get the stand-in, answering on these ports."""
        registry = push_stand_in(image, ports, say, mirror_of_machine())
        if registry:
            host = registry.partition(":")[0]
            for node in self.addresses:
                shell.replace(self.state.node(node) / "dns" / host, f"{REGISTRY_ADDRESS} {host}\n")

    @property
    def ssh_key(self) -> Path:
        """Logs root in on every node."""
        return self.state.ssh / "id"

    @property
    def known_hosts(self) -> Path:
        return self.state.ssh / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """For `ssh -F`: the nodes by name."""
        return self.state.ssh / "config"


def up(
    state_dir: Path,
    nodes: Sequence[str] = ("pve1",),
    *,
    templates: Sequence[str] = DEFAULT,
    images: bool = True,
    bridges: Sequence[str] = (PRIVATE_BRIDGE,),
    tied: bool = True,
    say: Say = print,
) -> RealLab:
    """Have these nodes run, with services, templates and images; what runs already is kept, guests included.

    `bridges`: beside vmbr0, without addresses. `tied`: the lab is for this process; once that is gone without a `down`, the
    next `up` or `down` of any other lab clears it away. RuntimeFailure says in one sentence why it cannot be.
    """
    report = doctor()
    if not report.possible:
        raise RuntimeFailure("real guests are not possible here: " + "; ".join(report.reasons))
    state = StateDir(state_dir.resolve())
    state.root.mkdir(parents=True, exist_ok=True)
    mirror = mirror_of_machine()
    with services_in_use():
        with machine_lock():
            fence()
            prepare()
            start_services(mirror)
        archives = ensure_templates(templates, say, mirror)
        if images:
            ensure_images(say, mirror)
        _make_keys(state)
        with machine_lock():
            living = _start_nodes(state, nodes, mirror.hosts(), bridges, say)
            _tie(state, shell.Process.of(os.getpid()) if tied else None)
    _write_ssh_config(state, living)
    for one in living.values():
        shell.wait_until(partial(_ssh_answers, state, one), 10, f"sshd of node '{one.name}' answers")
    runtime = RealRuntime(state.root)
    runtime.heal()
    return RealLab(state, runtime, {name: one.addresses for name, one in living.items()}, archives)


def _start_nodes(state: StateDir, names: Sequence[str], hosts: Sequence[str], bridges: Sequence[str], say: Say) -> dict[str, Node]:
    """The nodes asked for, and no others of this lab; labs that nobody wants any more make room."""
    _clear_unwanted(state)
    if not any(slot.state == str(state.root) and slot.alive() for slot in slots()):
        disk.attach(state, say)
    living = {name: nodes_module.start(state, name, hosts, bridges) for name in names}
    for slot in slots():
        if slot.state == str(state.root) and slot.node not in living:
            nodes_module.remove(slot)
    return living


def _clear_unwanted(state: StateDir) -> None:
    """Nodes of other labs that are dead, or whose owner or state directory is gone."""
    for slot in slots():
        if slot.state != str(state.root) and not slot.wanted():
            nodes_module.remove(slot)
            disk.detach(StateDir(Path(slot.state)))


def _tie(state: StateDir, owner: shell.Process | None) -> None:
    for slot in slots():
        if slot.state == str(state.root):
            changed(slot, owner=owner).write()


def down(state_dir: Path, *, wipe: bool = False) -> None:
    """End this lab's nodes, and the services when no other lab needs them; the blackhole route stays. `wipe`: guests and keys go too."""
    state = StateDir(state_dir.resolve())
    with machine_lock():
        _clear_unwanted(state)
        for slot in slots():
            if slot.state == str(state.root):
                nodes_module.remove(slot)
        disk.detach(state)
        if not slots() and not services_are_in_use():
            stop_services()
            release_addresses()
    if wipe:
        disk.image(state).unlink(missing_ok=True)
        for part in ("nodes", "pve", "ssh"):
            delete(state.root / part)


def _make_keys(state: StateDir) -> None:
    """One host key for all nodes, one key for clients; made once for a state directory."""
    state.ssh.mkdir(parents=True, exist_ok=True)
    for name in ("host", "id"):
        key = state.ssh / name
        if not key.with_suffix(".pub").exists():
            aside = state.ssh / f"{name}.new"
            for leftover in (aside, aside.with_name(f"{name}.new.pub"), key):
                leftover.unlink(missing_ok=True)
            shell.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", f"proximity-lab-{name}", "-f", aside])
            aside.rename(key)
            aside.with_name(f"{name}.new.pub").rename(key.with_suffix(".pub"))
    shutil.copyfile(state.ssh / "id.pub", state.ssh / "authorized_keys")


def _write_ssh_config(state: StateDir, living: dict[str, Node]) -> None:
    host_key = (state.ssh / "host.pub").read_text().split()[:2]
    shell.replace(state.ssh / "known_hosts", "".join(f"{name},{one.addresses.node} {' '.join(host_key)}\n" for name, one in living.items()))
    shell.replace(state.ssh / "config", "\n".join(_ssh_block(state, name, one.addresses.node) for name, one in living.items()))


def _ssh_block(state: StateDir, name: str, address: str) -> str:
    options = {
        "HostName": address,
        "User": "root",
        "IdentityFile": f"{state.ssh}/id",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f"{state.ssh}/known_hosts",
        "HostKeyAlgorithms": "ssh-ed25519",
    }
    return f"Host {name} {address}\n" + "".join(f"  {key} {value}\n" for key, value in options.items())


def _ssh_answers(state: StateDir, node: Node) -> bool:
    return shell.succeeds(["ssh", "-F", state.ssh / "config", "-o", "BatchMode=yes", "-o", "ConnectTimeout=3", node.name, "true"])
