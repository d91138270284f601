# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Apps that run, as an inventory that deploys them again. No secret is in it: where one belongs, a name of a vault stands."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml
from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry, parse_entry, revision
from ansible_collections.proximity.platform.plugins.module_utils.entries.dotenv import read_dotenv
from ansible_collections.proximity.platform.plugins.module_utils.entries.options import option_text
from ansible_collections.proximity.platform.plugins.module_utils.entries.variables import PLATFORM
from ansible_collections.proximity.platform.plugins.module_utils.errors import SpecError
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import find_definition

SECRET_NAME = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTH|SALT|PRIVATE|COOKIE|LICENSE|WEBHOOK|DSN", re.IGNORECASE)
SECRET_VALUE = re.compile(r"://[^/\s@]*:[^/\s@]+@|-----BEGIN|^eyJ[\w-]+\.[\w-]+\.")
"""Addresses with a password in them, keys, and signed tokens, whatever the variable is called."""
TEMPLATE = re.compile(r"\{[{%#]")
BREAK = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
WIDTH = 130
LAST = ("tags", "options", "environment")


class _Vault(str):
    """A template of ours; every other text with braces is data that came out of a container, and is never evaluated."""


class _Dumper(yaml.SafeDumper):
    """Plain values, whatever types Ansible has wrapped them in."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    plain = "".join(chr(ord(sign)) for sign in value)
    if isinstance(value, _Vault):
        return dumper.represent_scalar("tag:yaml.org,2002:str", plain, style='"')
    style = '"' if BREAK.search(plain) else None  # only there they are escaped
    return dumper.represent_scalar("!unsafe" if TEMPLATE.search(plain) else "tag:yaml.org,2002:str", plain, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_multi_representer(str, _text)
_Dumper.add_multi_representer(int, lambda dumper, value: dumper.represent_int(int(value)))
_Dumper.add_representer(bool, lambda dumper, value: dumper.represent_bool(value))
_Dumper.add_multi_representer(dict, lambda dumper, value: dumper.represent_dict(dict(value).items()))
_Dumper.add_multi_representer(list, lambda dumper, value: dumper.represent_list(list(value)))


@dataclass
class Host:
    """An app: its variables, remarks for people, and what has to be in the vault (name -> what it is)."""

    variables: dict[str, Any]
    remarks: list[str] = field(default_factory=list)
    vault: dict[str, str] = field(default_factory=dict)


def hosts_to_enter(clusters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The apps that run, with the names of the hosts that stand for them while they are exported."""
    return [
        {"host": host_of(cluster, app), "cluster": cluster, **{key: app[key] for key in ("name", "vmid", "node")}}
        for cluster, seen in sorted(clusters.items())
        for app in seen["apps"]
        if app["running"]
    ]


def host_of(cluster: str, app: Mapping[str, Any]) -> str:
    return f"export-{cluster}-{app['vmid']}"


def inventory_of(clusters: Mapping[str, Any], looks: Mapping[str, Any], paths: Sequence[str], plain: Iterable[str] = ()) -> dict[str, Any]:
    """The text of the inventory, and what has to be in the vault.

    `clusters` maps a name to what module `proximity_export` told, null for one that could not be read. `looks` maps a host to the outcome
    of showing its app's .env. `plain` are variables of users' environments whose values are no secrets.
    """
    told = {name: seen for name, seen in sorted(clusters.items()) if seen}
    times = Counter(app["name"] for seen in told.values() for app in seen["apps"])
    hosts = {
        cluster: {
            (name := f"{app['name']}.{cluster}" if times[app["name"]] > 1 else str(app["name"])): _host(
                name, app, _shown(looks.get(host_of(cluster, app))), paths, frozenset(plain)
            )
            for app in seen["apps"]
        }
        for cluster, seen in told.items()
    }
    vault = {key: what for each in hosts.values() for host in each.values() for key, what in host.vault.items()}
    missing = [f"Cluster {name} could not be read, and is not in this file." for name in sorted(set(clusters) - set(told))]
    missing += [
        f"{cluster}: container {row['vmid']} ({row['name']}): {row['why']}." for cluster in told for row in told[cluster]["left_out"]
    ]
    lines = [*_head(vault, missing), *_body(hosts)]
    return {"text": "\n".join(lines) + "\n", "vault": vault, "left_out": missing, "apps": sum(len(each) for each in hosts.values())}


def _shown(look: Mapping[str, Any] | None) -> str | None:
    """The text of the app's .env; None where it could not be read."""
    return str(look["stdout"]) if look and look.get("rc") == 0 else None


def _host(name: str, app: Mapping[str, Any], env: str | None, paths: Sequence[str], plain: frozenset[str]) -> Host:
    said = {f"app_{key}": value for key, value in app["wish"].items() if (key, value) != ("state", "started")}
    host = Host({"app_name": app["name"], **said} if name != app["name"] else said, list(app["remarks"]))
    try:
        entry = parse_entry(find_definition(str(app["wish"].get("catalog_id", "")), paths))
    except SpecError as error:
        host.remarks.append(f"What was chosen in it is not known: {error}")
        return host
    if env is None:
        why = "Its container could not be entered" if app["running"] else "It does not run"
        names = ", ".join([*entry.options, *app["environment"]]) or "none"
        host.remarks.append(f"{why}, so what was chosen in it is not known. Options and environment that it may have: {names}.")
        return host
    try:
        options, environment = _choices(entry, app, read_dotenv(env))
    except SpecError as error:
        host.remarks.append(f"What was chosen in it cannot be told: {error}")
        return host
    host.remarks += _judged(entry, app, options, environment)
    _add(host, name, entry, options, environment, plain)
    return host


