# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Proxmox's words for: what you ask was right a moment ago. Texts as seen on 9.2; nothing else in the core reads texts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import ApiError, OutcomeUnknown, StateMoved, TaskError

MOVED = re.compile(
    r"detected modified configuration"  # somebody else wrote the configuration
    r"|(CT|VM) \d+ already exists|File exists"  # somebody else took the slot
    r"|dir ID '\S+' (already defined|does not exist)|pool '\S+' already exists"  # somebody else began or ended the ledger
    r"|(CT|VM) \d+ (already|not) running"
    r"|disk is already at specified size"
    r"|CT is locked"
    r"|Configuration file '\S+' does not exist"
    r"|^snapshot '\S+' does not exist"  # somebody else has removed it
    r"|Full clone of a running container"  # it was stopped when it was looked at
)

LOCKED = re.compile(r"(CT|VM) is locked|can't lock file")


def is_about_a_lock(error: ApiError | TaskError) -> bool:
    """Whether a call, or the task that it began, was refused because somebody else's work holds the guest."""
    return bool(LOCKED.search(_told(error)))


def is_about_a_used_name(error: TaskError) -> bool:
    return bool(re.search(r"snapshot name '\S+' already used", _told(error)))


def is_about_a_lost_snapshot(error: ApiError | TaskError) -> bool:
    return bool(re.search(r"snapshot '\S+' does not exist", _told(error)))


def _told(error: ApiError | TaskError) -> str:
    return "" if isinstance(error, OutcomeUnknown) else error.reason if isinstance(error, ApiError) else error.exitstatus


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
