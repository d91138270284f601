# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What only the fields of an entry together can tell; each check yields one sentence per mistake."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import SpecError
from .model import Entry, Sizes
from .options import option_text
from .schema import SCHEMA
from .validate import Problem, nearest
from .variables import PLATFORM, is_taken, stray_dollars, used_variables

REFERENCE = re.compile(r"\$\{([^}]*)\}")


def check_entry(entry: Entry) -> Iterator[Problem]:
    """Yield the mistakes of an entry whose shape is right."""
    yield from _names(entry)
    yield from _variables(entry)
    yield from _options(entry)
    yield from _services(entry)
    yield from _ports(entry)
    yield from _health(entry)
    yield from _resources(entry)
    yield from _files(entry)
    yield from _references(entry)
    yield from _unproven(entry)


def _own_variables(entry: Entry) -> set[str]:
    return {option.env for option in entry.options.values()} | set(entry.secrets)


def _names(entry: Entry) -> Iterator[Problem]:
    """Every variable has one owner."""
    owners: dict[str, str] = dict.fromkeys(PLATFORM, "the platform")
    for name in entry.secrets:
        yield from _owned(name, ("secrets", name), owners)
        owners[name] = f"secret {name}"
    for key, option in entry.options.items():
        yield from _owned(option.env, ("options", key, "env"), owners)
        owners[option.env] = f"option {key}"


def _owned(name: str, path: tuple[str, ...], owners: dict[str, str]) -> Iterator[Problem]:
    if name in owners:
        yield Problem(path, f"{name} is already the variable of {owners[name]}; choose another name")
    elif is_taken(name):
        yield Problem(path, f"{name} may be set by the shell that runs Compose and would win; choose another name, such as APP_{name}")


def _variables(entry: Entry) -> Iterator[Problem]:
    used = used_variables(entry.compose)
    own = _own_variables(entry)
    known = own | set(PLATFORM)
    for name, line in used.items():
        if line and name not in known:
            yield Problem(
                ("compose", line),
                f"${{{name}}} is no option, no secret and no value of the platform, and has no default; {nearest(name, sorted(known))}",
            )
    for name in sorted(own - set(used)):
        what = "secrets" if name in entry.secrets else "options"
        yield Problem((what,), f"{name} is declared, but compose.yml does not use ${{{name}}}")
    for line in stray_dollars(entry.compose):
        yield Problem(("compose", line), "a $ that Compose cannot read as a variable; write $$ for a plain one")


def _options(entry: Entry) -> Iterator[Problem]:
    for key, option in entry.options.items():
        path = ("options", key)
        try:
            re.compile(option.pattern)
        except re.error as error:
            yield Problem((*path, "pattern"), f"is no regular expression: {error}")
            continue
        for number, choice in enumerate(option.choices):
            yield from _fits(entry, key, choice, (*path, "choices", number))
        if option.default not in (None, ""):
            yield from _fits(entry, key, option.default, (*path, "default"))
        if option.type == "password" and option.default not in (None, ""):
            yield Problem((*path, "default"), "a password has no default; declare a secret, which is generated")


def _fits(entry: Entry, key: str, value: object, path: tuple[str | int, ...]) -> Iterator[Problem]:
    try:
        option_text(key, entry.options[key], value)
    except SpecError as error:
        yield Problem(path, str(error))


def _services(entry: Entry) -> Iterator[Problem]:
    if not entry.services:
        return
    named: list[tuple[tuple[str | int, ...], str]] = [(("web", "service"), entry.web.service)] if entry.web else []
    named += [(("dumps", number, "service"), dump.service) for number, dump in enumerate(entry.dumps)]
    named += [(("pause", number), name) for number, name in enumerate(entry.pause)]
    tags = entry.updates.get("tags", {})
    named += [(("updates", "tags", name), name) for name in (tags if isinstance(tags, dict) else ())]
    for path, name in named:
        if name not in entry.services:
            yield Problem(path, f"compose.yml has no service {name}; {nearest(name, list(entry.services))}")


def _ports(entry: Entry) -> Iterator[Problem]:
    taken = {(entry.web.port, "tcp"): "web"} if entry.web else {}
    names: set[tuple[str, str]] = set()
    for number, port in enumerate(entry.ports):
        if (port.port, port.protocol) in taken:
            yield Problem(("ports", number), f"{port.port}/{port.protocol} is already {taken[port.port, port.protocol]}")
        if (port.name, port.protocol) in names:
            yield Problem(("ports", number, "name"), f"{port.name}/{port.protocol} is there twice")
        taken[port.port, port.protocol] = f"ports[{number}]"
        names.add((port.name, port.protocol))


def _health(entry: Entry) -> Iterator[Problem]:
    if entry.health.type == "tcp" and (
        entry.health.path != "/" or entry.health.headers or entry.health.expect != (200,) or entry.health.scheme != "http"
    ):
        yield Problem(("health",), "path, expect, headers and scheme are for type http; leave them out, or set type: http")


def _resources(entry: Entry) -> Iterator[Problem]:
    for name in Sizes.__dataclass_fields__:
        least, wanted = getattr(entry.resources.minimum, name), getattr(entry.resources.recommended, name)
        if least is not None and wanted is not None and least > wanted:
            yield Problem(("resources", "recommended", name), f"{wanted} is less than the minimum {least}")


def _files(entry: Entry) -> Iterator[Problem]:
    targets: set[str] = set()
    mounted = "\n".join([entry.compose, *(str(option.default) for option in entry.options.values())])
    for number, file in enumerate(entry.files):
        if ".." in file.target.split("/") or ".." in file.source.split("/"):
            yield Problem(("files", number), "'..' is not accepted in a path")
        if file.target in targets:
            yield Problem(("files", number, "target"), f"{file.target} is there twice")
        targets.add(file.target)
        folders = file.target.split("/")
        if not any("./files/" + "/".join(folders[:depth]) in mounted for depth in range(1, len(folders) + 1)):
            yield Problem(("files", number, "target"), f"compose.yml does not use ./files/{file.target}")


def _references(entry: Entry) -> Iterator[Problem]:
    """${NAME} in entry.yml names a variable that a deployment knows outside of the guest, so no secret."""
    texts: list[tuple[tuple[str | int, ...], str]] = [(("first_login", key), text) for key, text in entry.first_login.items()]
    texts += [(("health", "headers", key), text) for key, text in entry.health.headers.items()]
    texts += [(("dumps", number, key), getattr(dump, key)) for number, dump in enumerate(entry.dumps) for key in ("user", "database")]
    known = {option.env for option in entry.options.values()} | set(PLATFORM)
    for path, text in texts:
        for name in REFERENCE.findall(text):
            if name not in known:
                yield Problem(path, f"${{{name}}} is no option and no value of the platform; {nearest(name, sorted(known))}")
    secret = entry.first_login.get("secret")
    if secret and secret not in entry.secrets:
        yield Problem(("first_login", "secret"), f"there is no secret {secret}; {nearest(secret, list(entry.secrets))}")


def _unproven(entry: Entry) -> Iterator[Problem]:
    known = [*SCHEMA["properties"], "compose"]
    for number, path in enumerate(entry.unproven):
        if re.split(r"[.\[]", path)[0] not in known:
            yield Problem(("unproven", number), f"{path} is no field of an entry; it begins with a field's name, or with compose")
