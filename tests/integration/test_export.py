"""What runs, written as an inventory that deploys it again: deploying from the file changes nothing, and no secret is in it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lab as labs
import pytest
import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import parse_entry, revision, stack_of
from ansible_collections.proximity.platform.plugins.module_utils.entries.dotenv import dotenv
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import find_definition
from integration.definition import DEFINITION
from integration.planting import plant_app
from integration.pve import Pve
from stage.playbooks import run_playbook

ROOT = Path(__file__).parents[2]
SECRETS = {"pin": "hunter2 'and' \"more\" $", "EXTRA": "postgres://me:deep-secret@db/x"}
Play = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def play(tmp_path: Path) -> Play:
    """Run a playbook over an inventory with group variables. A local folder stands for what is in containers."""

    def run(playbook: str, clusters: dict[str, labs.Lab], hosts: Path | None = None, *options: str, **more: Any) -> Any:
        folder = tmp_path / "inventory"
        (folder / "group_vars").mkdir(parents=True, exist_ok=True)
        catalog = {"proximity_catalog_paths": [str(tmp_path / "catalog")]}
        (folder / "clusters.yml").write_text(
            yaml.safe_dump({"proximity_clusters": {"hosts": {name: _api(lab) | catalog for name, lab in clusters.items()}}})
        )
        keys = ("host", "port", "token_id", "token_secret", "ca_path")
        of_cluster = {f"proximity_api_{key}": f"{{{{ hostvars[proximity_cluster].proximity_api_{key} }}}}" for key in keys}
        inside = {"ansible_connection": "local", "app_stack": False, "stack_root": str(tmp_path / "{{ proximity_cluster }}")}
        (folder / "group_vars/proximity_apps.yml").write_text(yaml.safe_dump(of_cluster | inside | catalog))
        sources = ["-i", str(folder / "clusters.yml"), *(["-i", str(hosts)] if hosts else [])]
        given = [word for key, value in more.items() for word in ("-e", yaml.safe_dump({key: value}, default_flow_style=True, width=9999))]
        return run_playbook(*sources, f"playbooks/{playbook}.yml", *options, *given)

    return run


def _api(lab: labs.Lab) -> dict[str, Any]:
    token_id, _sign, secret = lab.token.partition("=")
    about = {"host": "127.0.0.1", "port": urlsplit(lab.url).port, "token_id": token_id, "token_secret": secret, "ca_path": str(lab.ca_path)}
    return {f"proximity_api_{key}": value for key, value in about.items()}


def changed(output: str) -> dict[str, int]:
    return {m[1]: int(m[2]) for m in re.finditer(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)", output, re.MULTILINE)}


def write_catalog(folder: Path) -> None:
    """The entry of these tests as a catalog of one's own."""
    entry = folder / "catalog" / "hello"
    entry.mkdir(parents=True)
    data = {key: value for key, value in DEFINITION.items() if key not in ("compose", "services")}
    data["options"] = data["options"] | {
        "loud": {"env": "LOUD", "type": "boolean", "default": False, "help": "Whether it shouts."},
        "times": {"env": "TIMES", "type": "integer", "default": 1, "help": "How often."},
    }
    (entry / "entry.yml").write_text(yaml.safe_dump(data))
    (entry / "compose.yml").write_text(
        DEFINITION["compose"] + "      LOUD: ${LOUD}\n      TIMES: ${TIMES}\n      LEVEL: ${LEVEL:-info}\n      TZ: ${TZ}\n"
    )


def plant(
    lab: labs.Lab,
    folder: Path,
    vmid: int,
    name: str,
    options: dict[str, Any],
    environment: dict[str, str],
    cluster: str = "home",
    running: bool = True,
    **more: Any,
) -> None:
    """An app as its deployment would have left it, with the file that lies in its container."""
    entry = parse_entry(find_definition("hello", [str(folder / "catalog")]))
    runs = revision(entry, options, environment, name)
    plant_app(
        lab,
        vmid,
        name,
        running=running,
        entry_version=entry.version,
        revision=runs,
        wanted=runs,
        environment=tuple(sorted(environment)),
        catalog=str(folder / "catalog"),
        **more,
    )
    inside = folder / cluster / name
    inside.mkdir(parents=True)
    (inside / ".env").write_text(dotenv(stack_of(entry, options, environment, {"name": name, "address": "192.0.2.9"})["env"]))
    (inside / "secrets.env").write_text("SESSION_KEY=generated-in-there\n")


