"""`python -m lab serve`: the lab itself, until it is told to end."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import shlex
import signal
import socket
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import zip_longest
from pathlib import Path
from typing import Any

from lab.guests.runtime import RuntimeFailure
from lab.seeding import RealGuests, read_seed
from lab.server import Lab, Settings

PORTS = {"demo": (8006,), "demo84": (8006,), "conformance": (8006,), "cluster": (8016, 8026), "fleet": (8006, 8016, 8026)}
"""The ports that a seed asks for from the command line; where they are taken, it gets free ones."""
say = partial(print, flush=True)


def serve(arguments: argparse.Namespace) -> int:
    """Until SIGTERM; what has been begun is taken back, whenever that comes. SIGUSR1: say in the log what each thread does."""
    faulthandler.register(signal.SIGUSR1)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: sys.exit(0))
    state: Path = arguments.state.absolute()
    state.mkdir(parents=True, exist_ok=True)
    (state / "pid").write_text(f"{os.getpid()}\n")
    labs: list[Lab] = []
    try:
        labs.append(_start(arguments, state))
        write_environment(state, labs[0])
        threading.Event().wait()
    except (LookupError, ValueError, OSError, RuntimeFailure) as failure:
        print(failure, file=sys.stderr)
        return 1
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for server in labs:
            server.close()
        if arguments.guests == "real":
            _take_down(state)
        for name in ("env", "pid"):
            (state / name).unlink(missing_ok=True)
    return 0


def _start(arguments: argparse.Namespace, state: Path) -> Lab:
    seeds = chosen_seeds(arguments)
    clusters = [cluster for seed in seeds for cluster in read_seed(seed)]
    real: list[RealGuests] = []
    if arguments.guests == "real":
        real += [_real_guests(_real_folder(state, number), each, bool(arguments.load)) for number, each in enumerate(clusters, 1)]
    settings = Settings(
        state,
        seeds,
        choose_ports(arguments.ports, seeds),
        wrong_token_delay_s=arguments.delay,
        workers=arguments.workers,
        latency_s=arguments.latency,
        faults=arguments.faults,
        load=arguments.load,
        real=real,
    )
    return Lab(settings)


def chosen_seeds(arguments: argparse.Namespace) -> list[str]:
    """What `--seed`, `--fleet` and `--load` say, in the version that is asked for."""
    if arguments.load and not arguments.seed and not arguments.fleet:
        return [str(seed) for seed in json.loads(arguments.load.read_text())["seeds"]]
    named = arguments.seed.split(",") if arguments.seed else [] if arguments.fleet else ["demo"]
    seeds = [*named, *([str(arguments.fleet.absolute())] if arguments.fleet else [])]
    return [seed if "@" in seed or not arguments.version else f"{seed}@{arguments.version}" for seed in seeds]


def choose_ports(asked: str, seeds: Sequence[str]) -> list[int]:
    """Those that are asked for, with commas; else those that the seeds would like, and free ones in place of those in use."""
    if asked:
        return [int(port) for port in asked.split(",")]
    chosen: list[int] = []
    for seed in seeds:
        nodes = [name for cluster in read_seed(seed) for name in cluster["nodes"]]
        for name, port in zip_longest(nodes, PORTS.get(seed.partition("@")[0], ())):
            is_free = port and port not in chosen and _is_free(port)
            if port and not is_free:
                say(f"Port {port} is taken: node {name} of {seed} gets a free one.")
            chosen.append(port if is_free else 0)
    return chosen


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _real_folder(state: Path, number: int) -> Path:
    """Where the real nodes of a cluster are."""
    return state / (f"real-{number}" if number > 1 else "real")


def _real_guests(folder: Path, cluster: Mapping[str, Any], keep: bool) -> RealGuests:
    """Bring up a cluster's nodes for real containers; those of an earlier lab go, unless its saved state is to be loaded."""
    from lab import real
    from lab.real.sshd import set_ssh

    nodes = list(cluster["nodes"])
    up = real.up(folder, nodes, templates=sorted({template["archive"] for template in cluster.get("templates", ())}), say=say)
    for node in nodes:
        set_ssh(up.state, node, up=True)
    for vmid, node in up.runtime.guests().items() if not keep else ():
        up.runtime.destroy(node, vmid)
    environment = {"SSH_CONFIG": str(up.ssh_config), "SSH_KEY": str(up.ssh_key), "SSH_KNOWN_HOSTS": str(up.known_hosts)}
    addresses = {name: one.node for name, one in up.addresses.items()}
    return RealGuests(up.runtime, addresses, up.templates, environment, partial(set_ssh, up.state))


def _take_down(state: Path) -> None:
    from lab.real import down

    for folder in (folder for folder in state.glob("real*") if folder.is_dir()):
        down(folder)


def write_environment(state: Path, server: Lab) -> None:
    """`.lab/env`, for a shell to read, at once and for its owner only."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in server.environment().items()]
    draft = state / "env.new"
    draft.touch(mode=0o600)
    draft.write_text("".join(lines))
    draft.rename(state / "env")
