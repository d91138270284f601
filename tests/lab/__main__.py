"""`python -m lab up | down | status`: a lab that goes on running in the background, until it is taken down."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

from lab.seeding import RealGuests, read_seed
from lab.server import Lab, Settings

PORTS = {"demo": (8006,), "conformance": (8006,), "cluster": (8016, 8026)}
"""The ports that a seed asks for from the command line; where they are taken, `--ports 0` gives free ones."""
STARTED_S = 1800.0
"""The first start with real guests builds templates."""


def main() -> int:
    arguments = read_arguments()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT} if arguments.word == "serve" else ())
    return {"up": up, "down": down, "status": status, "serve": serve}[arguments.word](arguments)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    parser.add_argument("word", choices=("up", "down", "status", "serve"), help="serve stays in the foreground")
    parser.add_argument("--state", type=Path, default=Path(".lab"), help="folder for certificates, secrets, log and env")
    parser.add_argument("--seed", default=os.environ.get("SEED", "demo"), help="demo, conformance, cluster; several with commas")
    parser.add_argument("--guests", default=os.environ.get("GUESTS", "auto"), choices=("auto", "simulated", "real"))
    parser.add_argument("--ports", default="", help="with commas, in the order of the nodes; 0 is a free one")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that a wrong token waits for its answer")
    return parser.parse_args()


def up(arguments: argparse.Namespace) -> int:
    """Start the lab unless it runs, wait until it answers, and print what clients need."""
    if running(arguments.state):
        print(f"The lab runs already; its variables stand in {arguments.state / 'env'}.")
        return 0
    if arguments.guests == "auto":
        arguments.guests = possible_guests()
    arguments.state.mkdir(parents=True, exist_ok=True)
    env_file, log = arguments.state / "env", arguments.state / "log"
    env_file.unlink(missing_ok=True)
    words = ["serve", "--state", str(arguments.state), "--seed", arguments.seed, "--guests", arguments.guests]
    words += ["--ports", arguments.ports, "--delay", str(arguments.delay)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )
    end = time.monotonic() + STARTED_S
    while not env_file.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if not env_file.exists():
        print(f"The lab did not start; its log says:\n{log.read_text()}", file=sys.stderr)
        return 1
    print(env_file.read_text(), end="")
    return 0


def serve(arguments: argparse.Namespace) -> int:
    """The lab itself, until it is told to end."""
    seeds = tuple(arguments.seed.split(","))
    asked = arguments.ports.split(",") if arguments.ports else [port for seed in seeds for port in PORTS.get(seed, ())]
    ports = [int(port) for port in asked]
    arguments.state.mkdir(parents=True, exist_ok=True)
    real = real_guests(arguments.state, seeds) if arguments.guests == "real" else None
    try:
        server = Lab(Settings(arguments.state.absolute(), seeds, ports, wrong_token_delay_s=arguments.delay, real=real))
        (arguments.state / "pid").write_text(f"{os.getpid()}\n")
        write_environment(arguments.state, server)
        signal.sigwait({signal.SIGTERM, signal.SIGINT})
        server.close()
    finally:
        if real:
            from lab.real import down as real_down

            real_down(arguments.state.absolute() / "real")
        (arguments.state / "env").unlink(missing_ok=True)
        (arguments.state / "pid").unlink(missing_ok=True)
    return 0


def possible_guests() -> str:
    """Real ones where this machine can have them; says why not."""
    from lab.real import doctor

    report = doctor()
    if report.possible:
        return "real"
    print(f"# simulated guests, because real ones are not possible here: {'; '.join(report.reasons)}")
    return "simulated"


def real_guests(state: Path, seeds: tuple[str, ...]) -> RealGuests:
    """Bring up the seeds' nodes for real containers."""
    from lab import real

    clusters = [cluster for seed in seeds for cluster in read_seed(seed)]
    nodes = [name for cluster in clusters for name in cluster["nodes"]]
    templates = sorted({template["archive"] for cluster in clusters for template in cluster.get("templates", ())})
    up = real.up(state.absolute() / "real", nodes, templates=templates)
    for vmid, node in up.runtime.guests().items():  # of an earlier lab, whose state is gone
        up.runtime.destroy(node, vmid)
    environment = {
        "SSH_CONFIG": str(up.ssh_config),
        "SSH_KEY": str(up.ssh_key),
        "SSH_KNOWN_HOSTS": str(up.known_hosts),
        "NODE_ADDRESS": up.addresses[nodes[0]].node,
    }
    return RealGuests(up.runtime, {name: one.node for name, one in up.addresses.items()}, up.templates, environment)


def write_environment(state: Path, server: Lab) -> None:
    """`.lab/env`, for a shell to read, at once and for its owner only."""
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in server.environment().items()]
    draft = state / "env.new"
    draft.touch(mode=0o600)
    draft.write_text("".join(lines))
    draft.rename(state / "env")


def down(arguments: argparse.Namespace) -> int:
    """End the lab by the process id that it wrote."""
    pid = running(arguments.state)
    if not pid:
        print("The lab does not run.")
        return 0
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + 30
    while running(arguments.state) and time.monotonic() < end:
        time.sleep(0.05)
    return 1 if running(arguments.state) else 0


def status(arguments: argparse.Namespace) -> int:
    """Print the variables of a running lab; exit status 3 when it does not run."""
    if not running(arguments.state):
        print("The lab does not run.")
        return 3
    print((arguments.state / "env").read_text(), end="")
    return 0


def running(state: Path) -> int:
    """The lab's process id, or 0: a left-over file of a process that is no lab does not count."""
    try:
        pid = int((state / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return 0
    return pid if b"lab" in command and b"serve" in command else 0


if __name__ == "__main__":
    sys.exit(main())
