# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What both connections into containers make of one that is lost."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ansible.errors import AnsibleConnectionFailure, AnsibleError

MAKES_FOLDER = ("mkdir", "ansible-tmp-")
"""In the command with which Ansible makes a place for files in transit. Where that fails, it takes the host for unreachable."""


@contextmanager
def failing_where_wished(connection: Any, place: str) -> Iterator[None]:
    """A way that is lost fails the task instead of making its host unreachable, where option unreachable_fails says so."""
    try:
        yield
    except AnsibleConnectionFailure as failure:
        if not connection.get_option("unreachable_fails"):
            raise
        raise AnsibleError(f"Lost the way into {place}: {failure}") from None


def refuse_without_folder(command: str, outcome: tuple[int, bytes, bytes], place: str) -> None:
    """A disk that is full, for one, is no matter of the way."""
    status, _out, err = outcome
    if status and all(word in command for word in MAKES_FOLDER):
        raise AnsibleError(f"Cannot make a folder for files in transit in {place}: {err.decode(errors='replace').strip()}")
