# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
r"""The notes of a backup. The first line is for machines, since lists hold no other; those below it are for people.

proximity app=5f0c... name=feeds vmid=8123 entry=miniflux version=2.2.1 revision=0123456789
App feeds (miniflux 2.2.1, revision 0123456789), container 8123
text of the user
"""

from __future__ import annotations

from urllib.parse import quote, unquote

from ..archives import Label
from .times import format_time, parse_time

FIRST = "proximity "
PLAIN = ("app", "name", "entry", "version", "revision", "owner", "kind", "of", "run", "verdict")
SAFE = "/:+@,"
DEFAULT = Label("", "", 0)


def parse_label(notes: str) -> Label | None:
    """Read the first line of a backup's notes; None for one that is not ours, or that somebody has spoilt."""
    line = notes.partition("\n")[0].strip()
    if not line.startswith(FIRST):
        return None
    words = {key: unquote(value) for key, equals, value in (word.partition("=") for word in line.split()[1:]) if equals}
    try:
        return Label(
            **{key: words[key] for key in PLAIN if key in words},
            vmid=int(words["vmid"]),
            excluded=tuple(filter(None, words.get("excluded", "").split(","))),
            proven=parse_time(words["proven"]) if "proven" in words else None,
            order=int(words.get("order", 0)),
        )
    except (KeyError, TypeError, ValueError):
        return None


def format_label(label: Label) -> str:
    """The first line; what is as usual is left out."""
    words = {key: getattr(label, key) for key in PLAIN if getattr(label, key) != getattr(DEFAULT, key)}
    words |= {"vmid": str(label.vmid)}
    if label.excluded:
        words["excluded"] = ",".join(label.excluded)
    if label.proven:
        words["proven"] = format_time(label.proven)
    if label.order:
        words["order"] = str(label.order)
    return FIRST + " ".join(f"{key}={quote(value, safe=SAFE)}" for key, value in words.items())


def format_notes(label: Label, text: str = "") -> str:
    """All of the notes; `text` is the user's own."""
    what = " ".join(filter(None, (label.entry, label.version))) + (f", revision {label.revision}" if label.revision else "")
    lines = [f"App {label.name}" + (f" ({what})" if what else "") + f", container {label.vmid}"]
    lines += [f"Made before {label.of} was restored"] if label.kind == "safety" else []
    lines += [f"Not in it: {', '.join(label.excluded)}"] if label.excluded else []
    return "\n".join([format_label(label), *lines, *([text] if text else [])])


def with_label(notes: str, label: Label) -> str:
    """The notes with another first line; what follows stays."""
    return "\n".join([format_label(label), *notes.split("\n")[1:]])
