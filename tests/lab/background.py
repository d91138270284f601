"""The lab in the background: start it, look at it, save and load its state, end it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

STARTED_S = 1800.0
"""The first start with real guests builds templates and images."""
ENDED_S = 60.0
LOOKED_AT_S = 0.05
SHOWN = 24
"""Lines of variables; a fleet has more addresses than anybody wants to see."""
WORTH_SHOWING = ("URL", "TOKEN", "ROOT_TOKEN", "LIMITED_TOKEN", "CA", "CONTROL")
RUNS_NOT = "The lab does not run."


def up(arguments: argparse.Namespace) -> int:
    """Start the lab unless it runs, show what it says meanwhile, and print what clients need."""
    state: Path = arguments.state
    if running(state):
        print("The lab runs already.")
        return show(state)
    if arguments.guests == "auto":
        arguments.guests = possible_guests(arguments)
    state.mkdir(parents=True, exist_ok=True)
    (state / "env").unlink(missing_ok=True)
    words = ["serve", *sys.argv[2:], "--state", str(state), "--guests", arguments.guests]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])}
    log = state / "log"
    with log.open("w") as output, log.open() as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env=environment,
        )
        try:
            return 0 if _follow(process, said, state) and show(state) == 0 else 1
        except KeyboardInterrupt:
            process.terminate()
            process.wait(ENDED_S)
            raise


def possible_guests(arguments: argparse.Namespace) -> str:
    """Real ones where this machine can have them; says why not."""
    from lab.real import doctor

    if arguments.fleet:
        print("Simulated guests: a fleet's are many.")
        return "simulated"
    report = doctor()
    if report.possible:
        return "real"
    print(f"Simulated guests, because real ones are not possible here: {'; '.join(report.reasons)}")
    return "simulated"


def _follow(process: subprocess.Popen[bytes], said: IO[str], state: Path) -> bool:
    """Show the log's lines as they come, until the lab has started; whether it has."""
    end = time.monotonic() + STARTED_S
    while not (started := (state / "env").exists()) and process.poll() is None and time.monotonic() < end:
        print(said.read(), end="", file=sys.stderr, flush=True)
        time.sleep(LOOKED_AT_S)
    print(said.read(), end="", file=sys.stderr, flush=True)
    if not started:
        process.terminate()
        print("The lab did not start.", file=sys.stderr)
    return started


def status(arguments: argparse.Namespace) -> int:
    """What there is; exit status 3 when the lab does not run."""
    if not running(arguments.state):
        print(RUNS_NOT)
        return 3
    if not (arguments.state / "env").exists():
        print(f"The lab is starting; its log is {arguments.state / 'log'}.")
        return 3
    return show(arguments.state)


def show(state: Path) -> int:
    """Print the clusters, and what a client needs to reach them."""
    variables = read_environment(state)
    found = ask(variables, "GET", "/status")
    for name, cluster in found["clusters"].items():
        nodes = ", ".join(f"{node}{'' if each['online'] else ' (down)'}" for node, each in cluster["nodes"].items())
        guests = f"{cluster['guests']} {cluster['kind']} guests, {cluster['running']} of them running"
        print(f"{name}: Proxmox VE {cluster['version']}, {nodes}; {guests}{'' if cluster['quorate'] else '; no quorum'}")
    if found["faults"]:
        print(f"{found['faults']} faults are set")
    for name, value in list(worth_showing(variables))[:SHOWN]:
        print(f"  {name:<14} {value}")
    print(f"As variables of a shell:  set -a; . {shlex.quote(str(state / 'env'))}; set +a")
    return 0


def worth_showing(variables: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Addresses, tokens and the like, each once, and how to log in on real nodes."""
    seen: set[str] = set()
    for name, value in variables.items():
        number = name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ_")
        if name.startswith(WORTH_SHOWING) and value not in seen:
            seen.add(value)
            yield name, value
        elif name.startswith("SSH_CONFIG"):
            yield f"SSH{number}", f"ssh -F {value} {variables['NODE' + number]}"


def save(arguments: argparse.Namespace) -> int:
    """Have the lab write its state to a file."""
    if not running(arguments.state):
        print(RUNS_NOT)
        return 3
    ask(read_environment(arguments.state), "POST", "/save", file=str(arguments.file.absolute()))
    print(f"Saved to {arguments.file}.")
    return 0


def load(arguments: argparse.Namespace) -> int:
    """Have the lab take over the state in a file."""
    if not running(arguments.state):
        print(RUNS_NOT)
        return 3
    answer = ask(read_environment(arguments.state), "POST", "/load", file=str(arguments.file.absolute()))
    for line in answer["words"]:
        print(line)
    print(f"Loaded {arguments.file}.")
    return 0


def down(arguments: argparse.Namespace) -> int:
    """End the lab by the process id that it wrote."""
    pid = running(arguments.state)
    if not pid:
        print(RUNS_NOT)
        return 0
    os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + ENDED_S
    while running(arguments.state) and time.monotonic() < end:
        time.sleep(LOOKED_AT_S)
    return 1 if running(arguments.state) else 0


def read_environment(state: Path) -> dict[str, str]:
    """The variables in `.lab/env`."""
    lines = ((state / "env").read_text()).splitlines()
    return {name: shlex.split(value)[0] if value else "" for name, _, value in (line.partition("=") for line in lines)}


def ask(variables: dict[str, str], method: str, path: str, **given: Any) -> Any:
    """A call of the control API; SystemExit with what it says when it refuses."""
    request = urllib.request.Request(variables["CONTROL"] + path, json.dumps(given).encode() if given else None, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as refusal:
        raise SystemExit(json.load(refusal)["error"]) from refusal


def running(state: Path) -> int:
    """The lab's process id, or 0: a left-over file of a process that is no lab does not count."""
    try:
        pid = int((state / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except (OSError, ValueError):
        return 0
    return pid if b"lab" in command and b"serve" in command else 0
