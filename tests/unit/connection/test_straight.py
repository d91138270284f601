# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Connection ssh: that of ansible-core, whose losses are failures where that is wished."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.errors import AnsibleConnectionFailure, AnsibleError

LOST = r"Lost the way into host pve1: .*kex_exchange_identification"


def test_a_command_runs_as_ever(cluster, connect_straight):
    assert connect_straight().exec_command("echo here") == (0, b"here\n", b"")
    assert "pct" not in cluster.ssh_calls[0]


def test_a_way_that_is_lost_makes_the_host_unreachable(cluster, connect_straight):
    cluster.switch("turned-away", "x\n")
    with pytest.raises(AnsibleConnectionFailure):
        connect_straight().exec_command("true")


def test_a_way_that_is_lost_fails_the_task_where_that_is_wished(cluster, connect_straight, tmp_path: Path):
    connection = connect_straight(proximity_unreachable_fails=True, ansible_ssh_transfer_method="piped")
    for lost in (
        lambda: connection.exec_command("true"),
        lambda: connection.put_file(__file__, "/root/x"),
        lambda: connection.fetch_file("/root/x", str(tmp_path / "x")),
    ):
        cluster.switch("turned-away", "x\n")
        with pytest.raises(AnsibleError, match=LOST) as failure:
            lost()
        assert not isinstance(failure.value, AnsibleConnectionFailure)


def test_a_full_disk_is_not_taken_for_an_unreachable_host(cluster, connect_straight):
    made = "mkdir() { echo 'mkdir: No space left on device' >&2; return 1; }; mkdir /root/ansible-tmp-1"
    with pytest.raises(AnsibleError, match=r"in transit in host pve1: .*No space left") as failure:
        connect_straight().exec_command(made)
    assert not isinstance(failure.value, AnsibleConnectionFailure)
