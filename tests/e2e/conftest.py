"""One lab with real containers for all end-to-end tests; skipped, with the reason, where real containers cannot be."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from e2e.site import BIN, CHECKOUT, Site
from lab.real import doctor


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with lab_site(tmp_path_factory.mktemp("site"), "demo") as running:
        yield running


@pytest.fixture(scope="session")
def thin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A lab with a storage that takes snapshots (local-lvm), beside one that does not (local-lxc)."""
    with lab_site(tmp_path_factory.mktemp("thin"), "thin") as running:
        yield running


@contextmanager
def lab_site(folder: Path, seed: str) -> Iterator[Site]:
    """A lab with real containers and this seed, for as long as the block lasts."""
    report = doctor()
    if not report.possible:
        pytest.skip(f"no real containers here: {'; '.join(report.reasons)}")
    state = folder / "lab"
    _lab("up", "--seed", seed, "--guests", "real", "--ports", "0", "--state", str(state))
    try:
        words = shlex.split((state / "env").read_text())
        yield Site(env_file=state / "env", env=dict(word.split("=", 1) for word in words))
    finally:
        _lab("down", "--state", str(state))


def _lab(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "lab", *words], check=True, env={**os.environ, "PYTHONPATH": str(CHECKOUT / "tests")})


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection, built and installed from its tarball: a collections path that has nothing of the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    galaxy = str(BIN / "ansible-galaxy")
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder)}
    subprocess.run(
        [galaxy, "collection", "build", "--output-path", str(folder)], check=True, cwd=CHECKOUT, env=environment, capture_output=True
    )
    (tarball,) = folder.glob("*.tar.gz")
    install = [galaxy, "collection", "install", "--offline", "--collections-path", str(folder), str(tarball)]
    subprocess.run(install, check=True, cwd=folder, env=environment, capture_output=True)
    return folder
