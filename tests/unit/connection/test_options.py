# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Which variables name the login to the node, and that ssh gets them."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible.plugins.connection import ssh
from ansible_collections.proximity.platform.plugins.doc_fragments.ssh import ModuleDocFragment


def login(cluster, connection):
    connection.exec_command("true")
    return cluster.ssh_calls[-1]


@pytest.mark.parametrize(
    ("variables", "argument"),
    [
        ({"ansible_user": "anna"}, '-o User="anna"'),
        ({"ansible_user": "inside", "proximity_node_user": "anna"}, '-o User="anna"'),
        ({"ansible_port": 2222}, "-o Port=2222"),
        ({"ansible_port": 1, "proximity_node_port": 2222}, "-o Port=2222"),
        ({"ansible_ssh_private_key_file": "/k"}, '-o IdentityFile="/k"'),
        ({"ansible_ssh_private_key_file": "/x", "proximity_node_private_key_file": "/k"}, '-o IdentityFile="/k"'),
        ({"ansible_ssh_common_args": "-o ProxyJump=bastion"}, "-o ProxyJump=bastion"),
        ({"proximity_node_ssh_common_args": "-o ProxyJump=bastion"}, "-o ProxyJump=bastion"),
        ({"ansible_host_key_checking": False}, "-o StrictHostKeyChecking=no"),
        ({"ansible_ssh_extra_args": "-o LogLevel=ERROR"}, "-o LogLevel=ERROR"),
    ],
)
def test_variables_reach_ssh(cluster, connect, variables, argument):
    assert argument in login(cluster, connect(**variables))


def test_a_user_of_the_command_line_or_play_is_the_one_at_the_node(cluster, connect):
    """So does AWX hand over the user of a machine credential."""
    connection = connect(keywords={"remote_user": "anna"})
    assert '-o User="anna"' in login(cluster, connection)
    assert connection.get_option("remote_user") == "root", "in the container"


def test_without_a_user_ssh_decides(cluster, connect):
    assert "User=" not in login(cluster, connect())


def test_the_address_of_the_app_is_not_that_of_the_node(cluster, connect):
    assert "203.0.113.9" not in login(cluster, connect(ansible_host="203.0.113.9", ansible_ssh_host="203.0.113.9"))


def test_containers_of_a_node_share_a_connection_and_nodes_do_not(cluster, connect):
    cluster.place(8101, "pve1")
    cluster.place(8102, "pve2")
    calls = [
        login(cluster, connect(proximity_vmid=vmid, proximity_node=node)) for vmid, node in ((8100, "pve1"), (8101, "pve1"), (8102, "pve2"))
    ]
    first, second, third = (re.search(r'ControlPath="([^"]+)"', call)[1] for call in calls)
    assert first == second != third


def test_clusters_that_call_their_nodes_alike_do_not_share_a_connection(cluster, connect):
    ways = [{"ansible_ssh_common_args": f"-o HostName={name}"} for name in ("one", "other", "third")]
    paths = {re.search(r'ControlPath="([^"]+)"', login(cluster, connect(**variables)))[1] for variables in ways}
    assert len(paths) == len(ways)


def test_a_number_as_text_is_a_number(cluster, connect):
    assert connect(proximity_vmid="8100").exec_command("true")[0] == 0


def test_every_option_of_core_is_there():
    """Less the address, which is declared anew."""
    core = yaml.safe_load(ssh.DOCUMENTATION)["options"]
    ours = json.loads(ModuleDocFragment.DOCUMENTATION)["options"]
    assert set(core) - {"host"} <= set(ours)
    for name, option in core.items():
        if name != "host":
            assert {entry["name"] for entry in option.get("vars", [])} <= {entry["name"] for entry in ours[name].get("vars", [])}
