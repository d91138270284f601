"""The ways in which people run it: installed, through ansible-runner as AWX does, over plain ssh, and the demo."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import ansible_runner
import pytest
from e2e.site import BIN, CHECKOUT, Site


def test_from_the_installed_collection(site: Site, installed: Path, tmp_path: Path) -> None:
    apps = {"e2e-installed": {"app_catalog_id": "lab-web"}}
    inventory, config = site.inventory(apps), tmp_path / "ansible.cfg"
    config.write_text("[defaults]\n")
    environment = {**site.environment(), "ANSIBLE_COLLECTIONS_PATH": str(installed), "ANSIBLE_CONFIG": str(config)}
    command = [str(BIN / "ansible-playbook"), "-i", str(inventory), "-e", f"lab_file={site.env_file}"]
    for word, changed in (("deploy", True), ("deploy", False), ("remove", True)):
        done = subprocess.run(
            [*command, f"proximity.platform.{word}", "--limit", "e2e-installed"],
            cwd=tmp_path,
            env=environment,
            text=True,
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        assert bool(int(re.search(r"changed=(\d+)", done.stdout)[1])) == changed, done.stdout[-2000:]
        assert str(CHECKOUT / "roles") not in done.stdout


def test_through_ansible_runner(site: Site, tmp_path: Path) -> None:
    apps = {"e2e-runner": {"app_catalog_id": "lab-web"}}
    inventory = site.inventory(apps)
    environment = {**site.environment(), "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".ansible/collections")}
    statistics = []
    for _ in range(2):
        run = ansible_runner.run(
            private_data_dir=str(tmp_path),
            playbook=str(CHECKOUT / "playbooks/deploy.yml"),
            inventory=str(inventory),
            quiet=True,
            extravars={"lab_file": str(site.env_file)},
            envvars=environment,
        )
        assert run.status == "successful", run.stdout.read()[-3000:]
        statistics.append(run.stats)
    assert statistics[0]["changed"].get("e2e-runner", 0) > 0
    assert statistics[1]["changed"].get("e2e-runner", 0) == 0
    assert site.page(site.guest("e2e-runner"))
    assert site.play("playbooks/remove.yml", apps, "--limit", "e2e-runner").status == 0


def test_over_plain_ssh_without_the_node(site: Site) -> None:
    key = Path(site.env["SSH_KEY"])
    public = Path(f"{key}.pub").read_text().strip()
    apps = {
        "e2e-ssh": {
            "app_catalog_id": "lab-web",
            "app_connection": "ssh",
            "app_ssh_public_keys": [public],
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
        }
    }
    played = site.play("playbooks/deploy.yml", apps, "-vvv")
    assert played.status == 0, played.output[-3000:]
    assert "pct exec" not in played.output
    assert site.page(site.guest("e2e-ssh"))
    assert site.play("playbooks/remove.yml", apps, "--limit", "e2e-ssh").status == 0


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A folder whose name leaves room for the socket of a shared SSH connection: 108 bytes are all that a path of one may have."""
    with tempfile.TemporaryDirectory(prefix="px-") as folder:
        yield Path(folder)


def test_the_demo_twice(short_path: Path) -> None:
    checkout = short_path / "checkout"
    files = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=CHECKOUT, text=True, capture_output=True, check=True
    )
    for name in files.stdout.splitlines():
        if (CHECKOUT / name).is_file():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, checkout / name)
    environment = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}", "LAB_PORTS": "0"}
    (checkout / ".venv").symlink_to(Path(sys.prefix))
    try:
        first = subprocess.run(["make", "demo"], cwd=checkout, env=environment, text=True, capture_output=True, check=False)
        assert first.returncode == 0, first.stdout[-3000:] + first.stderr[-2000:]
        assert len(re.findall(r"^http://\S+ answered 200$", first.stdout, re.MULTILINE)) == 2, first.stdout[-2000:]
        second = subprocess.run(["make", "demo"], cwd=checkout, env=environment, text=True, capture_output=True, check=False)
        assert second.returncode == 0, second.stdout[-3000:]
        assert set(re.findall(r"changed=(\d+)", second.stdout)) == {"0"}, second.stdout[-3000:]
    finally:
        subprocess.run(["make", "lab-down"], cwd=checkout, env=environment, check=True)
