# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Files arrive byte for byte, whatever their size and name."""

from __future__ import annotations

import random

import pytest
from ansible.errors import AnsibleError, AnsibleFileNotFound
from ansible_collections.proximity.platform.plugins.connection.pct import PIECE_BYTES


@pytest.mark.parametrize("size", [0, 1, 100_000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 2 * PIECE_BYTES, 9_999_999])
def test_a_file_goes_in_and_comes_back(cluster, connect, tmp_path, size):
    data = random.Random(size).randbytes(size)
    here, there, back = tmp_path / "here", tmp_path / "it's $there ü", tmp_path / "back"
    here.write_bytes(data)
    there.write_bytes(b"longer than before" * 1000)
    connection = connect()
    connection.put_file(str(here), str(there))
    assert there.read_bytes() == data
    connection.fetch_file(str(there), str(back))
    assert back.read_bytes() == data


def test_a_missing_file_here_is_an_error(cluster, connect, tmp_path):
    with pytest.raises(AnsibleFileNotFound, match="does not exist on the controller"):
        connect().put_file(str(tmp_path / "missing"), str(tmp_path / "there"))


def test_a_missing_file_there_is_an_error(cluster, connect, tmp_path):
    with pytest.raises(AnsibleError, match=r"Cannot read .*missing in container 8100"):
        connect().fetch_file(str(tmp_path / "missing"), str(tmp_path / "back"))


def test_a_place_that_takes_no_file_is_an_error(cluster, connect, tmp_path):
    (tmp_path / "here").write_text("text")
    with pytest.raises(AnsibleError, match=r"Cannot write .*nowhere/file in container 8100"):
        connect().put_file(str(tmp_path / "here"), str(tmp_path / "nowhere" / "file"))
