"""`python -m lab`: a lab that goes on running in the background, until it is taken down."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from lab import background
from lab.background import running
from lab.fleet import APPS, fleet
from lab.foreground import serve
from lab.seeding import VERSIONS

__all__ = ["main", "running"]


def main() -> int:
    arguments = read_arguments()
    answer: int = arguments.word(arguments)
    return answer


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    words = parser.add_subparsers(required=True, metavar="WORD")
    for word, function, help in (
        ("up", background.up, "start it, and print its URL, its token, and how to reach its nodes"),
        ("serve", serve, "the same in the foreground"),
        ("status", background.status, "what there is, and where"),
        ("save", background.save, "write its state to a file"),
        ("load", background.load, "take over the state in a file"),
        ("down", background.down, "end it"),
    ):
        one = words.add_parser(word, help=help)
        one.set_defaults(word=function)
        one.add_argument("--state", type=Path, default=Path(".lab"), help="folder for certificates, secrets, log and env (.lab)")
        if function in (background.up, serve):
            _add_settings(one)
        if function in (background.save, background.load):
            one.add_argument("file", type=Path)
    _add_fleet(words.add_parser("fleet", help="print a seed with many guests, for `up --fleet FILE`"))
    return parser.parse_args()


def _add_settings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seed", default=os.environ.get("SEED", ""), help="demo, demo84, conformance, cluster, fleet; several with commas")
    parser.add_argument("--fleet", type=Path, help="a seed's file, as `fleet` prints it")
    parser.add_argument("--load", type=Path, help="a saved state, in place of what the seed has")
    parser.add_argument("--version", choices=VERSIONS, help="of Proxmox VE")
    parser.add_argument("--guests", default=os.environ.get("GUESTS", "auto"), choices=("auto", "simulated", "real"))
    parser.add_argument("--ports", default="", help="with commas, in the order of the nodes; 0 is a free one")
    parser.add_argument("--faults", type=Path, help="a YAML file with a list of faults")
    parser.add_argument("--workers", type=int, default=3, help="of each daemon of a node; 0 for as many as it takes")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds that each call takes longer")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that a wrong token waits for its answer; the original's are 3")


def _add_fleet(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(word=print_fleet)
    parser.add_argument("--guests", type=int, default=5000)
    parser.add_argument("--nodes", type=int, default=16)
    parser.add_argument("--apps", nargs="+", default=APPS, help="what the guests are called and tagged, in turn")
    parser.add_argument("--tags", nargs="+", default=(), help="that all of them bear besides")
    parser.add_argument("--version", choices=VERSIONS, default=VERSIONS[-1])


def print_fleet(arguments: argparse.Namespace) -> int:
    json.dump(fleet(arguments.guests, arguments.nodes, arguments.apps, arguments.tags, arguments.version), sys.stdout)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
