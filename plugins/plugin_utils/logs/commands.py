# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The commands that read and write logs in a guest."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError

KEPT_LINES = 1000
MOMENT = re.compile(r"[0-9][0-9A-Za-z:.+-]*")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def keep_command(path: str, limit: int = KEPT_LINES) -> str:
    """A shell command that appends standard input to a file and keeps its last `limit` lines.

    The file is replaced, never cut: whoever reads it meanwhile, or after a crash, finds it whole.
    """
    file, new, folder = (shlex.quote(text) for text in (path, f"{path}.new", path.rpartition("/")[0] or "/"))
    gather = f"{{ tail -n {limit} {file} 2>/dev/null; cat; }} | tail -n {limit} > {new}"
    return f"umask 022 && mkdir -p {folder} && umask 077 && {gather} && mv {new} {file}"


def service_logs_command(
    project: str,
    services: Sequence[str] | str = (),
    tail: Any = 100,
    since: str = "",
    until: str = "",
    timestamps: bool = False,
) -> list[str]:
    """The words of `docker compose logs`. The project is found by its containers' labels, wherever its file is.

    Raises SpecError for what Docker would take for something else than it is.
    """
    rows = services.split(",") if isinstance(services, str) else services
    names = [str(row).strip() for row in rows if str(row).strip()]
    for word in (project, *names):
        if not NAME.fullmatch(str(word)):
            raise SpecError(f"'{word}' is no name of a project or service.")
    if not re.fullmatch(r"[0-9]{1,6}|all", str(tail)):
        raise SpecError(f"tail is '{tail}', and neither a number of lines nor 'all'.")
    words = ["docker", "compose", "--project-name", str(project), "logs", "--no-color", f"--tail={tail}"]
    for option, moment in (("since", since), ("until", until)):
        if moment:
            if not MOMENT.fullmatch(str(moment)):
                raise SpecError(f"{option} is '{moment}'. Say 15m or 2h, or a moment: 2026-03-01T04:00:00Z.")
            words.append(f"--{option}={moment}")
    return [*words, *(["--timestamps"] if timestamps else []), "--", *names]
