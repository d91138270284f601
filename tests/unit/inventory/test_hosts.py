"""Names, groups and variables of hosts; and that the plugin documents what it takes."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible_collections.proximity.platform.plugins.inventory import proximity
from ansible_collections.proximity.platform.plugins.plugin_utils.hosts import Style, cluster_variables, group_name, hosts_of

APP: dict[str, Any] = {"vmid": 8100, "name": "feeds", "node": "pve-1", "status": "running", "tags": ["proximity"], "entry": None}


def _names(*guests: dict[str, Any], **style: Any) -> list[str]:
    return [host.name for host in hosts_of({"home": {"guests": [{**APP, **guest} for guest in guests]}}, Style(**style))]


def test_names() -> None:
    assert _names({}, {"name": "code"}) == ["feeds", "code"]
    assert _names({}, qualified=True) == ["feeds.home"]
    assert _names({}, {"vmid": 8101}) == ["feeds-8100.home", "feeds-8101.home"]
    assert _names({"name": ""}) == ["guest-8100.home"]


def test_group_names_are_ones_that_ansible_takes() -> None:
    assert group_name("node", "pve-1.example") == "node_pve_1_example"


def test_the_catalog_tells_an_entry_from_other_tags() -> None:
    guest = {"tags": ["proximity", "gitea", "mine", "rev-0123456789", "slot-8123"]}
    (host,) = hosts_of({"home": {"guests": [{**APP, **guest}]}}, Style(entries={"gitea", "miniflux"}))
    assert {"entry_gitea", "tag_mine"} <= set(host.groups)
    assert not {"tag_gitea", "tag_proximity", "tag_rev_0123456789", "tag_slot_8123"} & set(host.groups)
    assert host.variables["proximity_guest"]["entry"] == "gitea"


def test_own_node_hosts_come_before_what_the_cluster_tells() -> None:
    found = {"node_addresses": {"pve1": "192.0.2.9"}}
    assert cluster_variables({"name": "home"}, found, "pct")["proximity_node_hosts"] == {"pve1": "192.0.2.9"}
    own = {"name": "home", "node_hosts": {"pve1": "192.0.2.1"}}
    assert cluster_variables(own, found, "pct")["proximity_node_hosts"] == {"pve1": "192.0.2.1"}
    assert cluster_variables(own, found, "none") == {"proximity_cluster": "home"}


def test_documentation_equals_what_a_cluster_takes() -> None:
    documented = yaml.safe_load(proximity.DOCUMENTATION)["options"]["clusters"]["suboptions"]
    facts = {name: (each["type"], each.get("default"), each.get("required", False)) for name, each in documented.items()}
    assert facts == {name: (each["type"], each.get("default"), each.get("required", False)) for name, each in proximity.CLUSTER.items()}


@pytest.mark.parametrize("example", list(yaml.safe_load_all(proximity.EXAMPLES)))
def test_examples_name_what_there_is(example: dict[str, Any]) -> None:
    documented = yaml.safe_load(proximity.DOCUMENTATION)["options"]
    assert set(example) <= {*documented, "keyed_groups", "groups", "compose", "strict", "cache"}
    for cluster in example["clusters"]:
        assert set(cluster) <= set(proximity.CLUSTER)
