# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What happens in a guest before and after its backup: databases are dumped by their own tools, services without one are paused."""

from __future__ import annotations

import re
import shlex
from typing import Any

from .model import Dump, Entry

TOOLS = {
    "pg_dump": 'PGPASSWORD="{password}" exec pg_dump -U "$1" "$2"',
    "pg_dumpall": 'PGPASSWORD="{password}" exec pg_dumpall -U "$1"',
    "mariadb-dump": 'MYSQL_PWD="{password}" exec mariadb-dump --single-transaction --routines --events -u "$1" {database}',
    "mysqldump": 'MYSQL_PWD="{password}" exec mysqldump --single-transaction --routines --events -u "$1" {database}',
    "mongodump": "exec mongodump --archive --quiet {database}",
}
"""Tool -> what the shell of its service runs; $1 is the user, $2 the database."""
ONE = {"mongodump": '--db="$2"'}
ALL = {"mongodump": "", "mysqldump": "--all-databases", "mariadb-dump": "--all-databases"}
USERS = {"pg_dump": "postgres", "pg_dumpall": "postgres"}
FIND = "docker ps -q --filter label=com.docker.compose.project={project} --filter label=com.docker.compose.service={service}"


def hooks_of(entry: Entry, name: str, root: str = "/opt/proximity", limit_s: int = 900) -> dict[str, Any]:
    """Scripts for the guest's shell: `dumps` (service, type, file, script), `pause` (empty without one) and `resume`.

    What is paused goes on by itself after `limit_s`, should nobody say so before.
    """
    folder = f"{root}/{name}"
    return {
        "dumps": [
            {"service": dump.service, "type": dump.type, "file": _file(folder, dump), "script": _dump_script(dump, name, folder)}
            for dump in entry.dumps
        ],
        "pause": _pause_script(entry, name, limit_s) if entry.pause else "",
        "resume": _resume_script(entry, name, folder),
    }


def _file(folder: str, dump: Dump) -> str:
    return f"{folder}/dumps/{'-'.join(filter(None, (dump.service, re.sub(r'[^A-Za-z0-9_-]', '', dump.database))))}.{dump.type}"


def _dump_script(dump: Dump, name: str, folder: str) -> str:
    """Whole or not at all: a dump that broke off would look like a good one."""
    password = f"${{{dump.password_env}}}" if dump.password_env else "${PGPASSWORD:-}" if dump.type.startswith("pg") else ""
    database = ONE.get(dump.type, '"$2"') if dump.database else ALL.get(dump.type, "")
    tool = TOOLS[dump.type].format(password=password, database=database).strip()
    user = dump.user or USERS.get(dump.type, "root")
    file = shlex.quote(_file(folder, dump))
    lines = [
        "set -eu",
        "umask 077",
        f"cd {shlex.quote(folder)}",
        "set -a; for file in .env secrets.env; do [ ! -f $file ] || . ./$file; done; set +a",
        "mkdir -p dumps",
        f"container=$({FIND.format(project=shlex.quote(name), service=shlex.quote(dump.service))} | head -n 1)",
        f'[ -n "$container" ] || {{ echo "service {dump.service} does not run" >&2; exit 1; }}',
        f"docker exec $container sh -c {shlex.quote(tool)} sh {_words(user)} {_words(dump.database or user)} > {file}.part",
        f"[ -s {file}.part ] || {{ echo 'the dump is empty' >&2; exit 1; }}",
        f"mv {file}.part {file}",
    ]
    return "\n".join(lines)


def _words(text: str) -> str:
    """A text as one word of the shell, in which ${NAME} is the variable of the app's env files."""
    parts = re.split(r"(\$\{[A-Za-z_][A-Za-z0-9_]*\})", text)
    return "".join(f'"{part}"' if part.startswith("${") else shlex.quote(part) for part in parts if part) or "''"


def _pause_script(entry: Entry, name: str, limit_s: int) -> str:
    find = "; ".join(FIND.format(project=shlex.quote(name), service=shlex.quote(service)) for service in entry.pause)
    lines = [
        "set -eu",
        f"containers=$({find})",
        '[ -n "$containers" ] || exit 0',
        f'setsid sh -c "sleep {limit_s}; docker unpause $(echo $containers)" > /dev/null 2>&1 < /dev/null &',
        f"echo $! > {shlex.quote(_watcher(name))}",
        "docker pause $containers > /dev/null",
    ]
    return "\n".join(lines)


def _resume_script(entry: Entry, name: str, folder: str) -> str:
    paused = f"docker ps -q --filter status=paused --filter label=com.docker.compose.project={shlex.quote(name)}"
    watcher = shlex.quote(_watcher(name))
    lines = [
        f"paused=$({paused})" if entry.pause else "paused=",
        '[ -z "$paused" ] || docker unpause $paused > /dev/null',
        f"[ ! -f {watcher} ] || {{ kill $(cat {watcher}) 2> /dev/null || true; rm -f {watcher}; }}",
        f"rm -rf {shlex.quote(folder + '/dumps')}",
    ]
    return "\n".join(lines)


def _watcher(name: str) -> str:
    return f"/run/proximity-{name}.paused"
