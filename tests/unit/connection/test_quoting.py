# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What Ansible wants to run arrives in the container as it was, through two shells and pct."""

from __future__ import annotations

import shlex
import sys

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

ARGUMENTS = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20), max_size=5)
REUSED = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
PRINT = "import os, sys; sys.stdout.buffer.write(b''.join(os.fsencode(a) + b'\\0' for a in sys.argv[1:]))"


@REUSED
@given(ARGUMENTS)
@example(["'", '"', "\\", "$HOME", "`id`", "!", "*", "~", "", " ", "\n", "-n", "--", "%s", "\\n", "#", "&", ";", "|"])
@example(["Größe 'ñ' %d \\x 漢字 🎈\n"])
def test_any_argument_arrives(cluster, connect, arguments):
    status, out, err = connect().exec_command(shlex.join([sys.executable, "-c", PRINT, *arguments]))
    assert (status, err) == (0, b"")
    assert out == b"".join(argument.encode() + b"\0" for argument in arguments)


@REUSED
@given(st.binary(min_size=1, max_size=2000))
def test_any_standard_input_arrives(cluster, connect, data):
    assert connect().exec_command("cat", in_data=data) == (0, data, b"")


@pytest.mark.parametrize("status", [0, 1, 2, 127, 254, 255])
def test_the_exit_status_is_that_of_the_command(cluster, connect, status):
    assert connect().exec_command(f"echo out; echo err >&2; exit {status}") == (status, b"out\n", b"err\n")


def test_the_command_runs_with_a_home_and_without_a_terminal(cluster, connect):
    assert connect().exec_command('echo "$HOME"; test -t 1 || echo plain') == (0, b"/root\nplain\n", b"")
    assert all(" -tt " not in call for call in cluster.ssh_calls)