def _choices(entry: Entry, app: Mapping[str, Any], env: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    """What the user chose, from the variables in the container: what is the entry's default is left out."""
    usual = {key: option_text(key, each, each.default) if each.default not in (None, "") else "" for key, each in entry.options.items()}
    options: dict[str, Any] = {}
    for key, option in entry.options.items():
        text = env.get(option.env)
        if text is None or text == usual[key]:
            continue
        options[key] = text == "true" if option.type == "boolean" and text else int(text) if option.type == "integer" and text else text
    return options, {name: env[name] for name in app["environment"] if name in env}


def _judged(entry: Entry, app: Mapping[str, Any], options: Mapping[str, Any], environment: Mapping[str, str]) -> list[str]:
    """Whether deploying these wishes would change nothing: the revision tells, without a word about any value."""
    try:
        same = revision(entry, options, environment, str(app["name"])) == app["revision"]
    except SpecError as error:
        return [f"Deploying it needs a hand: {error}"]
    if same:
        return []
    if entry.version != app["version"]:
        return [f"It runs {app['version']}; the catalog has {entry.version}, and deploying it is an update."]
    return ["The catalog's entry, or what lies in the container, is not what was rolled out; deploying it is an update."]


def _add(host: Host, name: str, entry: Entry, options: Mapping[str, Any], environment: Mapping[str, str], plain: frozenset[str]) -> None:
    """Put the choices in, with a name of a vault instead of each secret.

    The core takes all of a user's environment for secret, and so does this; what is none, the user says.
    """
    shown: dict[str, Any] = {}
    for key, value in options.items():
        option = entry.options[key]
        secret = option.type == "password" or SECRET_NAME.search(option.env) or SECRET_NAME.search(key) or SECRET_VALUE.search(str(value))
        is_word = isinstance(value, (bool, int)) or value == "" or bool(option.choices)
        hidden = option.type == "password" or (secret and not is_word)
        shown[key] = _in_vault(host, name, key, f"{name}: option {key}") if hidden and value != "" else value
    given = {
        key: value
        if key in PLATFORM or value == "" or (key in plain and not SECRET_VALUE.search(value))
        else _in_vault(host, name, key, f"{name}: variable {key} of its environment")
        for key, value in environment.items()
    }
    host.variables |= ({"app_options": shown} if shown else {}) | ({"app_environment": given} if given else {})


def _in_vault(host: Host, name: str, key: str, what: str) -> _Vault:
    variable = re.sub(r"[^a-z0-9_]", "_", f"vault_{name}_{key}".lower())
    host.vault[variable] = what
    return _Vault("{{ " + variable + " }}")


def _head(vault: Mapping[str, str], missing: Sequence[str]) -> list[str]:
    lines = ["---", *_comment("What runs, as an inventory that deploys it again. Playbook export wrote it.")]
    lines += _comment(
        "What apps hold is not in it: that is in their backups. Passwords that containers made for themselves stay there; new ones make "
        "their own."
    )
    if vault:
        lines += ["#", *_comment("To be put into a vault, such as group_vars/proximity_apps/vault.yml:")]
        lines += [f"#   {variable}  ({_line(what)})" for variable, what in vault.items()]
    if missing:
        lines += ["#", *_comment("Not in it:"), *(each for text in missing for each in _comment(f"- {text}", "  "))]
    return lines


def _body(hosts: Mapping[str, Mapping[str, Host]]) -> list[str]:
    filled = {cluster: each for cluster, each in hosts.items() if each}
    if not filled:
        return ["proximity_apps: {}"]
    lines = ["proximity_apps:", "  children:", *(f"    {_group(cluster)}:" for cluster in filled)]
    for cluster, each in filled.items():
        lines += ["", f"{_group(cluster)}:", "  vars:", *_indented({"proximity_cluster": cluster}, 4), "  hosts:"]
        for name, host in each.items():
            remarks = [line for remark in host.remarks for line in _comment(remark)]
            lines += [*textwrap.indent("\n".join(remarks), " " * 4).splitlines(), *_indented({name: _ordered(host.variables)}, 4)]
    return lines


def _ordered(variables: Mapping[str, Any]) -> dict[str, Any]:
    last = [f"app_{key}" for key in LAST]
    return {key: variables[key] for key in sorted(variables, key=lambda key: (key in last and 1 + last.index(key), 0))}


def _indented(value: Mapping[str, Any], by: int) -> list[str]:
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=False)
    return [" " * by + line if line else line for line in text.removesuffix("\n").split("\n")]


def _group(cluster: str) -> str:
    return "at_" + re.sub(r"\W", "_", cluster)


def _line(text: str) -> str:
    return BREAK.sub(" ", text)


def _comment(text: str, hanging: str = "") -> list[str]:
    """One remark as lines of comment, whatever it holds: line breaks in what others have written end no comment."""
    return textwrap.wrap(
        _line(text), WIDTH, initial_indent="# ", subsequent_indent=f"# {hanging}", break_long_words=False, break_on_hyphens=False
    )
