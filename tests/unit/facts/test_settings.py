"""What is wrong with settings, as far as that shows without asking a cluster."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.proximity.platform.plugins.plugin_utils.settings import problem_of

NETWORK = {"bridge": "vmbr0", "subnet": "10.231.0.0/24", "gateway": "10.231.0.1", "dns": ["10.231.0.2"]}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("proximity_default_network", {**NETWORK, "gateway": "10.9.9.9"}, "proximity_default_network.gateway 10.9.9.9 is no host of"),
        ("proximity_default_network", {"subnet": "10.231.0.7/24"}, "proximity_default_network.subnet is '10.231.0.7/24'"),
        ("proximity_default_network", {"dns": ["one.one"]}, "proximity_default_network.dns holds 'one.one'"),
        ("proximity_default_network", {"bridges": "vmbr0"}, "proximity_default_network: bridges. Supported parameters include: bridge"),
        ("proximity_default_resources", {"memory_mb": "lots"}, "proximity_default_resources: argument 'memory_mb'"),
        (
            "proximity_default_resources",
            {"memory_mb": 1},
            "proximity_default_resources.memory_mb is '1': give a whole number, 16 or more.",
        ),
        (
            "proximity_features",
            {"deploy": False},
            "proximity_features: deploy. Supported parameters include: adopt, look, remove, stack.",
        ),
        ("app_network", {"address": "10.231.0.0"}, "app_network.address is '10.231.0.0/24', which is no host's address"),
        ("app_resources", {"disk_gb": 0}, "app_resources.disk_gb is '0': give a whole number, 1 or more."),
    ],
)
def test_what_makes_no_sense_is_told(name: str, value: Any, sentence: str) -> None:
    assert sentence in problem_of(name, value, {"proximity_default_network": NETWORK})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("proximity_default_network", NETWORK),
        ("proximity_default_network", {}),
        ("proximity_default_resources", {"memory_mb": "512"}),
        ("proximity_features", {"remove": "no"}),
        ("app_network", {"address": "10.231.0.9"}),
        ("app_owner", "anybody's business"),
    ],
)
def test_what_makes_sense_is_no_problem(name: str, value: Any) -> None:
    assert problem_of(name, value, {"proximity_default_network": NETWORK}) == ""


def test_wrong_defaults_are_told_in_their_own_place_only() -> None:
    assert problem_of("app_network", {"address": "10.231.0.9/24"}, {"proximity_default_network": {"subnet": "nonsense"}}) == ""
