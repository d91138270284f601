"""Playbooks clone, move, drain and rebalance over a cluster of three simulated nodes."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lab as labs
import pytest
import yaml
from integration.fleet import plant_app
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
Play = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def lab() -> Iterator[labs.Lab]:
    """Four apps and a guest that is none on pve2, with local disks; pve3 is small."""
    with labs.start(seed="fleet", guests="simulated") as server:
        for number, name in enumerate(("feeds", "wiki", "chat", "stopped")):
            plant_app(server, 8101 + number, name, node="pve2", running=name != "stopped")
        plant_app(server, 900, "mine", node="pve2", ours=False)
        yield server


@pytest.fixture
def play(connection: dict[str, Any], tmp_path: Path) -> Play:
    """Run a playbook with a cluster and two of its apps as hosts; the environment says where the cluster is."""
    apps = {"hosts": {"feeds": {}, "wiki": {}}}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"proximity_clusters": {"hosts": {"home": {}}}, "proximity_apps": apps}))
    about = {f"PROXIMITY_{key if key.startswith('api_') else f'api_{key}'}".upper(): str(value) for key, value in connection.items()}

    def run(name: str, *options: str) -> subprocess.CompletedProcess[str]:
        done = run_playbook("-i", str(tmp_path / "hosts.yml"), f"playbooks/{name}.yml", *options, **about)
        assert "[WARNING]" not in done.stderr + done.stdout, done.stdout + done.stderr
        return done

    return run


def _nodes(lab: labs.Lab) -> dict[str, str]:
    return {str(guest.config["hostname"]): guest.node for guest in lab.cluster.guests.values()}


def _changed(played: subprocess.CompletedProcess[str], host: str) -> int:
    found = re.search(rf"^{host}\s+: ok=\d+\s+changed=(\d+).*failed=0", played.stdout, re.MULTILINE)
    assert found and played.returncode == 0, played.stdout + played.stderr
    return int(found[1])


def test_node_is_drained_check_and_real_and_again(lab: labs.Lab, play: Play) -> None:
    before = _nodes(lab)
    check = play("drain", "-e", "node=pve2", "--check")
    assert (_changed(check, "home") > 0, _nodes(lab)) == (True, before)
    assert re.search(r"feeds\s+pve2\s+pve1", check.stdout)
    real = play("drain", "-e", "node=pve2", "-e", "moves_at_a_time=2")
    assert _changed(real, "home") > 0
    assert "mine" in real.stdout and "no app of Proximity" in real.stdout
    after = _nodes(lab)
    assert (after.pop("mine"), set(after.values()) & {"pve2"}, set(after)) == ("pve2", set(), {"feeds", "wiki", "chat", "stopped"})
    assert sorted(vmid for vmid, guest in lab.cluster.guests.items() if lab.cluster.running(guest)) == [900, 8101, 8102, 8103]
    again = play("drain", "-e", "node=pve2")
    assert (_changed(again, "home"), "Nothing should move." in again.stdout) == (0, True)


def test_drain_is_refused_before_anything_moves(lab: labs.Lab, play: Play) -> None:
    for guest in lab.cluster.guests.values():
        guest.config["memory"] = 9000
    before = _nodes(lab)
    refused = play("drain", "-e", "node=pve2")
    assert refused.returncode != 0
    assert "Cannot empty node pve2, and nothing was moved." in refused.stdout
    assert "MiB of memory left, and 9000 are needed" in refused.stdout
    assert (_nodes(lab), lab.journal("POST", "/migrate")) == (before, [])


def test_rebalance_recommends_and_moves_only_when_told(lab: labs.Lab, play: Play) -> None:
    before = _nodes(lab)
    told = play("rebalance", "-e", "moves_tolerance_percent=1")
    assert (_changed(told, "home"), _nodes(lab)) == (0, before)
    assert "of its memory" in told.stdout or "Nothing should move." in told.stdout


def test_app_is_moved_by_name(lab: labs.Lab, play: Play) -> None:
    moved = play("move", "-e", "node=pve1", "--limit", "feeds")
    assert (_changed(moved, "feeds"), _nodes(lab)["feeds"], _nodes(lab)["wiki"]) == (1, "pve1", "pve2")
    off = play("move", "-e", "off_node=pve2")
    assert (_changed(off, "feeds"), _changed(off, "wiki"), _nodes(lab)["wiki"]) == (0, 1, "pve1")


def test_clone_playbook_makes_a_host_of_the_copy(lab: labs.Lab, play: Play) -> None:
    stopped = play("stop", "--limit", "feeds")
    assert _changed(stopped, "feeds") == 1
    missing = play("clone", "-e", "from=feeds")
    assert "Name the copy, as in -e from=feeds -e to=feeds-test." in missing.stdout
    made = play("clone", "-e", "from=feeds", "-e", "to=feeds-test", "-e", '{"app_stack": false}')
    assert _changed(made, "feeds-test") > 0
    (copy,) = [guest for guest in lab.cluster.guests.values() if guest.config["hostname"] == "feeds-test"]
    assert '"status":"running"' in str(copy.config["description"])
    again = play("clone", "-e", "from=feeds", "-e", "to=feeds-test", "-e", '{"app_stack": false}')
    assert _changed(again, "feeds-test") == 0
