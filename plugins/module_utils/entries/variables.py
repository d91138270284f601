# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The variables that a Compose file takes, by Compose's own interpolation rules."""

from __future__ import annotations

import re

# $$ is a literal dollar; ${NAME}, ${NAME:-default}, ${NAME-default}, ${NAME:+other}, ${NAME+other}, ${NAME:?message} and $NAME are
# interpolated; any other use of $ is refused by Compose. https://docs.docker.com/reference/compose-file/interpolation/
DOLLAR = re.compile(r"\$(?:(?P<literal>\$)|\{(?P<braced>[A-Za-z_][A-Za-z0-9_]*)(?P<operator>:?[-+?])?|(?P<plain>[A-Za-z_][A-Za-z0-9_]*))?")

# What the platform knows of every app. They come from the deployment, so they are no part of the revision.
PLATFORM = {
    "APP_NAME": "name of the app",
    "APP_URL": "address for browsers, without a slash at its end",
    "APP_SCHEME": "http or https",
    "APP_HOST": "host of APP_URL",
    "APP_PORT": "port of APP_URL",
    "APP_AUTHORITY": "host of APP_URL, with the port where it is not the scheme's own",
    "APP_SECURE": "true when APP_URL is https, else false",
    "APP_INSECURE": "true when APP_URL is not https, else false",
    "APP_ADDRESS": "address of the container",
    "TZ": "time zone, such as Europe/Vienna",
}

# Compose prefers its own process environment to env files, so a variable that a login shell sets would win over ours.
TAKEN = frozenset(
    {"HOME", "HOSTNAME", "IFS", "LANG", "LANGUAGE", "LOGNAME", "MAIL", "OLDPWD", "PATH", "PWD", "SHELL", "SHLVL", "TERM", "USER"}
)
TAKEN_PREFIXES = ("COMPOSE_", "DOCKER_", "LC_", "SSH_", "SUDO_", "XDG_")


def used_variables(compose: str) -> dict[str, int]:
    """Map each variable of the text to the line where it must be given; 0 when it has a default wherever it stands."""
    text = _without_comments(compose)
    found: dict[str, int] = {}
    for match in DOLLAR.finditer(text):
        name = match["braced"] or match["plain"]
        if name:
            needed = not (match["operator"] or "").endswith(("-", "+"))
            found[name] = found.get(name, 0) or (_line(text, match) if needed else 0)
    return found


def stray_dollars(compose: str) -> list[int]:
    """Line numbers where a dollar is neither a variable nor doubled: Compose refuses them."""
    text = _without_comments(compose)
    strays = []
    for match in DOLLAR.finditer(text):
        wrong_end = match["braced"] and not match["operator"] and text[match.end() : match.end() + 1] != "}"
        if wrong_end or not (match["literal"] or match["braced"] or match["plain"]):
            strays.append(_line(text, match))
    return strays


def is_taken(name: str) -> bool:
    """Whether a variable of this name may come from the shell that runs Compose."""
    return name in TAKEN or name.startswith(TAKEN_PREFIXES)


def fill(text: str, values: dict[str, str]) -> str:
    """Replace each ${NAME} that `values` knows; used for the few fields of entry.yml that may hold one."""
    return re.sub(r"\$\{([A-Z][A-Z0-9_]*)\}", lambda match: values.get(match[1], match[0]), text)


def _line(text: str, match: re.Match[str]) -> int:
    return text.count("\n", 0, match.start()) + 1


def _without_comments(text: str) -> str:
    """Blank the lines that are only a comment, and keep the count of lines."""
    return "\n".join("" if line.lstrip().startswith("#") else line for line in text.split("\n"))
