"""Which function answers which call.

A call is one decorated function in a file of `lab/calls`, by subject::

    @answers("GET", "/nodes/{node}/lxc/{vmid}/config")
    def read_config(call: Call) -> Data: ...

Its parameters and rights stand in the table (`lab/schema/calls`); a call that is in the table but has no function is as
unknown as one that is in neither.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.context import Call

Data = Any
"""What becomes `data` in the answer."""
Handler = Callable[["Call"], Data]


@dataclass(frozen=True)
class Route:
    """`pattern` matches the path below /api2/json; `locked` calls run with the cluster's lock held."""

    method: str
    path: str
    pattern: re.Pattern[str]
    handler: Handler
    locked: bool


_routes: dict[tuple[str, str], Route] = {}


def answers(method: str, path: str, *, locked: bool = True) -> Callable[[Handler], Handler]:
    """Register the function that answers a call; without `locked` it takes the cluster's lock where it needs it."""

    def register(handler: Handler) -> Handler:
        expression = re.sub(r"{([\w-]+)}", lambda part: f"(?P<{part[1]}>{'.+' if part[1] == 'volume' else '[^/]+'})", path)
        _routes[method, path] = Route(method, path, re.compile(expression), handler, locked)
        return handler

    return register


@cache
def routes() -> tuple[Route, ...]:
    """All of them, the most literal paths first."""
    import lab.calls

    for module in pkgutil.iter_modules(lab.calls.__path__):
        importlib.import_module(f"lab.calls.{module.name}")
    return tuple(sorted(_routes.values(), key=lambda route: (route.path.count("{"), -len(route.path))))


@cache
def _by_shape() -> dict[tuple[str, str, int], list[Route]]:
    found: dict[tuple[str, str, int], list[Route]] = {}
    for route in routes():
        parts = 0 if "{volume}" in route.path else route.path.count("/")
        found.setdefault((route.method, route.path.split("/")[1], parts), []).append(route)
    return found


def find_route(method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a path, and its path parameters."""
    first = path.split("/")[1] if "/" in path else ""
    for parts in (path.count("/"), 0):
        for route in _by_shape().get((method, first, parts), ()):
            if match := route.pattern.fullmatch(path):
                return route, match.groupdict()
    return None
