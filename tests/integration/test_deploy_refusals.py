"""What a person reads whose inventory asks for the impossible: a clear sentence a host, in a check as in a real run; nothing is left."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import lab as labs
import pytest
import yaml
from integration.pve import Pve
from stage.playbooks import run_playbook

FAILED = re.compile(r"^fatal: \[([^\] ]+)[^\]]*\]: FAILED! => (\{.*\})$", re.MULTILINE)
CHECKOUT = Path(__file__).resolve().parents[2]
GOOD = {"app_catalog_id": "memos", "app_stack": False}
WISHES = {
    "unknown-entry": ({**GOOD, "app_catalog_id": "memoz"}, "memos"),
    "memory-as-text": ({**GOOD, "app_resources": {"memory_mb": "lots"}}, "memory_mb"),
    "shell-in-name": ({**GOOD, "app_name": "a;reboot"}, "a;reboot"),
    "long-name": ({**GOOD, "app_name": "x" * 64}, "63"),
    "missing-template": ({**GOOD, "app_template": "debian-99"}, "debian-99"),
    "bad-gateway": ({**GOOD, "app_network": {"address": "192.0.2.9/24", "gateway": "198.51.100.1"}}, "198.51.100.1"),
    "wrong-token": ({**GOOD, "proximity_api_token_secret": "00000000-0000-0000-0000-000000000000"}, "token"),
}


@pytest.mark.parametrize("check", [True, False], ids=["check", "real"])
def test_each_refusal_is_one_clear_sentence(lab: labs.Lab, pve: Pve, tmp_path: Path, check: bool) -> None:
    token_id, _sign, secret = lab.token.partition("=")
    common = {
        "proximity_api_host": "127.0.0.1",
        "proximity_api_port": int(lab.url.rpartition(":")[2]),
        "proximity_api_token_id": token_id,
        "proximity_api_token_secret": secret,
        "proximity_api_ca_path": str(lab.ca_path),
        "ansible_python_interpreter": sys.executable,
    }
    hosts = {name: wish for name, (wish, _word) in WISHES.items()}
    inventory = tmp_path / "hosts.yml"
    inventory.write_text(yaml.safe_dump({"all": {"vars": common}, "proximity_apps": {"hosts": hosts}}))
    messages = _failures(inventory, ["--check"] if check else [])
    assert set(messages) == set(WISHES)
    for name, (_wish, word) in WISHES.items():
        assert word in messages[name], messages[name]
        assert "Traceback" not in messages[name]
        # Ansible's own check of the role's arguments puts a headline before its sentence.
        assert messages[name].removeprefix("Validation of arguments failed:\n").count("\n") == 0, messages[name]
    assert pve.vmids() == []


def _failures(inventory: Path, arguments: list[str]) -> dict[str, str]:
    """The message of the first task that failed, by host."""
    told = {"ANSIBLE_CALLBACK_RESULT_FORMAT": "json", "ANSIBLE_CALLBACK_FORMAT_PRETTY": "0"}
    done = run_playbook("-i", str(inventory), "playbooks/deploy.yml", "--forks", "8", *arguments, **told)
    found: dict[str, str] = {}
    for host, result in FAILED.findall(done.stdout):
        found.setdefault(host, str(json.loads(result)["msg"]))
    return found