def test_what_is_exported_deploys_again_without_a_change(lab: labs.Lab, pve: Pve, play: Play, tmp_path: Path) -> None:
    write_catalog(tmp_path)
    odd = {"onboot": 0, "startup": "order=3,up=20", "protection": 1, "nameserver": "192.0.2.53", "searchdomain": "example.net"}
    fixed = {"net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=192.0.2.40/24,gw=192.0.2.1,tag=7,firewall=1"}
    plant(lab, tmp_path, 8100, "feeds", {"greeting": "{{ 7 * 7 }} # it's", "pin": SECRETS["pin"], "loud": True, "times": 3}, {})
    plant(
        lab,
        tmp_path,
        8101,
        "wiki",
        {},
        {"EXTRA": SECRETS["EXTRA"], "LEVEL": "debug", "TZ": "Europe/Vienna"},
        owner="anna",
        config=odd | fixed,
    )
    plant(lab, tmp_path, 8102, "asleep", {"greeting": "nobody knows"}, {}, running=False, status="stopped")
    plant_app(lab, 8103, "older", adopted={"at": "2026-01-01T00:00:00Z", "slot": 8103}, revision="", wanted="")
    plant_app(lab, 8104, "gone-entry", entry="not-in-any-catalog")
    tags = pve.get("/nodes/pve1/lxc/8101/config")["tags"]
    pve.put("/nodes/pve1/lxc/8101/config", tags=f"{tags};observability")
    file = tmp_path / "exported.yml"
    checked = play("export", {"home": lab}, None, "--check", export_file=str(file))
    assert checked.returncode == 0 and not file.exists(), checked.stdout[-3000:] + checked.stderr
    done = play("export", {"home": lab}, export_file=str(file), export_plain=["LEVEL"])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    again = play("export", {"home": lab}, export_file=str(file), export_plain=["LEVEL"])
    assert (again.returncode, set(changed(again.stdout).values())) == (0, {0})
    text = file.read_text()
    for word in (*SECRETS.values(), "hunter2", "deep-secret", "generated-in-there"):
        assert word not in text and word not in done.stdout + again.stdout + checked.stdout
    assert file.stat().st_mode & 0o777 == 0o600
    assert "older): it was adopted" in text and "not-in-any-catalog" in text
    assert "It does not run" in text and "Options and environment that it may have: greeting, loud, pin, times." in " ".join(
        text.replace("#", " ").split()
    )
    # As Ansible reads it, with the vault that the file asks for.
    vault = {"vault_feeds_pin": SECRETS["pin"], "vault_wiki_extra": SECRETS["EXTRA"]}
    assert set(re.findall(r"^#   (vault_\w+)  \(", text, re.MULTILINE)) == set(vault)
    (tmp_path / "vault.yml").write_text(yaml.safe_dump(vault))
    dry = ("--check", "-e", f"@{tmp_path / 'vault.yml'}")
    deployed = play("deploy", {"home": lab}, file, *dry, "--limit", "!gone-entry")
    assert deployed.returncode == 0, deployed.stdout[-4000:] + deployed.stderr
    assert changed(deployed.stdout) == {"feeds": 0, "wiki": 0, "asleep": 0}, deployed.stdout[-4000:]
    other = play(
        "deploy", {"home": lab}, file, "--check", "--limit", "feeds", "-e", f"@{tmp_path / 'vault.yml'}", vault_feeds_pin="another"
    )
    assert changed(other.stdout) == {"feeds": 1}, "a check that cannot fail proves nothing"


def test_clusters_are_kept_apart_and_a_dead_one_is_told(lab: labs.Lab, play: Play, tmp_path: Path) -> None:
    write_catalog(tmp_path)
    with labs.start(seed="demo", guests="simulated") as office:
        plant(lab, tmp_path, 8100, "wiki", {"greeting": "at home", "pin": "one"}, {})
        plant(office, tmp_path, 8100, "wiki", {"greeting": "in the office", "pin": "two"}, {}, cluster="office")
        plant(office, tmp_path, 8101, "lone", {}, {}, cluster="office")
        file = tmp_path / "exported.yml"
        both = {"home": lab, "office": office}
        done = play("export", both, export_file=str(file))
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr
        said = yaml.safe_load(file.read_text())
        assert said["proximity_apps"] == {"children": {"at_home": None, "at_office": None}}
        assert said["at_office"]["vars"] == {"proximity_cluster": "office"}
        assert set(said["at_home"]["hosts"]) == {"wiki.home"} and set(said["at_office"]["hosts"]) == {"lone", "wiki.office"}
        vault = {"vault_wiki_home_pin": "one", "vault_wiki_office_pin": "two"}
        deployed = play("deploy", both, file, "--check", **vault)
        assert changed(deployed.stdout) == {"lone": 0, "wiki.home": 0, "wiki.office": 0}, deployed.stdout[-4000:]
    done = play("export", both, export_file=str(file), proximity_api_retry_s=1)
    assert done.returncode != 0
    assert "Cluster office could not be read, and is not in this file." in file.read_text()
    assert set(yaml.safe_load(file.read_text())["at_home"]["hosts"]) == {"wiki"}
