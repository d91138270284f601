# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The plugin as Ansible itself loads it, with its documentation computed and its options from an inventory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
PLAY = """
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.raw: echo "arrived at $NODE as $USER with 'quotes'; $HOME"
      register: said
    - ansible.builtin.copy:
        content: "{{ said.stdout }}"
        dest: "{{ target }}/copied"
        mode: "0640"
      become: true
    - ansible.builtin.fetch:
        src: "{{ target }}/copied"
        dest: "{{ target }}/fetched"
        flat: true
    - ansible.builtin.meta: reset_connection
"""


def test_a_play_works_in_a_container(cluster, tmp_path):
    cluster.place(8100, "pve2")
    variables = {
        "ansible_connection": "proximity.platform.pct",
        "ansible_host": "203.0.113.9",
        "proximity_node": "pve1",
        "proximity_node_hosts": {"pve1": "192.0.2.11", "pve2": "192.0.2.12"},
        "proximity_vmid": "{{ 8000 + 100 }}",
    }
    play(tmp_path, variables)
    assert (tmp_path / "fetched").read_text() == "arrived at  as  with 'quotes'; /root\n"
    assert (tmp_path / "copied").stat().st_mode & 0o777 == 0o640
    assert all('-o User="anna"' in call and "203.0.113.9" not in call for call in cluster.ssh_calls)


def test_a_play_works_straight_in_a_container(cluster, tmp_path):
    straight = {"ansible_connection": "proximity.platform.ssh", "ansible_host": "192.0.2.11", "ansible_user": "root"}
    play(tmp_path, {**straight, "ansible_ssh_transfer_method": "piped"})
    assert (tmp_path / "fetched").read_text() == "arrived at pve1 as  with 'quotes'; \n"
    assert (tmp_path / "copied").stat().st_mode & 0o777 == 0o640
    assert all('-o User="root"' in call and " 192.0.2.11" in call and "pct" not in call for call in cluster.ssh_calls)


def play(tmp_path, variables):
    variables |= {"ansible_python_interpreter": sys.executable, "target": str(tmp_path)}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"app": variables}}}))
    (tmp_path / "play.yml").write_text(PLAY)
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(ROOT / ".ansible/collections"),
        "ANSIBLE_REMOTE_TMP": str(tmp_path / "remote"),
    }
    command = [
        str(Path(sys.executable).with_name("ansible-playbook")),
        "-i",
        str(tmp_path / "hosts.yml"),
        "-u",
        "anna",
        str(tmp_path / "play.yml"),
    ]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
