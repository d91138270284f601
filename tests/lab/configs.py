"""A container's config file: its text and digest, how options are written down, and how a change is applied."""

from __future__ import annotations

import hashlib
import random
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from lab.errors import refuse
from lab.schema.formats import split_list
from lab.schema.verify import parse_properties, print_properties

if TYPE_CHECKING:
    from lab.cluster import Cluster
    from lab.model import Config, Guest

REQUIRED = ("memory", "rootfs", "ostype", "arch")
"""Options that cannot be deleted."""
HOT = re.compile(
    r"description|tags|onboot|startup|protection|hostname|cores|memory|swap|cpulimit|cpuunits|lock|hookscript"
    r"|nameserver|searchdomain|(net|mp|dev)\d+"
)
"""Options that a running container takes over at once; the rest waits until it is stopped."""
MODIFIED = "detected modified configuration - file changed by other user? Try again."


def config_text(guest: Guest) -> str:
    """The config file: description as comments, options sorted, then what is pending and the snapshots."""
    parts = [_section(guest.config)]
    if guest.pending or guest.pending_delete:
        parts.append("[pve:pending]\n" + _section({**guest.pending, "delete": ",".join(guest.pending_delete)}))
    for snapshot in sorted(guest.snapshots.values(), key=lambda snapshot: snapshot.name):
        more = {"description": snapshot.description, "parent": snapshot.parent, "snaptime": snapshot.snaptime}
        parts.append(f"[{snapshot.name}]\n" + _section({**snapshot.config, **{k: v for k, v in more.items() if v != ""}}))
    return "\n".join(parts)


def _section(config: Mapping[str, Any]) -> str:
    comment = "".join(f"#{quote(line, safe=' ')}\n" for line in str(config.get("description", "")).split("\n")[:-1])
    return comment + "".join(f"{key}: {value}\n" for key, value in sorted(config.items()) if key != "description")


def digest_of(guest: Guest) -> str:
    """SHA-1 of the config file, 40 hex digits: equal text, equal digest."""
    return hashlib.sha1(config_text(guest).encode(), usedforsecurity=False).hexdigest()


def check_digest(guest: Guest, given: str) -> None:
    """Refuse a change that was meant for another text; an empty digest does not count."""
    if given and given != digest_of(guest):
        raise refuse(MODIFIED)


def check_lock(guest: Guest) -> None:
    if lock := guest.config.get("lock"):
        raise refuse(f"CT is locked ({lock})")


def check_protection(guest: Guest, what: str) -> None:
    if guest.config.get("protection"):
        raise refuse(f"{what} - protection mode enabled")


def unique_tags(text: str) -> str:
    """Tags in lower case, once each, sorted; none at all reads back as one blank."""
    return ";".join(sorted({tag.lower() for tag in split_list(text)})) or " "


def written_description(text: str) -> str:
    """With exactly one line end at its end; an empty text stays empty, and removes the option."""
    return text.rstrip("\n") + "\n" if text else ""


def new_mac() -> str:
    return "BC:24:11:" + ":".join(f"{random.randrange(256):02X}" for _ in range(3))


def written_network(cluster: Cluster, text: str, *, fresh_address: bool = False) -> str:
    """A network with its keys in order, `type`, and an address of its own where none is given."""
    found = parse_properties(cluster.table, "ct-net", text)
    if fresh_address or "hwaddr" not in found:
        found["hwaddr"] = new_mac()
    return print_properties(cluster.table, "ct-net", {"type": "veth", **found})


def written(cluster: Cluster, name: str, value: Any) -> Any:
    """An option's value as the file will hold it; volumes are the business of `lab.disks`."""
    if name == "tags":
        return unique_tags(value)
    if name == "description":
        return written_description(value)
    if name in {"nameserver", "searchdomain"}:
        return " ".join(split_list(value))
    if re.fullmatch(r"net\d+", name):
        return written_network(cluster, value)
    return value


def set_options(cluster: Cluster, guest: Guest, options: Mapping[str, Any], running: bool) -> None:
    """Write options down; what a running container does not take at once becomes pending."""
    for name, value in sorted(options.items()):
        text = written(cluster, name, value)
        place = guest.config if not running or HOT.fullmatch(name) else guest.pending
        if text == "" or (place is guest.pending and text == guest.config.get(name)):
            place.pop(name, None)
        else:
            place[name] = text
        if place is guest.config:
            guest.pending.pop(name, None)
        if name in guest.pending_delete:
            guest.pending_delete.remove(name)


def delete_options(guest: Guest, names: Iterable[str], running: bool) -> None:
    """Remove options; a running container keeps what it does not give up at once."""
    for name in names:
        if name in REQUIRED:
            raise refuse(f"unable to delete required option '{name}'")
    for name in names:
        guest.pending.pop(name, None)
        if name not in guest.config:
            continue
        if running and (not HOT.fullmatch(name) or name.startswith(("mp", "dev"))):
            guest.pending_delete = sorted({*guest.pending_delete, name})
        else:
            del guest.config[name]


def apply_pending(guest: Guest) -> None:
    """Take over what waited for the container to stop."""
    for name in guest.pending_delete:
        guest.config.pop(name, None)
    guest.config.update(guest.pending)
    guest.pending, guest.pending_delete = {}, []


def shown_config(config: Config) -> Config:
    """As the API answers it; everything is already of its type."""
    return {key: value for key, value in config.items() if value != ""}
