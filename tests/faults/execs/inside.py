"""What is in the guests of apps: what must last, and what a job is to have made of it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.execs.jobs import Job
from faults.execs.site import MINE_INSIDE, Site
from faults.world import app_of, apps
from lab.light.compose import read_values

ASK = """
import json, urllib.request
with urllib.request.urlopen("http://127.0.0.1:8080/", timeout=5) as answer:
    print(answer.read().decode())
"""
FILES = {"compose.yml", ".env", "secrets.env", "files", "health.json", ".files"}
LOGS = {"log.jsonl", "log.jsonl.new"}
"""A log that could not be kept is none; what was begun of it is overwritten by the next."""


@dataclass(frozen=True)
class Inside:
    """`secrets` by name; `data`: what the volume holds; `mine`: a file of the owner's."""

    secrets: Mapping[str, str]
    data: Mapping[str, Any]
    mine: str


def look(site: Site, name: str) -> Inside:
    """From the disk of the one guest of an app, whatever its state."""
    root = site.runtime.root(app_of(site.lab, name).vmid)
    secrets = read_values(_text(root / f"opt/proximity/{name}/secrets.env"))
    data = json.loads(_text(root / f"var/lib/docker/volumes/{name}_data/_data/data.json") or "{}")
    return Inside(secrets, data, _text(root / "root/mine.txt"))


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def nothing_inside_is_lost(site: Site, name: str, before: Inside | None) -> None:
    """Of an app that was there before."""
    if before is None or not apps(site.lab, name):
        return
    now = look(site, name)
    assert now.secrets == before.secrets, "secrets have changed"
    assert (now.data.get("id"), now.data.get("secret")) == (before.data["id"], before.data["secret"]), "data are lost"
    assert now.mine == before.mine == MINE_INSIDE, "a file of the owner's is lost"


def all_inside_is_as_wished(site: Site, job: Job, source: Inside | None) -> None:
    """The right revision's files, services that run with them, a page that answers; `source`: what a copy was made of."""
    deed = job.deed
    if not deed.there or not deed.running:
        return
    guest = app_of(site.lab, deed.app)
    root = site.runtime.root(guest.vmid)
    folder = root / "opt/proximity" / deed.app
    assert (folder / "compose.yml").read_text() == job.entry["compose"]
    assert (folder / "files/motd.txt").read_text() == job.entry["files"][0]["content"]
    found = {file.name for file in folder.iterdir()} - LOGS
    assert found == FILES, f"files of the app: {found ^ FILES}"
    assert {file.name for file in folder.parent.iterdir()} == {deed.app}
    _check_engine(json.loads((root / "var/lib/docker/light.json").read_text()), job)
    page = ask(site, guest.vmid)
    assert page["image"] == f"hello:{job.entry['version']}"
    assert (page["greeting"], page["files"]) == (deed.app, {"/motd.txt": job.entry["files"][0]["content"]})
    now = look(site, deed.app)
    assert set(now.secrets) == {"SECRET", "SESSION_KEY"}
    assert (folder / "secrets.env").stat().st_mode & 0o7777 == 0o600
    assert (page["id"], now.data["secret"]) == (now.data["id"], now.secrets["SECRET"])
    if source:
        assert (now.data["id"], now.secrets["SECRET"]) == (source.data["id"], source.secrets["SECRET"])
        is_renewed = deed.wish.get("clone_secrets") == "renew"
        assert (now.secrets["SESSION_KEY"] != source.secrets["SESSION_KEY"]) == is_renewed


def _check_engine(engine: Mapping[str, Any], job: Job) -> None:
    """One project, of the app's name."""
    name = job.deed.app
    assert set(engine["containers"]) == {f"{name}-hello-1"}
    assert engine["containers"][f"{name}-hello-1"]["image"] == f"hello:{job.entry['version']}"
    assert (set(engine["volumes"]), set(engine["networks"])) == ({f"{name}_data"}, {f"{name}_default"})


def ask(site: Site, vmid: int) -> dict[str, Any]:
    """The app's page, from within its guest."""
    given, fed = os.pipe()
    os.write(fed, ASK.encode())
    os.close(fed)
    told, out = os.pipe()
    with os.fdopen(given, "rb") as source, os.fdopen(told, "rb") as answer:
        done = site.runtime.enter(vmid, "exec python3", [source.fileno(), out, out])
        os.close(out)
        text = answer.read().decode()
    assert done["status"] == 0, f"the app's page does not answer: {text}"
    return dict(json.loads(text))
