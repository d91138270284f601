"""One cluster as the lab serves it."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.cluster import Cluster
from lab.faults import Faults
from lab.journal import Journal


@dataclass
class Site:
    """`name` is how the lab calls this cluster; `tokens` maps token ids to `id=secret`, as clients send them."""

    name: str
    cluster: Cluster
    journal: Journal
    faults: Faults
    tokens: dict[str, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    """What a seed's tokens are for: `token`, `limited`, `root` -> token id."""
    urls: dict[str, str] = field(default_factory=dict)
    """Node -> its address."""
    fingerprint: str = ""
    wrong_token_delay_s: float = 0.0
