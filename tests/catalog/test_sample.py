"""A sample of what `make test-catalog` does with every entry, and the proof that it tells a broken one."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest
from catalog.pages import CATALOG
from catalog.trial import Outcome, try_entries
from e2e.site import Site

SAMPLE = {
    "prometheus": "a file of the entry",
    "matrix-synapse": "a config with a secret, and an entrypoint of the entry's own",
    "ghost": "a probe with headers, and a check that logs in",
    "valkey": "a secret in the command",
    "portainer": "TLS, and Docker's socket",
    "zigbee2mqtt": "a device, and options that must be given",
}
QUICK = (
    ("start_interval: 2s", "start_interval: 1s"),
    ("interval: 10s", "interval: 1s"),
    ("retries: 10", "retries: 2"),
    ("start_period: 60s", "start_period: 1s"),
)
BROKEN = {
    "asks-for-another": (*QUICK, ("pg_isready -U miniflux", "pg_isready -U somebody")),
    "does-not-stay": (("    image: postgres", "    entrypoint: [sh, -c, exit 3]\n    image: postgres"),),
}


@pytest.fixture(scope="module")
def outcomes(site: Site, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    folder, work = tmp_path_factory.mktemp("entries"), tmp_path_factory.mktemp("work")
    broken = [_broken(folder, name) for name in BROKEN]
    return {each.entry: each for each in try_entries([*(CATALOG / name for name in SAMPLE), *broken], site, work, again=True)}


def _broken(folder: Path, name: str) -> Path:
    """A copy of miniflux under another name, with a mistake that no reading finds."""
    shutil.copytree(CATALOG / "miniflux", folder / name)
    entry, compose = folder / name / "entry.yml", folder / name / "compose.yml"
    text = re.sub(r"^id: .*", f"id: {name}", entry.read_text(), flags=re.MULTILINE)
    entry.write_text(text.replace("start_period_s: 120", "start_period_s: 20"))
    text = compose.read_text()
    for old, new in BROKEN[name]:
        assert old in text
        text = text.replace(old, new)
    compose.write_text(text)
    return folder / name


@pytest.mark.parametrize("name", SAMPLE)
def test_an_entry_comes_up(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].failures == ()


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_entry_is_told(outcomes: dict[str, Outcome], name: str) -> None:
    assert outcomes[name].failures
