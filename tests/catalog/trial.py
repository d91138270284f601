"""Try entries on a lab with real guests: every stack is brought up with stand-ins for its images, several to a guest at a time."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry, parse_entry, resolve_options
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry
from catalog.examples import needed_options
from catalog.expected import expected
from catalog.images import push_stand_ins
from catalog.standins import copy_entry, published, stand_ins
from e2e.site import BIN, CHECKOUT, Site

HERE = Path(__file__).parent
GUESTS = 4
STACKS_AT_ONCE = 4
"""In one guest: half of the time is waiting for health checks, which Docker asks every two or five seconds at first."""
FORKS = 8
GUEST_MEMORY_MB = 4096


@dataclass(frozen=True)
class Outcome:
    """Of one entry; `failures` is empty when it passed."""

    entry: str
    seconds: float
    failures: tuple[str, ...]


@contextmanager
def lab(folder: Path) -> Iterator[Site]:
    """A lab of our own with real guests, with its state in this folder."""
    state = folder / "lab"
    _lab("up", "--seed", "demo", "--guests", "real", "--ports", "0", "--state", str(state))
    try:
        words = shlex.split((state / "env").read_text())
        yield Site(env_file=state / "env", env=dict(word.split("=", 1) for word in words))
    finally:
        _lab("down", "--state", str(state))


def try_entries(folders: Sequence[Path], site: Site, work: Path, again: bool = False) -> list[Outcome]:
    """Bring up each entry's stack; `again` runs the role a second time, which must not change anything."""
    catalog = work / "catalog"
    catalog.mkdir()
    entries = {folder.name: _replaced(folder, catalog) for folder in folders}
    guests = _guests(site, min(GUESTS, len(entries)))
    hosts = {}
    for number, wave in enumerate(waves(entries, len(guests))):
        for guest, name in wave:
            hosts[name] = {**guests[guest], **_host(entries[name], guests[guest]["trial_address"]), "trial_number": number}
    inventory = {
        "proximity_apps": {
            "children": {
                "guests": {"hosts": {f"guest-{number}": variables for number, variables in enumerate(guests)}},
                "tried": {"hosts": hosts},
            }
        }
    }
    return _played(site, inventory, {"trial_catalog": str(catalog), "trial_again": again}, work)


def waves(entries: Mapping[str, Entry], guests: int) -> list[list[tuple[int, str]]]:
    """Share entries out: each wave is a list of (guest, entry), with no port twice in a guest."""
    left = dict(entries)
    shared = []
    while left:
        wave: list[tuple[int, str]] = []
        for guest in range(guests):
            taken: set[tuple[int, str]] = set()
            for name in list(left):
                ports = _ports(left[name])
                if not ports & taken and sum(1 for where, _name in wave if where == guest) < STACKS_AT_ONCE:
                    taken |= ports
                    wave.append((guest, name))
                    del left[name]
        shared.append(wave)
    return shared


def _ports(entry: Entry) -> set[tuple[int, str]]:
    services = yaml.safe_load(entry.compose)["services"].values()
    return {(outside, protocol) for service in services for outside, _inside, protocol in published(service)}


def _replaced(folder: Path, catalog: Path) -> Entry:
    """The entry with stand-ins for its images, which are in the registry afterwards."""
    wanted = stand_ins(parse_entry(inspect_entry(folder)[0]))
    push_stand_ins(wanted.values(), _quiet)
    copy_entry(folder, wanted, catalog)
    definition, mistakes = inspect_entry(catalog / folder.name)
    assert not mistakes, mistakes
    return parse_entry(definition)


def _guests(site: Site, number: int) -> list[dict[str, Any]]:
    """Guests without an app, as hosts."""
    definition = yaml.safe_load((HERE / "guest.yml").read_text())
    sizes = {"memory_mb": GUEST_MEMORY_MB}
    apps = {f"trial-{n}": {"app_definition": definition, "app_stack": False, "app_resources": sizes} for n in range(number)}
    played = site.play("playbooks/deploy.yml", apps)
    assert played.status == 0, played.output[-3000:]
    found = []
    for name in apps:
        guest = site.guest(name)
        found.append(
            {
                "proximity_vmid": guest["vmid"],
                "proximity_node": guest["node"],
                "ansible_python_interpreter": "/usr/bin/python3",
                "trial_address": site.address(guest),
            }
        )
    return found


def _host(entry: Entry, address: str) -> dict[str, Any]:
    options = needed_options(entry)
    web = entry.web
    url = f"{web.scheme}://{address}:{web.port}" if web else ""
    return {
        "trial_options": options,
        "trial_url": url,
        "trial_page": f"{url}{web.path}" if web else "",
        "trial_expected": expected(entry, resolve_options(entry, options)),
    }


def _played(site: Site, inventory: Mapping[str, Any], variables: Mapping[str, Any], work: Path) -> list[Outcome]:
    """Run the trial's playbook; its callback says a line for each entry, and writes what came of it."""
    tried = inventory["proximity_apps"]["children"]["tried"]["hosts"]
    sizes = Counter(row["trial_number"] for row in tried.values())
    extra = {**variables, "trial_wave": [sizes[number] for number in sorted(sizes)], "lab_file": str(site.env_file)}
    environment = {
        **site.environment(),
        "ANSIBLE_LIBRARY": str(HERE / "library"),
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "callback"),
        "ANSIBLE_STDOUT_CALLBACK": "trial",
        "ANSIBLE_FORKS": str(FORKS),
        "TRIAL_OUTCOMES": str(work / "outcomes.json"),
    }
    with _inventory(inventory) as folder:
        command = [str(BIN / "ansible-playbook"), "-i", str(folder), str(HERE / "try.yml"), "-e", json.dumps(extra)]
        subprocess.run(command, cwd=CHECKOUT, env=environment, stdin=subprocess.DEVNULL, check=False)
    outcomes = json.loads((work / "outcomes.json").read_text()) if (work / "outcomes.json").exists() else {}
    missing = {"seconds": 0.0, "failures": ["it was never tried"]}
    rows = {name: outcomes.get(name, missing) for name in tried}
    return [Outcome(name, row["seconds"], tuple(row["failures"])) for name, row in rows.items()]


@contextmanager
def _inventory(inventory: Mapping[str, Any]) -> Iterator[Path]:
    """The lab's inventory with these hosts; its group variables look two levels up for the checkout."""
    folder = CHECKOUT / ".ansible" / f"inventory-trial-{os.getpid()}"
    shutil.copytree(CHECKOUT / "inventories/lab", folder, dirs_exist_ok=True)
    try:
        (folder / "hosts.yml").write_text(json.dumps(inventory))
        yield folder
    finally:
        shutil.rmtree(folder)


def _lab(*words: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")}
    subprocess.run([sys.executable, "-m", "lab", *words], check=True, env=environment, stdout=subprocess.DEVNULL)


def _quiet(_line: str) -> None:
    pass
