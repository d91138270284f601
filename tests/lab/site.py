"""One cluster as the lab serves it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from lab.cluster import Cluster
from lab.faults import Faults
from lab.journal import Journal
from lab.web.workers import Workers

if TYPE_CHECKING:
    from lab.conditions import Conditions


class Door(Protocol):
    """The port of a node."""

    def keep(self, *, closed: bool) -> None:
        """While it is closed, connections are refused."""


@dataclass
class Site:
    """`name` is how the lab calls this cluster; `tokens` maps token ids to `id=secret`, as clients send them."""

    name: str
    cluster: Cluster
    journal: Journal
    faults: Faults
    conditions: Conditions
    tokens: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    """What a seed's tokens are for: `token`, `limited`, `root` -> token id."""
    urls: dict[str, str] = field(default_factory=dict)
    """Node -> its address."""
    doors: dict[str, Door] = field(default_factory=dict)
    """By node."""
    set_ssh: Callable[[str, bool], None] | None = None
    """Real nodes: let SSH answer on a node, or refuse."""
    workers: Workers = field(default_factory=lambda: Workers(0))
    latency_s: float = 0.0
    """How much longer each call takes, by the lab's clock."""
    wrong_token_delay_s: float = 0.0

    def know_tokens(self) -> None:
        """After a load: tokens that the lab has handed out keep their secrets, the others become known."""
        for user in self.cluster.users.values():
            for id, token in user.tokens.items():
                name = f"{user.id}!{id}"
                if name in self.tokens:
                    token.secret = self.tokens[name].partition("=")[2]
                self.tokens[name] = f"{name}={token.secret}"
