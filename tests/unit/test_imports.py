"""The layers of the core: whoever imports upwards, or reaches for what is not theirs, fails here."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

CORE = Path(__file__).parents[2] / "plugins" / "module_utils"
# Unit -> what it may import: of the core, all of it further up in this table; then packages that are not the standard library.
MAY: dict[str, set[str]] = {
    "errors": set(),
    "model": set(),
    "claims": set(),
    "plans": set(),
    "entries": {"errors"},
    "archives": set(),
    "wire": {"archives", "claims", "model"},
    "looks": set(),
    "desired": {"claims", "looks", "model"},
    "fleets": {"claims", "desired"},
    "backups": {"archives", "claims", "desired", "model"},
    "networks": {"errors", "model"},
    "ranges": {"claims", "errors"},
    "defaults": {"desired", "errors", "model", "networks"},
    "spec": {"defaults", "desired", "entries", "errors", "model", "networks", "ranges", "wire"},
    "log": {"wire"},
    "api": {"errors", "requests", "proxmoxer", "urllib3"},
    "resources": {"api", "archives", "claims", "errors", "fleets", "model", "wire"},
    "facts": {"api", "archives", "claims", "defaults", "desired", "errors", "model", "ranges", "resources", "wire"},
    "planner": {"archives", "backups", "claims", "desired", "errors", "fleets", "looks", "model", "plans"},
    "controller": {"model"},
    "observer": {"api", "controller", "errors", "fleets", "model", "plans", "resources"},
    "session": {"api", "errors", "log", "model", "observer", "plans"},
    "advice": {"api", "controller", "desired", "errors", "observer", "planner"},
    "exports": {"api", "errors", "facts", "model", "networks", "planner", "resources"},
    "deeds": {"api", "archives", "backups", "claims", "desired", "errors", "fleets", "model", "plans", "resources"},
    "executor": {"api", "deeds", "desired", "errors", "log", "model", "plans", "resources"},
    "convergence": {"controller", "desired", "errors", "executor", "model", "observer", "planner", "plans", "session"},
    "results": {"desired", "errors", "model", "planner", "plans", "wire"},
    "backing": {
        *("archives", "backups", "controller", "desired", "errors", "executor", "model", "observer", "planner", "plans", "session"),
    },
    "backup_spec": {"archives", "backups", "errors", "networks", "ranges", "spec"},
    "backup_results": {"archives", "backups", "model", "planner", "plans", "results", "wire"},
    "claiming": {"controller", "desired", "errors", "executor", "model", "observer", "plans", "session"},
    "claim_spec": {"claims", "desired", "errors", "looks", "model", "ranges", "spec", "wire"},
    "claim_results": {"claims", "desired", "model", "planner", "plans", "wire"},
    "settling": {
        *("claiming", "controller", "convergence", "desired", "errors", "executor", "fleets", "log", "model", "observer", "planner"),
        *("plans", "session"),
    },
    "arguments": {"api", "errors", "ansible"},
    "app_arguments": {"arguments", "errors", "ansible"},
    "fleet_spec": {"app_arguments", "desired", "errors", "fleets", "ranges", "spec"},
    "fleet_results": {"desired", "fleets", "model", "planner", "plans", "results", "settling", "wire"},
    "backup_arguments": {"app_arguments", "ansible"},
    "batch_spec": {"backup_arguments", "backup_spec", "backups", "errors", "fleet_spec"},
    "batches": {"backing", "backups", "errors", "model", "observer", "planner", "plans", "session", "settling"},
    "batch_results": {"backup_results", "backups", "fleet_results", "model", "planner", "plans", "settling"},
    "module": {"api", "arguments", "errors", "ansible"},
    "nouns": {
        *("api", "arguments", "backing", "backup_results", "batch_results", "batches", "claim_results", "claiming", "controller"),
        *("convergence", "errors", "fleet_results", "log", "model", "module", "planner", "plans", "results", "session", "settling"),
    },
}
FILES = sorted(path for path in CORE.rglob("*.py") if path != CORE / "__init__.py")


def _unit(path: Path) -> str:
    return path.relative_to(CORE).parts[0].removesuffix(".py")


def _imported(path: Path) -> Iterator[str]:
    """Units of the core, and packages from outside the standard library."""
    depth = len(path.relative_to(CORE).parts)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            within = node.level < depth or (node.level == depth and path.name == "__init__.py" and depth > 1)
            yield from [_unit(path)] if within else [node.module.split(".")[0]] if node.module else [alias.name for alias in node.names]
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from (name.split(".")[0] for name in names if name.split(".")[0] not in sys.stdlib_module_names)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CORE)))
def test_file_imports_only_what_its_layer_may(path: Path) -> None:
    unit = _unit(path)
    assert unit in MAY, f"{unit} stands in no layer yet"
    assert set(_imported(path)) - {unit} <= MAY[unit]


def test_layers_point_one_way() -> None:
    order = list(MAY)
    for unit, allowed in MAY.items():
        assert all(order.index(other) < order.index(unit) for other in allowed & set(order)), unit
