"""One lab with real guests for the tests of the catalog; skipped, with the reason, where real containers cannot be."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from catalog.trial import lab
from e2e.site import Site
from lab.real import doctor


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    report = doctor()
    if not report.possible:
        pytest.skip(f"no real containers here: {'; '.join(report.reasons)}")
    with lab(tmp_path_factory.mktemp("site")) as running:
        yield running
