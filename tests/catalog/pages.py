"""The documentation of the catalog, a page for each entry and an index, made from the entries alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry, parse_entry
from ansible_collections.proximity.platform.plugins.module_utils.entries.model import Option, Sizes
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry

ROOT = Path(__file__).resolve().parents[2]
CATALOG, TARGET = ROOT / "catalog", ROOT / "docs/catalog/apps"
MADE = "<!-- Made by tests/tools/catalog-pages from the entry; change that, not this page. -->"
WELL_KNOWN = {"http": 80, "https": 443}
YES_NO = {True: "yes", False: "no"}
LEVELS = {"required": "needs", "recommended": "should have", "optional": "can use"}
NEEDS = {
    "keyctl": "the feature keyctl on its container",
    "tun": "the device /dev/net/tun in its container",
    "gpu": "a GPU passed through to its container",
    "devices": "devices passed through to its container",
    "https": "pages served over HTTPS, by a reverse proxy",
    "host_network": "the container's own network instead of published ports",
    "own_address": "an address of its own, because of fixed well-known ports",
    "docker_socket": "Docker's socket of its container, which is as good as root in it",
}


def pages() -> dict[str, str]:
    """File name -> text, of all pages."""
    entries = [parse_entry(inspect_entry(folder.parent, "catalog")[0]) for folder in sorted(CATALOG.glob("*/entry.yml"))]
    return {"index.md": index(entries), **{f"{entry.id}.md": page(entry) for entry in entries}}


def index(entries: Sequence[Entry]) -> str:
    lines = [
        "# Apps",
        "",
        MADE,
        "",
        f"{len(entries)} apps, by category. `+` in the last column: the app has needs beyond a plain container.",
        "",
    ]
    for category in sorted({entry.category for entry in entries}):
        lines += [f"## {category}", "", "| app | what it is | version | memory | |", "|---|---|---|---|---|"]
        for entry in (entry for entry in entries if entry.category == category):
            extra = "+" if any(level == "required" for level in entry.requirements.values()) else ""
            memory = f"{entry.resources.recommended.memory_mb} MiB"
            lines.append(f"| [{entry.name}]({entry.id}.md) | {_cell(entry.description)} | {entry.version} | {memory} | {extra} |")
        lines.append("")
    return "\n".join(lines)


def page(entry: Entry) -> str:
    """One page; a section for everything that the entry has, and none for what it has not."""
    parts = (_head, _deploy, _ports, _options, _first_login, _resources, _needs, _data, _secrets, _images, _notes, _upgrade, _unproven)
    return "\n".join(line for part in parts for line in part(entry))


def _head(entry: Entry) -> Iterator[str]:
    links = {"site": "Site", "source": "Source", "docs": "Documentation"}
    yield from (f"# {entry.name}", "", MADE, "", entry.description, "")
    named = [f"[{title}]({entry.links[key]})" for key, title in links.items() if key in entry.links]
    facts = [f"Version {entry.version}", f"category {entry.category}", ", ".join(entry.architectures)]
    yield from (f"{'; '.join(facts)}. {', '.join(named)}.", "")


def _deploy(entry: Entry) -> Iterator[str]:
    needed = {key: option for key, option in entry.options.items() if option.required and option.default in (None, "")}
    yield from ("## Deploy it", "", "```yaml", "proximity_apps:", "  hosts:", f"    my-{entry.id}:", f"      app_catalog_id: {entry.id}")
    if needed:
        yield "      app_options:"
        yield from (f"        {key}: {_example(option)}" for key, option in needed.items())
    yield from ("```", "")
    if entry.web:
        port = "" if entry.web.port == WELL_KNOWN[entry.web.scheme] else f":{entry.web.port}"
        yield f"Its pages are at `{entry.web.scheme}://<address>{port}{'' if entry.web.path == '/' else entry.web.path}`."
    yield from (_healthy(entry), "")


def _healthy(entry: Entry) -> str:
    health = entry.health
    within = f"The first start may take {health.start_period_s} seconds."
    if health.type == "tcp":
        return f"It counts as healthy when port {health.port} accepts connections. {within}"
    return f"It counts as healthy when `{health.path}` on port {health.port} answers {' or '.join(map(str, health.expect))}. {within}"


def _ports(entry: Entry) -> Iterator[str]:
    if entry.web or entry.ports:
        yield from ("## Ports", "", "| port | what |", "|---|---|")
        if entry.web:
            yield f"| {entry.web.port}/tcp | pages ({entry.web.scheme}) |"
        yield from (f"| {port.port}/{port.protocol} | {_cell(port.help or port.name)} |" for port in entry.ports)
        yield ""


def _options(entry: Entry) -> Iterator[str]:
    if entry.options:
        yield from ("## Options", "", "| option | type | default | what |", "|---|---|---|---|")
        for key, option in entry.options.items():
            default = "needed" if option.required and option.default in (None, "") else _code(option.default)
            yield f"| `{key}` | {_kind(option)} | {default} | {_cell(option.help)} |"
        yield ""


def _first_login(entry: Entry) -> Iterator[str]:
    login = entry.first_login
    if not login:
        return
    yield from ("## First login", "")
    if "user" in login:
        yield f"User: {_user(entry, login['user'])}."
    if "secret" in login:
        yield f"Password: the secret `{login['secret']}`, in `/opt/proximity/<name>/secrets.env` of the container."
    if "default_password" in login:
        yield f"Password: `{login['default_password']}`. Change it at once."
    if "password_in" in login:
        yield f"Password: {login['password_in'].rstrip('.')}."
    if "note" in login:
        yield login["note"]
    yield ""


def _resources(entry: Entry) -> Iterator[str]:
    def row(title: str, sizes: Sizes) -> str:
        cells = [sizes.cores, sizes.memory_mb and f"{sizes.memory_mb} MiB", None if sizes.swap_mb is None else f"{sizes.swap_mb} MiB"]
        return (
            f"| {title} | "
            + " | ".join("" if cell is None else str(cell) for cell in [*cells, sizes.disk_gb and f"{sizes.disk_gb} GiB"])
            + " |"
        )

    yield from ("## Resources", "", "| | cores | memory | swap | disk |", "|---|---|---|---|---|")
    if entry.resources.minimum != Sizes():
        yield row("minimum", entry.resources.minimum)
    yield from (row("given", entry.resources.recommended), "")


def _needs(entry: Entry) -> Iterator[str]:
    rows = [f"- {LEVELS[str(entry.requirements[key])].capitalize()} {text}." for key, text in NEEDS.items() if key in entry.requirements]
    for key, title in (("cpu_flags", "CPU features"), ("kernel_modules", "Modules of the node's kernel"), ("apps", "Other apps")):
        values = entry.requirements.get(key)
        if isinstance(values, list):
            rows.append(f"- {title}: {', '.join(map(str, values))}.")
    notes = entry.requirements.get("notes")
    rows += [f"- {note}" for note in (notes if isinstance(notes, list) else ())]
    if rows:
        yield from ("## Requirements", "", *rows, "")


def _data(entry: Entry) -> Iterator[str]:
    if entry.volumes:
        yield from ("## Data", "", "| volume | kind | in backups | what |", "|---|---|---|---|")
        for name, volume in entry.volumes.items():
            yield f"| `{name}` | {volume.kind} | {YES_NO[volume.backup]} | {_cell(volume.help)} |"
        yield ""
    if entry.dumps:
        yield from (f"Before a backup, {dump.type} dumps the database of the service `{dump.service}`." for dump in entry.dumps)
        yield ""


def _secrets(entry: Entry) -> Iterator[str]:
    if entry.secrets:
        yield from (
            "## Secrets",
            "",
            "Generated in the container, and nowhere else: " + ", ".join(f"`{name}`" for name in entry.secrets) + ".",
            "",
        )


def _images(entry: Entry) -> Iterator[str]:
    yield from ("## Images", "", "| service | image |", "|---|---|")
    yield from (f"| {service} | `{image}` |" for service, image in entry.services.items())
    yield ""


def _notes(entry: Entry) -> Iterator[str]:
    if entry.notes:
        yield from ("## Notes", "", *(f"- {note}" for note in entry.notes), "")


def _upgrade(entry: Entry) -> Iterator[str]:
    step, risk = entry.updates.get("max_major_step"), entry.updates.get("risk", "low")
    rows = [f"- {row['version']}: {row['note']}" for row in entry.upgrade]
    rows += [f"- At most {step} major {'version' if step == 1 else 'versions'} at once."] if step else []
    rows += [f"- Risk of an update: {risk}."] if risk != "low" else []
    if rows:
        yield from ("## Upgrading", "", *rows, "")


def _unproven(entry: Entry) -> Iterator[str]:
    if entry.unproven:
        yield from (
            "## Not proven",
            "",
            "Nobody has confirmed these fields of the entry: " + ", ".join(f"`{field}`" for field in entry.unproven) + ".",
            "",
        )


def _kind(option: Option) -> str:
    return " or ".join(_code(choice) for choice in option.choices) if option.choices else option.type


def _example(option: Option) -> str:
    examples = {"email": "anna@example.com", "url": "https://example.com", "hostname": "app.example.com", "integer": "1", "boolean": "true"}
    return str(option.choices[0]) if option.choices else examples.get(option.type, "...")


def _user(entry: Entry, text: str) -> str:
    chosen = next((f"what the option `{key}` says" for key, option in entry.options.items() if text == f"${{{option.env}}}"), "")
    return chosen or f"`{text}`"


def _code(value: object) -> str:
    if isinstance(value, bool):
        value = "true" if value else "false"
    return "" if value in (None, "") else f"`{str(value).replace('|', chr(92) + '|')}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main() -> int:
    """Write them, and remove those of entries that are no longer there."""
    TARGET.mkdir(parents=True, exist_ok=True)
    made = pages()
    for old in TARGET.glob("*.md"):
        if old.name not in made:
            old.unlink()
    for name, text in made.items():
        (TARGET / name).write_text(text, encoding="utf-8")
    print(f"{len(made)} pages in {TARGET.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
