# Copyright (c) Proximity contributors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What was found while apps of the older format were converted, as a page to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any


def conversion_report(rows: Sequence[Mapping[str, Any]], failures: Sequence[str]) -> str:
    """Markdown: a table over all, then what is left to decide in each, then what was mended."""
    kinds = Counter(finding["kind"] for row in rows for finding in row["findings"])
    lines = ["# Converted apps", "", f"{len(rows)} apps were converted, {len(failures)} were not.", ""]
    if kinds:
        lines += ["| unsafe | found | mended |", "|---|---|---|"]
        lines += [f"| {kind} | {number} | {_mended(rows, kind)} |" for kind, number in sorted(kinds.items())]
        lines.append("")
    lines += [line for row in rows for line in _app(row)]
    if failures:
        lines += ["## Not converted", "", *(f"- {line}" for failure in failures for line in failure.splitlines()), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def _app(row: Mapping[str, Any]) -> list[str]:
    left = [finding for finding in row["findings"] if not finding["mended"]]
    mended = [finding for finding in row["findings"] if finding["mended"]]
    lines = [f"## {row['id']}", ""]
    lines += ["To decide:", "", *map(_line, left), ""] if left else []
    lines += ["Mended:", "", *map(_line, mended), ""] if mended else []
    return [*lines, f"Guessed, so to be looked at: {', '.join(row['unproven'])}.", ""]


def _line(finding: Mapping[str, Any]) -> str:
    return f"- {finding['kind']}, `{finding['place']}`: {finding['text']}"


def _mended(rows: Sequence[Mapping[str, Any]], kind: str) -> int:
    return sum(finding["kind"] == kind and finding["mended"] for row in rows for finding in row["findings"])
