# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Finding the container, and saying plainly why it cannot be entered."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

FAKES = Path(__file__).parent / "fakes"

MAP = {"proximity_node_hosts": {"pve1": "192.0.2.11", "pve2": "192.0.2.12"}}


def run(connection):
    return connection.exec_command("echo here")


def test_the_node_is_reached_under_its_address(cluster, connect):
    assert run(connect(**MAP)) == (0, b"here\n", b"")
    assert " 192.0.2.11 pct exec 8100 -- " in cluster.ssh_calls[0]


def test_a_node_without_an_address_is_reached_under_its_name(cluster, connect):
    run(connect())
    assert " pve1 pct exec 8100 -- " in cluster.ssh_calls[0]


def test_a_container_that_has_moved_is_followed(cluster, connect):
    cluster.place(8100, "pve2")
    connection = connect(**MAP)
    assert run(connection) == (0, b"here\n", b"")
    assert [call.split("192.0.2.")[1][:6] for call in cluster.ssh_calls] == ["11 pct", "11 fin", "12 pct"]
    run(connection)
    assert len(cluster.ssh_calls) == 4, "the node found is used from then on"


def test_what_runs_is_not_run_twice_when_it_speaks_like_pct(cluster, connect):
    said = "Configuration file 'nodes/pve1/lxc/9999.conf' does not exist"
    assert connect().exec_command(f'echo "{said}" >&2; exit 2') == (2, b"", f"{said}\n".encode())


@pytest.mark.parametrize(
    ("traits", "variables", "sentence"),
    [
        ([], {"proximity_vmid": None}, "The host has no proximity_vmid"),
        ([], {"proximity_node": None}, "The host has no proximity_node"),
        ([], {"proximity_vmid": 8199}, "Container 8199 is not on node pve1: no node of the cluster has it. Run role"),
        ([], {"proximity_vmid": 8101}, "Cannot enter container 8101 on node pve1: it is not running."),
        (["noisy"], {"proximity_vmid": 8101}, "Cannot enter container 8101 on node pve1: it is not running."),
        (["no-root"], {}, "the user of the login may not run pct. Log in as root, or set proximity_pct_command"),
        (["no-root", "no-rule"], {"proximity_pct_command": "sudo -n pct"}, "Give it a sudo rule for pct without a password."),
        ([], {"proximity_pct_command": "sudo -n pct", "proximity_vmid": 8101}, "it is not running"),
        ([], {"proximity_node": "pve9"}, "Could not resolve hostname pve9"),
    ],
)
def test_what_stands_in_the_way_is_named(cluster, connect, traits, variables, sentence):
    cluster.place(8101, "pve1", running=False)
    for trait in traits:
        cluster.switch(trait)
    with pytest.raises(AnsibleConnectionFailure) as failure:
        run(connect(**variables))
    assert sentence in str(failure.value)


def test_a_node_without_pct_is_named(cluster, connect, monkeypatch):
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setenv("ANSIBLE_SSH_EXECUTABLE", str(FAKES / "ssh"))
    with pytest.raises(AnsibleConnectionFailure, match="the node has no command pct"):
        run(connect())


def test_a_user_with_sudo_enters_and_follows(cluster, connect):
    cluster.switch("no-root")
    cluster.place(8100, "pve2")
    assert run(connect(proximity_pct_command="sudo -n pct")) == (0, b"here\n", b"")


@pytest.mark.parametrize("trait", ["turned-away", "refused"])
def test_a_busy_ssh_server_is_asked_again(cluster, connect, monkeypatch, trait):
    cluster.switch(trait, "1\n2\n")
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert run(connect()) == (0, b"here\n", b"")
    assert len(cluster.ssh_calls) == 3


def test_an_ssh_server_that_stays_busy_is_unreachable(cluster, connect, monkeypatch):
    cluster.switch("turned-away", "x\n" * 20)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(AnsibleConnectionFailure, match="kex_exchange_identification"):
        connect().exec_command("cat", in_data=b"data")
    assert len(cluster.ssh_calls) == 5


def test_a_way_that_is_lost_fails_the_task_where_that_is_wished(cluster, connect, monkeypatch):
    cluster.switch("refused", "x\n" * 20)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(AnsibleError, match=r"Lost the way into container 8100 on node pve1: .*Connection refused") as failure:
        run(connect(proximity_unreachable_fails=True))
    assert not isinstance(failure.value, AnsibleConnectionFailure)


def test_a_container_that_is_not_running_fails_the_task_where_that_is_wished(cluster, connect):
    cluster.place(8100, "pve1", running=False)
    with pytest.raises(AnsibleError, match="it is not running") as failure:
        run(connect(proximity_unreachable_fails=True))
    assert not isinstance(failure.value, AnsibleConnectionFailure)


def test_a_full_disk_is_not_taken_for_an_unreachable_container(cluster, connect):
    made = "mkdir() { echo 'mkdir: No space left on device' >&2; return 1; }; mkdir /root/ansible-tmp-1"
    with pytest.raises(
        AnsibleError, match=r"Cannot make a folder for files in transit in container 8100 on node pve1: .*No space left"
    ) as failure:
        connect().exec_command(made)
    assert not isinstance(failure.value, AnsibleConnectionFailure)


def test_a_reset_ends_the_shared_connection_of_the_node(cluster, connect):
    connect(**MAP).reset()
    assert [call.split()[-3:] for call in cluster.ssh_calls] == [["-O", "check", "192.0.2.11"], ["-O", "stop", "192.0.2.11"]]
