"""`python -m lab.real doctor | install | up | down | selfcheck`: real guests by themselves, without the API server."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

from lab.guests.runtime import RuntimeFailure
from lab.real.layout import cache_dir
from lab.real.lifecycle import RealLab, down, up
from lab.real.prerequisites import doctor, install_packages
from lab.real.selfcheck import selfcheck

say = partial(print, flush=True)


def main() -> int:
    arguments = read_arguments()
    try:
        return run(arguments)
    except RuntimeFailure as failure:
        print(failure, file=sys.stderr)
        return 1


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab.real", description=__doc__)
    parser.add_argument("word", choices=("doctor", "install", "up", "down", "selfcheck"))
    parser.add_argument("--state", type=Path, help="where guests and keys are; default: .lab, for selfcheck a place in the cache")
    parser.add_argument("--nodes", default="pve1", help="with commas")
    parser.add_argument("--wipe", action="store_true", help="down: guests and keys go too")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> int:
    state = arguments.state or Path(".lab")
    if arguments.word == "doctor":
        report = doctor()
        say(report.text())
        return 0 if report.possible else 1
    if arguments.word == "install":
        say(f"installed: {' '.join(install_packages(say)) or 'nothing was missing'}")
    elif arguments.word == "up":
        show(up(state, arguments.nodes.split(","), tied=False, say=say))
    elif arguments.word == "down":
        down(state, wipe=arguments.wipe)
    else:
        return 0 if selfcheck(arguments.state or cache_dir() / "selfcheck", say) else 1
    return 0


def show(lab: RealLab) -> None:
    for node, addresses in lab.addresses.items():
        say(f"{node}: ssh -F {lab.ssh_config} {node}  (vmbr0 {addresses.network})")
    for template in lab.templates.values():
        say(f"template: {template}")


if __name__ == "__main__":
    sys.exit(main())
