"""`python -m catalog [ENTRY...]`: try entries of the catalog in real containers, and say what nobody has proven of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ansible_collections.proximity.platform.plugins.module_utils.entries import Entry, parse_entry
from ansible_collections.proximity.platform.plugins.plugin_utils.catalog import inspect_entry
from catalog.pages import CATALOG
from catalog.trial import lab, try_entries
from lab.real import doctor


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m catalog", description=__doc__)
    parser.add_argument("entries", nargs="*", help="ids; all of the catalog unless given")
    parser.add_argument("--again", action="store_true", help="run each entry's roll-out a second time, which must change nothing")
    arguments = parser.parse_args()
    folders = [CATALOG / name for name in arguments.entries] or sorted(path.parent for path in CATALOG.glob("*/entry.yml"))
    report = doctor()
    if not report.possible:
        print(report.text(), file=sys.stderr)
        return 1
    failed = _try(folders, arguments.again)
    _tell_unproven([parse_entry(inspect_entry(folder)[0]) for folder in folders])
    return 1 if failed else 0


def _try(folders: Sequence[Path], again: bool) -> int:
    """Print a line for each entry, and the sum; returns how many failed."""
    began = time.monotonic()
    print(f"Trying {len(folders)} entries in real containers, with stand-ins for their images.", flush=True)
    with tempfile.TemporaryDirectory(prefix="catalog-") as work, lab(Path(work)) as site:
        outcomes = try_entries(folders, site, Path(work), again)
    failed = [outcome for outcome in outcomes if outcome.failures]
    print(f"{len(outcomes)} entries tried, {len(outcomes) - len(failed)} passed, in {time.monotonic() - began:.0f} s.")
    for outcome in failed:
        print(f"failed: {outcome.entry}: {'; '.join(outcome.failures)}")
    return len(failed)


def _tell_unproven(entries: Sequence[Entry]) -> None:
    rows = {entry.id: entry.unproven for entry in entries if entry.unproven}
    print(f"\nNot proven, {sum(map(len, rows.values()))} fields of {len(rows)} entries (stand-ins cannot tell what the images do):")
    for name, fields in rows.items():
        print(f"  {name}: {', '.join(fields)}")


if __name__ == "__main__":
    sys.exit(main())
