"""Playbooks over two clusters that live and one that does not, with the inventory that the example shows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from lab.seeding import plant_guest
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
Play = Callable[..., subprocess.CompletedProcess[str]]
APPS: dict[str, dict[str, Any]] = {
    "feeds": {},
    "wiki": {"proximity_cluster": "office", "app_resources": {"cores": 2}},
    "gone": {"proximity_cluster": "dead"},
}
NETWORK = {"bridge": "vmbr0", "subnet": "10.231.0.0/24", "gateway": "10.231.0.1", "dns": ["10.231.0.2"]}


@pytest.fixture
def two() -> Iterator[labs.Lab]:
    with labs.start(seed=("demo", "demo84"), guests="simulated") as server:
        yield server


def _cluster(url: str, token: str, ca_path: Any) -> dict[str, Any]:
    token_id, _sign, secret = token.partition("=")
    about = {"host": "127.0.0.1", "port": urlsplit(url).port, "token_id": token_id, "token_secret": secret, "ca_path": str(ca_path)}
    return {f"proximity_api_{key}": value for key, value in about.items()}


@pytest.fixture
def clusters(two: labs.Lab) -> dict[str, dict[str, Any]]:
    """`home` and `office` live, each with settings of its own."""
    home, office = (_cluster(next(iter(site.urls.values())), site.tokens[site.roles["token"]], two.ca_path) for site in two.sites)
    home |= {"proximity_default_resources": {"memory_mb": 777}, "proximity_default_network": NETWORK}
    office |= {"proximity_features": {"stack": False, "remove": False, "adopt": False, "look": False}}
    dead = {**_cluster("https://127.0.0.1:1", "x@pve!y=z", two.ca_path)}
    return {"dead": dead, "home": {**home, "proximity_features": {"stack": False}}, "office": office}


@pytest.fixture
def play(clusters: dict[str, Any], tmp_path: Path) -> Play:
    """Run a playbook with the example's group variables over these clusters and apps, some of whose variables may be others."""
    shutil.copytree(ROOT / "inventories/example/group_vars", tmp_path / "group_vars")

    def run(name: str, *options: str, **changed: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        hosts = {host: {**about, **changed.get(host, {})} for host, about in APPS.items()}
        usual = {"app_catalog_id": "miniflux", "app_storage": "local-lxc"}
        sites = {host: {**about, **changed.get(host, {})} for host, about in clusters.items()}
        hosts = {host: {**usual, **about} for host, about in hosts.items()}
        inventory = {"proximity_apps": {"hosts": hosts}, "proximity_clusters": {"hosts": sites}}
        (tmp_path / "hosts.yml").write_text(yaml.safe_dump(inventory))
        words = ["-i", str(tmp_path / "hosts.yml"), f"playbooks/{name}.yml", *options, "-e", "proximity_api_retry_s=0"]
        done = run_playbook(*words, PROXIMITY_API_RETRY_S="0")
        done.stdout = " ".join((done.stdout + done.stderr).split())
        return done

    return run


def _recap(done: subprocess.CompletedProcess[str], host: str) -> dict[str, int]:
    found = re.search(rf"\b{host} : (ok=.*?ignored=\d+)", done.stdout)
    assert found, done.stdout[-3000:]
    return {key: int(value) for key, value in (pair.split("=") for pair in found[1].split())}


def _apps(two: labs.Lab) -> list[dict[int, str]]:
    return [{vmid: str(guest.config["hostname"]) for vmid, guest in site.cluster.guests.items()} for site in two.sites]


def test_apps_are_deployed_to_their_clusters_and_a_dead_one_stops_nobody(two: labs.Lab, play: Play) -> None:
    done = play("deploy")
    assert done.returncode == 2
    assert [list(found.values()) for found in _apps(two)] == [["feeds"], ["wiki"]]
    assert {host: _recap(done, host)["failed"] for host in APPS} == {"feeds": 0, "wiki": 0, "gone": 1}
    assert "cannot reach https://127.0.0.1:1: Connection refused" in done.stdout
    again = play("deploy", "--limit", "feeds,wiki")
    assert again.returncode == 0, again.stdout[-3000:]
    assert [_recap(again, host)["changed"] for host in ("feeds", "wiki")] == [0, 0]
    two.advance(30)  # names and power in a cluster's list lag
    shown = play("status")
    assert shown.returncode == 2
    assert re.search(r"dead not reached", shown.stdout)
    assert re.search(r"feeds home pve1 \d+ running miniflux", shown.stdout)
    assert re.search(r"wiki office pve1 \d+ running miniflux", shown.stdout)
    assert play("status", "--limit", "home,office").returncode == 0


def test_each_cluster_has_its_own_defaults(two: labs.Lab, play: Play) -> None:
    play("deploy", "--limit", "feeds,wiki", feeds={"app_network": {"address": "10.231.0.77"}})
    (feeds,), (wiki,) = (list(site.cluster.guests.values()) for site in two.sites)
    assert feeds.config["memory"] == 777
    assert "ip=10.231.0.77/24" in feeds.config["net0"]
    assert "gw=10.231.0.1" in feeds.config["net0"]
    assert feeds.config["nameserver"] == "10.231.0.2"
    assert (wiki.config["cores"], wiki.config["memory"] != 777, "nameserver" in wiki.config) == (2, True, False)


def test_what_is_switched_off_is_refused_and_changes_nothing(two: labs.Lab, play: Play) -> None:
    play("deploy", "--limit", "feeds,wiki")
    removed = play("remove", "--limit", "feeds,wiki")
    assert "App wiki is not removed, since proximity_features has remove switched off here." in removed.stdout
    assert [list(found.values()) for found in _apps(two)] == [[], ["wiki"]]
    plant_guest(two.sites[1].cluster, 105, "pve1", "local-lxc", 1, {"hostname": "shop"}, running=True)
    adopted = play("adopt", "--limit", "office", "-e", json.dumps({"adopt_guests": [{"vmid": 105}]}))
    assert "No container is adopted or forgotten, since proximity_features has adopt switched off here." in adopted.stdout
    assert "tags" not in two.sites[1].cluster.guests[105].config
    two.advance(60)
    seen = play("discover", "--limit", "office")
    assert seen.returncode == 0, seen.stdout[-3000:]
    assert "Look into those that run" not in seen.stdout, "nobody knocks at containers where looks are switched off"
    assert "shop" in seen.stdout


def test_connection_holds_settings_against_the_cluster(two: labs.Lab, play: Play) -> None:
    assert play("test_connection", "--limit", "home,office").returncode == 0
    two.journal_book.clear()
    done = play("test_connection", "--limit", "home", home={"proximity_default_network": {"bridge": "vmbr7"}})
    assert done.returncode == 2
    assert "Node pve1 has no bridge 'vmbr7' (it has vmbr0): no new app is put there." in done.stdout
    assert len([call for call in two.journal() if call.path.endswith("/network")]) == 1
    wrong = play("test_connection", "--limit", "home", home={"proximity_default_network": {**NETWORK, "gateway": "10.9.9.9"}})
    assert "defaults.network.gateway 10.9.9.9 is no host of defaults.network.subnet 10.231.0.0/24: correct one of them." in wrong.stdout


def test_settings_that_make_no_sense_are_told_with_their_origin(play: Play) -> None:
    done = play("settings", "--limit", "feeds", feeds={"proximity_default_network": {**NETWORK, "gateway": "10.9.9.9"}})
    assert done.returncode == 2, done.stdout
    assert "proximity_default_network.gateway 10.9.9.9 is no host of proximity_default_network.subnet 10.231.0.0/24" in done.stdout
    assert re.search(r"proximity_default_network \{.*?\} (\S+hosts\.yml:\d+|set) ", done.stdout)


def test_settings_that_make_sense(play: Play) -> None:
    done = play("settings", "--limit", "feeds", feeds={"app_network": {"address": "10.231.0.9"}})
    assert done.returncode == 0, done.stdout
    assert "PROBLEM" not in done.stdout


def test_nodes_are_kept_for_the_living(two: labs.Lab, play: Play, clusters: dict[str, Any], tmp_path: Path) -> None:
    for name, site in zip(("home", "office"), two.sites, strict=True):
        clusters[name] |= _cluster(next(iter(site.urls.values())), site.tokens["root@pam!test"], two.ca_path)
    done = play("nodes", "-e", "proximity_write=true")
    assert done.returncode == 2
    kept = {file.parent.name: yaml.safe_load(file.read_text()) for file in tmp_path.glob("host_vars/*/proximity_nodes.yml")}
    assert kept == {name: {"proximity_node_hosts": {"pve1": "127.0.0.1"}} for name in ("home", "office")}
    again = play("nodes", "-e", "proximity_write=true", "--limit", "home,office")
    assert [_recap(again, host)["changed"] for host in ("home", "office")] == [0, 0]
