# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proxmox's words for: what you ask was right a moment ago. Texts as seen on 9.2; nothing else in the core reads texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ApiError, OutcomeUnknown, StateMoved

MOVED = re.compile(
    r"detected modified configuration"  # somebody else wrote the configuration
    r"|(CT|VM) \d+ already exists|File exists"  # somebody else took the slot
    r"|dir ID '\S+' (already defined|does not exist)|pool '\S+' already exists"  # somebody else began or ended the ledger
    r"|(CT|VM) \d+ (already|not) running"
    r"|disk is already at specified size"
    r"|CT is locked"
    r"|Configuration file '\S+' does not exist"
)


@contextmanager
def state_may_have_moved() -> Iterator[None]:
    """Turn a refusal that another observation explains into StateMoved."""
    try:
        yield
    except OutcomeUnknown:
        raise
    except ApiError as error:
        if error.status == 500 and MOVED.search(error.reason):
            raise StateMoved(error.reason, error.status, error.method, error.path, error.fields) from error
        raise
